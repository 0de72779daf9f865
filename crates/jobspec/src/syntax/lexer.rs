//! Text into tokens. Every byte that is not blank belongs to a token, comments included, so that the formatter
//! can put the text together again.

use crate::source::Span;

/// Kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Newline,
    /// `#` or `//` up to the end of the line, without it.
    LineComment,
    /// `/* … */`.
    BlockComment,
    Ident,
    Number,
    OpenQuote,
    CloseQuote,
    /// Literal text inside quotes.
    QuotedText,
    /// `<<EOF` or `<<-EOF` with the line's end.
    OpenHeredoc,
    /// The marker with the blanks before it.
    CloseHeredoc,
    /// Literal text of a heredoc: at most one line, with its end.
    HeredocText,
    /// `${` or `${~`.
    Interpolation,
    /// `%{` or `%{~`.
    Directive,
    /// `}` or `~}` that ends either.
    SequenceEnd,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    Equal,
    EqualEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Not,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Question,
    Colon,
    Comma,
    Dot,
    Ellipsis,
    Arrow,
    /// Used nowhere in the language.
    Invalid,
    /// The rest of a text that has too many tokens.
    TooMany,
    /// A string whose line ended before its closing quote: the place of the line's end.
    BrokenQuote,
    End,
}

/// A token: its kind and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

enum Mode<'a> {
    /// Outside of strings; inside `${` when there is a mode below. Counts open braces.
    Normal(u32),
    Quoted,
    Heredoc(&'a str),
    /// Nothing but a template, without anything around it.
    Bare,
}

struct Lexer<'a> {
    file: u32,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    modes: Vec<Mode<'a>>,
    tokens: Vec<Token>,
}

/// More tokens than in any job file that somebody wrote.
pub(crate) const MOST_TOKENS: usize = 1_000_000;

/// Deeper templates inside templates than anybody writes.
const MOST_MODES: usize = 200;

/// The tokens of a text, ending in [`Kind::End`].
pub(crate) fn lex(file: u32, text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        file,
        text,
        bytes: text.as_bytes(),
        at: 0,
        modes: vec![Mode::Normal(0)],
        tokens: Vec::with_capacity((text.len() / 6).min(MOST_TOKENS)),
    };
    if text.starts_with('\u{feff}') {
        lexer.at = 3;
    }
    lexer.run();
    lexer.tokens
}

/// The tokens of a part of a text that is a template without quotes around it.
pub(crate) fn lex_template(file: u32, text: &str, start: usize, end: usize) -> Vec<Token> {
    let text = &text[..end];
    let mut lexer = Lexer {
        file,
        text,
        bytes: text.as_bytes(),
        at: start,
        modes: vec![Mode::Bare],
        tokens: Vec::new(),
    };
    lexer.run();
    lexer.tokens
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            if self.tokens.len() >= MOST_TOKENS {
                let end = self.bytes.len();
                self.push(Kind::TooMany, self.at, end);
                self.modes.truncate(1);
                break;
            }
            match self.modes.last() {
                Some(Mode::Quoted) => self.quoted(),
                Some(Mode::Heredoc(marker)) => {
                    let marker = *marker;
                    self.heredoc(marker);
                }
                Some(Mode::Bare) => self.literal(self.at, self.bytes.len()),
                _ => self.normal(),
            }
        }
        let end = self.bytes.len();
        if matches!(self.modes.last(), Some(Mode::Quoted)) {
            self.push(Kind::BrokenQuote, end, end);
        }
        self.push(Kind::End, end, end);
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.tokens.push(Token {
            kind,
            span: Span::new(self.file, start, end),
        });
        self.at = end;
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn open(&mut self, mode: Mode<'a>) {
        if self.modes.len() >= MOST_MODES {
            // The parser refuses such depth anyway; here it only must not grow.
            let end = self.bytes.len();
            self.push(Kind::Invalid, self.at.saturating_sub(1), end);
            self.modes.truncate(1);
            return;
        }
        self.modes.push(mode);
    }

    fn normal(&mut self) {
        let start = self.at;
        let take = |count: usize, kind: Kind| (kind, start + count);
        let next = self.peek(1);
        let (kind, end) = match self.bytes[start] {
            b' ' | b'\t' => {
                self.at += 1;
                return;
            }
            b'\n' => take(1, Kind::Newline),
            b'\r' if next == b'\n' => take(2, Kind::Newline),
            b'#' => (Kind::LineComment, self.line_end(start)),
            b'/' if next == b'/' => (Kind::LineComment, self.line_end(start)),
            b'/' if next == b'*' => match self.text[start + 2..].find("*/") {
                Some(found) => (Kind::BlockComment, start + 2 + found + 2),
                None => take(1, Kind::Slash),
            },
            b'"' => {
                self.push(Kind::OpenQuote, start, start + 1);
                self.open(Mode::Quoted);
                return;
            }
            b'<' if next == b'<' => {
                if let Some((marker, end)) = self.heredoc_start() {
                    self.push(Kind::OpenHeredoc, start, end);
                    self.open(Mode::Heredoc(marker));
                    return;
                }
                take(1, Kind::Less)
            }
            b'0'..=b'9' => (Kind::Number, self.number_end(start)),
            b'{' => {
                if let Some(Mode::Normal(braces)) = self.modes.last_mut() {
                    *braces += 1;
                }
                take(1, Kind::OpenBrace)
            }
            b'~' if next == b'}' && self.in_sequence() => {
                self.modes.pop();
                take(2, Kind::SequenceEnd)
            }
            b'}' if self.in_sequence() => {
                self.modes.pop();
                take(1, Kind::SequenceEnd)
            }
            b'}' => {
                if let Some(Mode::Normal(braces)) = self.modes.last_mut() {
                    *braces = braces.saturating_sub(1);
                }
                take(1, Kind::CloseBrace)
            }
            b'[' => take(1, Kind::OpenBracket),
            b']' => take(1, Kind::CloseBracket),
            b'(' => take(1, Kind::OpenParen),
            b')' => take(1, Kind::CloseParen),
            b'=' if next == b'=' => take(2, Kind::EqualEqual),
            b'=' if next == b'>' => take(2, Kind::Arrow),
            b'=' => take(1, Kind::Equal),
            b'!' if next == b'=' => take(2, Kind::NotEqual),
            b'!' => take(1, Kind::Not),
            b'<' if next == b'=' => take(2, Kind::LessEqual),
            b'<' => take(1, Kind::Less),
            b'>' if next == b'=' => take(2, Kind::GreaterEqual),
            b'>' => take(1, Kind::Greater),
            b'&' if next == b'&' => take(2, Kind::And),
            b'|' if next == b'|' => take(2, Kind::Or),
            b'+' => take(1, Kind::Plus),
            b'-' => take(1, Kind::Minus),
            b'*' => take(1, Kind::Star),
            b'/' => take(1, Kind::Slash),
            b'%' => take(1, Kind::Percent),
            b'?' => take(1, Kind::Question),
            b':' => take(1, Kind::Colon),
            b',' => take(1, Kind::Comma),
            b'.' if next == b'.' && self.peek(2) == b'.' => take(3, Kind::Ellipsis),
            b'.' => take(1, Kind::Dot),
            _ => self.word(start),
        };
        self.push(kind, start, end);
    }

    /// Whether a closing brace here ends a `${` or `%{`.
    fn in_sequence(&self) -> bool {
        self.modes.len() > 1 && matches!(self.modes.last(), Some(Mode::Normal(0)))
    }

    fn word(&self, start: usize) -> (Kind, usize) {
        let mut letters = self.text[start..].char_indices();
        let first = letters.next().map_or('\0', |(_, letter)| letter);
        if first != '_' && !unicode_ident::is_xid_start(first) {
            return (Kind::Invalid, start + first.len_utf8());
        }
        let end = letters
            .find(|(_, letter)| *letter != '-' && !unicode_ident::is_xid_continue(*letter))
            .map_or(self.text.len(), |(at, _)| start + at);
        (Kind::Ident, end)
    }

    fn number_end(&self, start: usize) -> usize {
        let digit = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut at = start;
        while digit(at) || (self.bytes.get(at) == Some(&b'.') && digit(at + 1)) {
            at += 1;
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.bytes.get(at + 1), Some(b'+' | b'-')));
            if digit(at + 1 + sign) {
                at += 1 + sign;
                while digit(at) {
                    at += 1;
                }
            }
        }
        at
    }

    /// Where the line ends, before its `\r\n` or `\n`.
    fn line_end(&self, start: usize) -> usize {
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |found| start + found);
        match end > start && self.bytes.get(end) == Some(&b'\n') && self.bytes[end - 1] == b'\r' {
            true => end - 1,
            false => end,
        }
    }

    fn heredoc_start(&self) -> Option<(&'a str, usize)> {
        let mut from = self.at + 2;
        if self.bytes.get(from) == Some(&b'-') {
            from += 1;
        }
        if from >= self.text.len() {
            return None;
        }
        let (kind, end) = self.word(from);
        let after = match self.bytes.get(end) {
            Some(b'\r') if self.bytes.get(end + 1) == Some(&b'\n') => end + 2,
            Some(b'\n') => end + 1,
            _ => return None,
        };
        (kind == Kind::Ident).then_some((&self.text[from..end], after))
    }

    fn quoted(&mut self) {
        let start = self.at;
        let mut at = start;
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'"' => break,
                b'\n' => break,
                b'\r' if self.bytes.get(at + 1) == Some(&b'\n') => break,
                b'\\' if !matches!(self.bytes.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
                b'$' | b'%' if self.is_escaped_sequence(at) => at += 3,
                b'$' | b'%' if self.bytes.get(at + 1) == Some(&b'{') => break,
                _ => at += 1,
            }
        }
        let mut at = at.min(self.bytes.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        if at > start {
            self.push(Kind::QuotedText, start, at);
        }
        match self.bytes.get(at) {
            Some(b'"') => {
                self.push(Kind::CloseQuote, at, at + 1);
                self.modes.pop();
            }
            Some(b'$' | b'%') => self.sequence(at),
            Some(_) => {
                // The line ends: so does the string, and what follows can still be read. Templates around it end too.
                let end = at + self.text[at..].len()
                    - self.text[at..].trim_start_matches(['\r', '\n']).len();
                self.push(Kind::BrokenQuote, at, end);
                self.at = at;
                self.modes.pop();
                while self.modes.len() > 1 && !matches!(self.modes.last(), Some(Mode::Heredoc(_))) {
                    self.modes.pop();
                }
            }
            None => {}
        }
    }

    fn is_escaped_sequence(&self, at: usize) -> bool {
        self.bytes.get(at + 1) == self.bytes.get(at) && self.bytes.get(at + 2) == Some(&b'{')
    }

    fn sequence(&mut self, at: usize) {
        let kind = match self.bytes[at] {
            b'$' => Kind::Interpolation,
            _ => Kind::Directive,
        };
        let trim = usize::from(self.bytes.get(at + 2) == Some(&b'~'));
        self.push(kind, at, at + 2 + trim);
        self.open(Mode::Normal(0));
    }

    fn heredoc(&mut self, marker: &str) {
        let start = self.at;
        let line_start = start == 0 || self.bytes[start - 1] == b'\n';
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |found| start + found + 1);
        let line = &self.text[start..line_end];
        if line_start && line.trim() == marker {
            let end = start + line.trim_end().len();
            self.push(Kind::CloseHeredoc, start, end);
            self.modes.pop();
            return;
        }
        self.literal(start, line_end);
    }

    /// Literal text up to `limit` or the next sequence, without escapes by backslash.
    fn literal(&mut self, start: usize, limit: usize) {
        let mut at = start;
        while at < limit {
            match self.bytes[at] {
                b'$' | b'%' if self.is_escaped_sequence(at) => at += 3,
                b'$' | b'%' if self.bytes.get(at + 1) == Some(&b'{') => {
                    if at > start {
                        self.push(Kind::HeredocText, start, at);
                    }
                    self.sequence(at);
                    return;
                }
                _ => at += 1,
            }
        }
        self.push(Kind::HeredocText, start, limit);
    }
}
