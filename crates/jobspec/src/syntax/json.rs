//! The JSON form of the language: objects are bodies, texts are templates.

use super::ast::{Expr, ExprKind};
use super::lexer::lex_template;
use super::parser::{MOST_DEPTH, Parser};
use crate::diagnostic::Diags;
use crate::number::Number;
use crate::source::Span;
use std::rc::Rc;

/// The value of a file. Errors are in `diags`.
pub(crate) fn parse_json(file: u32, diags: &mut Diags) -> Option<Expr> {
    let text = diags.sources.file(file).text.clone();
    let mut reader = Reader {
        file,
        text,
        at: 0,
        depth: 0,
        diags,
    };
    let value = reader.value()?;
    reader.blanks();
    if reader.at < reader.text.len() {
        let span = reader.here(1);
        let detail = "Extra characters appear after the JSON value.";
        reader
            .diags
            .error(span, "Extraneous data after value", detail);
        return None;
    }
    Some(value)
}

struct Reader<'a> {
    file: u32,
    text: Rc<str>,
    at: usize,
    depth: usize,
    diags: &'a mut Diags,
}

impl Reader<'_> {
    fn here(&self, length: usize) -> Span {
        Span::new(self.file, self.at, (self.at + length).min(self.text.len()))
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn peek(&mut self) -> u8 {
        self.blanks();
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn fail<T>(&mut self, span: Span, summary: &str, detail: &str) -> Option<T> {
        self.diags.error(span, summary, detail);
        None
    }

    fn value(&mut self) -> Option<Expr> {
        if self.depth >= MOST_DEPTH {
            let span = self.here(1);
            let detail = format!("More than {MOST_DEPTH} levels of nesting are not supported.");
            return self.fail(span, "Nested too deeply", &detail);
        }
        self.depth += 1;
        let value = match self.peek() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self
                .string()
                .and_then(|(text, span)| self.template(text, span)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.keyword(),
        };
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Option<Expr> {
        let open = self.here(1);
        self.at += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                b'}' => break,
                b'"' => {}
                0 => {
                    let detail = "No closing brace was found for this JSON object.";
                    return self.fail(open, "Unclosed object", detail);
                }
                _ => {
                    let span = self.here(1);
                    let detail = "A JSON object must contain property names in double quotes.";
                    return self.fail(span, "Invalid JSON property name", detail);
                }
            }
            let (text, span) = self.string()?;
            let key = Expr::new(span, ExprKind::Text(text.into(), span));
            if self.peek() != b':' {
                let span = self.here(1);
                let detail = "A colon must stand between a property's name and its value.";
                return self.fail(span, "Missing property value colon", detail);
            }
            self.at += 1;
            let value = self.value()?;
            items.push((key, value));
            match self.peek() {
                b',' => {
                    let comma = self.here(1);
                    self.at += 1;
                    if self.peek() == b'}' {
                        let detail = "JSON does not permit a trailing comma after the final property in an object.";
                        return self.fail(comma, "Trailing comma in object", detail);
                    }
                }
                b'}' => {}
                0 => {
                    let detail = "No closing brace was found for this JSON object.";
                    return self.fail(open, "Unclosed object", detail);
                }
                _ => {
                    let span = self.here(1);
                    let detail = "A comma is expected between the properties of a JSON object.";
                    return self.fail(span, "Missing property separator", detail);
                }
            }
        }
        let span = open.to(self.here(1));
        self.at += 1;
        Some(Expr::new(span, ExprKind::Object { items, open }))
    }

    fn array(&mut self) -> Option<Expr> {
        let open = self.here(1);
        self.at += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                b']' => break,
                0 => {
                    let detail = "No closing bracket was found for this JSON array.";
                    return self.fail(open, "Unclosed array", detail);
                }
                _ => {}
            }
            items.push(self.value()?);
            match self.peek() {
                b',' => {
                    let comma = self.here(1);
                    self.at += 1;
                    if self.peek() == b']' {
                        let detail = "JSON does not permit a trailing comma after the final value in an array.";
                        return self.fail(comma, "Trailing comma in array", detail);
                    }
                }
                b']' => {}
                0 => {
                    let detail = "No closing bracket was found for this JSON array.";
                    return self.fail(open, "Unclosed array", detail);
                }
                _ => {
                    let span = self.here(1);
                    let detail = "A comma is expected between the elements of a JSON array.";
                    return self.fail(span, "Missing array element separator", detail);
                }
            }
        }
        let span = open.to(self.here(1));
        self.at += 1;
        Some(Expr::new(span, ExprKind::Tuple { items, open }))
    }

    /// The decoded text of a string and its place with the quotes.
    fn string(&mut self) -> Option<(String, Span)> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => break,
                b'\\' => at += 2,
                b'\n' => break,
                _ => at += 1,
            }
        }
        if bytes.get(at) != Some(&b'"') {
            let detail = "No closing quote was found for this JSON string.";
            return self.fail(self.here(1), "Invalid JSON string", detail);
        }
        let span = Span::new(self.file, start, at + 1);
        let decoded = serde_json::from_str::<String>(&self.text[start..=at]);
        self.at = at + 1;
        match decoded {
            Ok(text) => Some((text, span)),
            Err(_) => self.fail(
                span,
                "Invalid JSON string",
                "This string has an escape sequence or a character that JSON does not allow.",
            ),
        }
    }

    /// A text as the template that it may be.
    fn template(&mut self, text: String, span: Span) -> Option<Expr> {
        if !text.contains("${") && !text.contains("%{") {
            return Some(Expr::new(span, ExprKind::Text(text.into(), span)));
        }
        let inner = (span.start as usize + 1, span.end as usize - 1);
        let in_place = self.text[inner.0..inner.1] == *text;
        let (file, (start, end)) = match in_place {
            true => (self.file, inner),
            false => {
                let length = text.len();
                let name = format!("string at {}", self.diags.at(span));
                (self.diags.sources.add(name, text), (0, length))
            }
        };
        let source = self.diags.sources.file(file).text.clone();
        let tokens = lex_template(file, &source, start, end);
        let parsed = Parser::new(file, source, &tokens, self.diags)
            .bare_template(Span::new(file, start, end));
        parsed.ok().map(|expr| Expr::new(expr.span, expr.kind))
    }

    fn number(&mut self) -> Option<Expr> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let span = self.here(length);
        let number = match is_number(&rest[..length]) {
            true => Number::parse(&rest[..length]),
            false => None,
        };
        self.at += length;
        match number {
            Some(number) => Some(Expr::new(span, ExprKind::Number(number))),
            None => self.fail(
                span,
                "Invalid JSON number",
                "This is no number, or one that is far too large.",
            ),
        }
    }

    fn keyword(&mut self) -> Option<Expr> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let span = self.here(length.max(1));
        let kind = match &rest[..length] {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "null" => ExprKind::Null,
            _ => {
                let detail = "A JSON value is required here: an object, an array, a string, a number, true, false or null.";
                return self.fail(span, "Invalid JSON value", detail);
            }
        };
        self.at += length;
        Some(Expr::new(span, kind))
    }
}

/// Whether a text is a number as JSON writes them: without zeros before it, with digits around its point.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole)
        && digits(fraction)
        && digits(exponent)
        && (whole == "0" || !whole.starts_with('0'))
}
