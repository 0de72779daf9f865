//! From bytes to values, with the reference's words for what does not fit.

use std::borrow::Cow;

use super::error::DecodeError;
use crate::quote::quote_char;

/// A value. Numbers keep their text: errors quote it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Deeper values are refused; the reader recurses.
const MAX_DEPTH: usize = 256;

/// Each `{}` may become a structure of a thousand times its size.
const MAX_OBJECTS: usize = 250_000;

/// The first value of `body`; what follows is passed over.
pub(super) fn first_value(body: &[u8]) -> Result<Value<'_>, DecodeError> {
    let mut scanner = Scanner {
        body,
        at: 0,
        depth: 0,
        objects: 0,
    };
    scanner.spaces();
    if scanner.at == body.len() {
        return Err(DecodeError("EOF".to_owned()));
    }
    scanner.value()
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    depth: usize,
    objects: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The error at this place: `invalid character` with where it was met, or the end of the body.
    fn refuse<T>(&self, context: &str) -> Result<T, DecodeError> {
        Err(DecodeError(match self.peek() {
            None => "unexpected EOF".to_owned(),
            Some(byte) => format!(
                "invalid character {} {context}",
                quote_char(char::from(byte))
            ),
        }))
    }

    fn value(&mut self) -> Result<Value<'a>, DecodeError> {
        self.spaces();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.text().map(Value::Text),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.refuse("looking for beginning of value"),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value<'a>, DecodeError>,
    ) -> Result<Value<'a>, DecodeError> {
        if self.depth == MAX_DEPTH {
            return Err(DecodeError("exceeded max depth".to_owned()));
        }
        self.depth += 1;
        self.at += 1;
        self.spaces();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value<'a>, DecodeError> {
        self.objects += 1;
        if self.objects > MAX_OBJECTS {
            return Err(DecodeError("exceeded max number of objects".to_owned()));
        }
        let mut members = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.spaces();
            if self.peek() != Some(b'"') {
                return self.refuse("looking for beginning of object key string");
            }
            let key = self.text()?;
            self.spaces();
            if self.peek() != Some(b':') {
                return self.refuse("after object key");
            }
            self.at += 1;
            members.push((key, self.value()?));
            self.spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return self.refuse("after object key:value pair"),
            }
        }
    }

    fn list(&mut self) -> Result<Value<'a>, DecodeError> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            self.spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return self.refuse("after array element"),
            }
        }
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, DecodeError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return self.refuse(&format!(
                    "in literal {word} (expecting '{}')",
                    char::from(expected)
                ));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, context: &str) -> Result<(), DecodeError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.refuse(context);
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, DecodeError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = std::str::from_utf8(&self.body[start..self.at])
            .expect("digits, signs and points are ASCII");
        Ok(Value::Number(text))
    }

    fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let text = String::from_utf8_lossy(&self.body[start..self.at]);
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => return self.escaped(start).map(Cow::Owned),
                0..=0x1f => return self.refuse("in string literal"),
                _ => self.at += 1,
            }
        }
        self.refuse("in string literal")
    }

    fn escaped(&mut self, start: usize) -> Result<String, DecodeError> {
        let mut out = self.body[start..self.at].to_vec();
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(String::from_utf8_lossy(&out).into_owned());
                }
                b'\\' => {
                    self.at += 1;
                    let mut buffer = [0; 4];
                    out.extend_from_slice(self.escape()?.encode_utf8(&mut buffer).as_bytes());
                }
                0..=0x1f => return self.refuse("in string literal"),
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.refuse("in string literal")
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let c = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.refuse("in string escape code"),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, DecodeError> {
        let high = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&high) || !self.body[self.at..].starts_with(b"\\u") {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        self.at += 2;
        let low = self.hexadecimal()?;
        if (0xdc00..0xe000).contains(&low) {
            let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        // Half a pair: the other escape stands for itself.
        self.at = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => value = value << 4 | digit,
                None => return self.refuse("in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(value)
    }
}
