//! The parser: a place in a list of tokens, what is told about them, and how to go on after an error.

use super::ast::{Body, Expr, Name};
use super::lexer::{Kind, Token, lex};
use crate::diagnostic::Diags;
use crate::source::Span;
use std::collections::BTreeSet;
use std::rc::Rc;

/// An error was told; what follows on the line makes no sense.
pub(crate) struct Failed;
pub(crate) type Parsed<T> = Result<T, Failed>;

/// Deeper nesting than anybody writes, and than the stack bears.
pub(crate) const MOST_DEPTH: usize = 150;

/// How far the end of a broken item is looked for.
const MOST_LOOKAHEAD: usize = 5_000;

/// So many misplaced tokens are told before a file is parsed; a file with more is of another language.
const MOST_MISPLACED: usize = 20;

pub(crate) struct Parser<'a> {
    pub(crate) file: u32,
    pub(crate) text: Rc<str>,
    pub(crate) tokens: &'a [Token],
    pub(crate) at: usize,
    /// Whether line ends mean something, for each bracket around.
    pub(crate) newlines: Vec<bool>,
    pub(crate) depth: usize,
    pub(crate) diags: &'a mut Diags,
    pub(super) unclosed_told: bool,
    /// Where the misplaced tokens start that were told before parsing began.
    told: BTreeSet<u32>,
}

/// The body of a file. Errors are in `diags`.
pub(crate) fn parse_file(file: u32, diags: &mut Diags) -> Body {
    let text = diags.sources.file(file).text.clone();
    let tokens = lex(file, &text);
    let cut = tokens
        .iter()
        .rev()
        .take(2)
        .find(|it| it.kind == Kind::TooMany);
    let told = diags.list.len();
    let mut parser = Parser::new(file, text, &tokens, diags);
    let body = match cut {
        // Whatever else is said of half a file is beside the point.
        Some(cut) => {
            let _ = parser.invalid::<()>(*cut);
            Body::default()
        }
        None => {
            parser.misplaced();
            parser.body(None)
        }
    };
    diags.in_file_order(told);
    body
}

/// The whole text as one expression. Errors are in `diags`.
pub(crate) fn parse_expression(file: u32, diags: &mut Diags) -> Option<Expr> {
    let text = diags.sources.file(file).text.clone();
    let tokens = lex(file, &text);
    let mut parser = Parser::new(file, text, &tokens, diags);
    parser.newlines.push(false);
    let expr = parser.expression().ok()?;
    let next = parser.peek();
    if next.kind != Kind::End {
        let detail = "Extra characters appear after the expression.";
        parser
            .diags
            .error(next.span, "Extra characters after expression", detail);
        return None;
    }
    Some(expr)
}

impl<'a> Parser<'a> {
    pub(crate) fn new(file: u32, text: Rc<str>, tokens: &'a [Token], diags: &'a mut Diags) -> Self {
        Self {
            file,
            text,
            tokens,
            at: 0,
            newlines: vec![true],
            depth: 0,
            diags,
            unclosed_told: false,
            told: BTreeSet::new(),
        }
    }

    /// Tells of each token that has no place anywhere, of the same sign once in a line. Parsing would not come to
    /// those that stand in an item that is broken elsewhere, and they are often what broke it.
    fn misplaced(&mut self) {
        let tokens = self.tokens;
        let misplaced = tokens
            .iter()
            .filter(|token| matches!(token.kind, Kind::Invalid | Kind::BrokenQuote));
        let mut last: Option<Span> = None;
        for token in misplaced.take(MOST_MISPLACED) {
            let span = token.span;
            let again = last.is_some_and(|last| {
                // A quote that is not closed takes a carriage return behind it along, which is told, too.
                let between = self.text.get(last.end as usize..span.start as usize);
                self.source(last) == self.source(span)
                    && !between.unwrap_or_default().contains('\n')
            });
            if !again || token.kind == Kind::BrokenQuote {
                let _ = self.invalid::<()>(*token);
            }
            self.told.insert(span.start);
            last = Some(span);
        }
    }

    pub(crate) fn source(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    pub(crate) fn fail<T>(
        &mut self,
        span: Span,
        summary: &str,
        detail: impl Into<String>,
    ) -> Parsed<T> {
        self.diags.error(span, summary, detail);
        Err(Failed)
    }

    fn skip(&mut self) {
        let significant = self.newlines.last().copied().unwrap_or(true);
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                Kind::LineComment | Kind::BlockComment => {}
                Kind::Newline if !significant => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// The next token that means something; [`Kind::End`] for ever at the end.
    pub(crate) fn peek(&mut self) -> Token {
        self.skip();
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Takes the next token when it is of this kind.
    pub(crate) fn take(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.next())
    }

    pub(crate) fn name(&self, token: Token) -> Name {
        Name {
            text: self.source(token.span).into(),
            span: token.span,
        }
    }

    /// Runs `inner` one level deeper, or refuses.
    pub(crate) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MOST_DEPTH {
            let span = self.peek().span;
            let detail = format!("More than {MOST_DEPTH} levels of nesting are not supported.");
            // Nothing after it can be trusted, and trying would tell the same again at each level.
            self.at = self.tokens.len();
            return self.fail(span, "Nested too deeply", detail);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// After an error in the item that began at `start`: goes on with the line after the item, or, when its
    /// brackets do not match, with the line after the error.
    pub(super) fn recover(&mut self, start: usize) {
        self.newlines.truncate(1);
        self.at = match self.item_end(start).filter(|end| *end >= self.at) {
            Some(end) => end,
            None => self.line_end(),
        };
    }

    /// The line's end after the item that begins at `start`, if its brackets match.
    fn item_end(&self, start: usize) -> Option<usize> {
        let mut open = Vec::new();
        let ahead = self
            .tokens
            .iter()
            .enumerate()
            .skip(start)
            .take(MOST_LOOKAHEAD);
        for (at, token) in ahead {
            match token.kind {
                Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen => open.push(token.kind),
                Kind::Interpolation | Kind::Directive => open.push(Kind::Interpolation),
                Kind::CloseBrace if open.pop() != Some(Kind::OpenBrace) => return None,
                Kind::CloseBracket if open.pop() != Some(Kind::OpenBracket) => return None,
                Kind::CloseParen if open.pop() != Some(Kind::OpenParen) => return None,
                Kind::SequenceEnd if open.pop() != Some(Kind::Interpolation) => return None,
                Kind::BrokenQuote => return None,
                Kind::Newline | Kind::End if open.is_empty() => return Some(at),
                Kind::End => return None,
                _ => {}
            }
        }
        None
    }

    /// The end of this line, or a closing brace that begins a line.
    fn line_end(&self) -> usize {
        let mut at = self.at.min(self.tokens.len() - 1);
        loop {
            let begins_line = at == 0 || self.tokens[at - 1].kind == Kind::Newline;
            match self.tokens[at].kind {
                Kind::End | Kind::Newline => return at,
                Kind::CloseBrace if begins_line => return at,
                _ => at += 1,
            }
        }
    }

    /// Tells what is wrong with a token that has no place anywhere, once.
    pub(crate) fn invalid<T>(&mut self, token: Token) -> Parsed<T> {
        if self.told.contains(&token.span.start) {
            return Err(Failed);
        }
        let (summary, detail) = match (token.kind, self.source(token.span)) {
            (Kind::BrokenQuote, "") => (
                "Unterminated template string",
                "No closing marker was found for the string.",
            ),
            (Kind::BrokenQuote, _) => {
                // The line's end is only skipped by going on after it.
                (
                    "Invalid multi-line string",
                    "Quoted strings may not be split over multiple lines. To produce a multi-line string, either \
                     use the \\n escape to represent a newline character or use the \"heredoc\" multi-line template \
                     syntax.",
                )
            }
            (Kind::TooMany, _) => (
                "File too large",
                "The file has more words than a job file may have; it would have to be generated, in JSON.",
            ),
            (_, "'" | "`") => (
                "Invalid character",
                "Single quotes are not valid. Use double quotes (\") to enclose strings.",
            ),
            (_, ";") => (
                "Invalid character",
                "The \";\" character is not valid. Use newlines to separate arguments and blocks, and commas to \
                 separate items in collection values.",
            ),
            (_, "&" | "|" | "^" | "~") => (
                "Unsupported operator",
                "Bitwise operators are not supported. Did you mean \"&&\" or \"||\"?",
            ),
            _ => (
                "Invalid character",
                "This character is not used within the language.",
            ),
        };
        self.diags.error(token.span, summary, detail);
        let end = self.text.len();
        if token.kind == Kind::BrokenQuote
            && token.span.end as usize == end
            && !token.span.is_empty()
        {
            let span = Span::new(self.file, end, end);
            let detail = "No closing marker was found for the string.";
            self.diags
                .consequence(span, "Unterminated template string", detail);
        }
        Err(Failed)
    }
}
