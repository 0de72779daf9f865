//! Splits HCL1 (and JSON, which needs no more) into tokens.

use super::{Pos, SyntaxError};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Ident(String),
    Text(String),
    Number(String),
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Equals,
    Colon,
    Comma,
    End,
}

impl Token {
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Ident(name) => format!("`{name}`"),
            Token::Text(text) => format!("{text:?}"),
            Token::Number(text) => format!("`{text}`"),
            Token::OpenBrace => "`{`".into(),
            Token::CloseBrace => "`}`".into(),
            Token::OpenBracket => "`[`".into(),
            Token::CloseBracket => "`]`".into(),
            Token::Equals => "`=`".into(),
            Token::Colon => "`:`".into(),
            Token::Comma => "`,`".into(),
            Token::End => "the end of the file".into(),
        }
    }
}

pub(super) struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    pos: Pos,
}

type Lexed<T> = Result<T, SyntaxError>;

pub(super) fn fail<T>(pos: Pos, message: impl Into<String>) -> Lexed<T> {
    Err(SyntaxError {
        pos,
        message: message.into(),
    })
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest: text.chars().peekable(),
            pos: Pos { line: 1, column: 1 },
        }
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Lexed<(Pos, Token)> {
        self.skip_blank()?;
        let pos = self.pos;
        let Some(first) = self.peek() else {
            return Ok((pos, Token::End));
        };
        let single = match first {
            '{' => Some(Token::OpenBrace),
            '}' => Some(Token::CloseBrace),
            '[' => Some(Token::OpenBracket),
            ']' => Some(Token::CloseBracket),
            '=' => Some(Token::Equals),
            ':' => Some(Token::Colon),
            ',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            self.take();
            return Ok((pos, token));
        }
        let token = match first {
            '"' => Token::Text(self.quoted(pos)?),
            '<' => Token::Text(self.heredoc(pos)?),
            '-' | '+' | '0'..='9' => {
                Token::Number(self.run(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
            }
            c if c.is_alphabetic() || c == '_' => {
                Token::Ident(self.run(|c| c.is_alphanumeric() || "_-.".contains(c)))
            }
            '\'' => return fail(pos, "text is written in double quotes"),
            c => return fail(pos, format!("unexpected character {c:?}")),
        };
        Ok((pos, token))
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.pos = Pos {
                line: self.pos.line + 1,
                column: 1,
            };
        } else {
            self.pos.column += 1;
        }
        Some(c)
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            text.push(c);
            self.take();
        }
        text
    }

    fn line(&mut self) -> String {
        self.run(|c| c != '\n')
    }

    fn skip_blank(&mut self) -> Lexed<()> {
        loop {
            self.run(char::is_whitespace);
            let pos = self.pos;
            match self.peek() {
                Some('#') => drop(self.line()),
                Some('/') => {
                    self.take();
                    match self.peek() {
                        Some('/') => drop(self.line()),
                        Some('*') => self.block_comment(pos)?,
                        _ => {
                            return fail(
                                pos,
                                "unexpected `/`; comments start with `#`, `//` or `/*`",
                            );
                        }
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn block_comment(&mut self, start: Pos) -> Lexed<()> {
        self.take();
        while let Some(c) = self.take() {
            if c == '*' && self.peek() == Some('/') {
                self.take();
                return Ok(());
            }
        }
        fail(start, "this comment is never closed with `*/`")
    }

    /// Text in double quotes. Inside `${…}` quotes and line breaks are part of the text.
    fn quoted(&mut self, start: Pos) -> Lexed<String> {
        self.take();
        let mut text = String::new();
        let mut braces = 0usize;
        loop {
            let pos = self.pos;
            let Some(c) = self.take() else {
                return fail(start, "this text is never closed with `\"`");
            };
            match c {
                '"' if braces == 0 => return Ok(text),
                '\n' if braces == 0 => {
                    return fail(start, "this text is not closed with `\"` on its line");
                }
                '\\' if braces == 0 => text.push(self.escape(pos)?),
                _ => {
                    if c == '$' && braces == 0 && self.peek() == Some('{') {
                        text.push(c);
                        text.push('{');
                        self.take();
                        braces = 1;
                        continue;
                    }
                    match c {
                        '{' if braces > 0 => braces += 1,
                        '}' if braces > 0 => braces -= 1,
                        _ => {}
                    }
                    text.push(c);
                }
            }
        }
    }

    fn escape(&mut self, pos: Pos) -> Lexed<char> {
        Ok(match self.take() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some(c @ ('"' | '\\' | '/' | '\'')) => c,
            Some('x') => self.code(pos, 2)?,
            Some('u') => return self.utf16(pos),
            Some('U') => self.code(pos, 8)?,
            _ => return fail(pos, "unknown escape; write `\\\\` for a backslash"),
        })
    }

    fn hex(&mut self, pos: Pos, digits: usize) -> Lexed<u32> {
        let mut value = 0u32;
        for _ in 0..digits {
            let Some(digit) = self.take().and_then(|c| c.to_digit(16)) else {
                return fail(
                    pos,
                    format!("this escape needs {digits} hexadecimal digits"),
                );
            };
            value = value << 4 | digit;
        }
        Ok(value)
    }

    fn code(&mut self, pos: Pos, digits: usize) -> Lexed<char> {
        let value = self.hex(pos, digits)?;
        char::from_u32(value).map_or_else(|| fail(pos, "this escape is not a character"), Ok)
    }

    /// `\uXXXX`; JSON writes characters beyond U+FFFF as two of them.
    fn utf16(&mut self, pos: Pos) -> Lexed<char> {
        let first = self.hex(pos, 4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first)
                .map_or_else(|| fail(pos, "this escape is not a character"), Ok);
        }
        if self.take() != Some('\\') || self.take() != Some('u') {
            return fail(pos, "half of a surrogate pair is missing");
        }
        let second = self.hex(pos, 4)?;
        match char::decode_utf16([first as u16, second as u16]).next() {
            Some(Ok(c)) => Ok(c),
            _ => fail(pos, "this escape is not a character"),
        }
    }

    /// `<<MARK` up to a line that is MARK; with `<<-` the common indentation is dropped.
    fn heredoc(&mut self, start: Pos) -> Lexed<String> {
        self.take();
        if self.take() != Some('<') {
            return fail(start, "unexpected `<`");
        }
        let indented = self.peek() == Some('-') && self.take().is_some();
        let mark = self.line();
        let mark = mark.trim();
        if mark.is_empty() || !mark.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return fail(start, "a heredoc starts with `<<` and a word");
        }
        self.take();
        let mut lines = Vec::new();
        loop {
            if self.peek().is_none() {
                return fail(start, format!("this heredoc is never closed with `{mark}`"));
            }
            let line = self.line();
            let closing = line.trim() == mark;
            if closing {
                return Ok(join_heredoc(&lines, indented));
            }
            self.take();
            lines.push(line);
        }
    }
}

fn join_heredoc(lines: &[String], indented: bool) -> String {
    let indent = |line: &String| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = if indented {
        lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(indent)
            .min()
            .unwrap_or(0)
    } else {
        0
    };
    lines.iter().fold(String::new(), |text, line| {
        text + line.get(common..).unwrap_or("") + "\n"
    })
}
