//! Tokens into bodies: attributes and blocks. After an error the parser goes on with the next line, so that
//! one run finds all of them.

use super::ast::{Attribute, Block, Body, Expr, Name};
use super::lexer::{Kind, Token, lex};
use crate::diagnostic::Diags;
use crate::source::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// An error was told; what follows on the line makes no sense.
pub(crate) struct Failed;
pub(crate) type Parsed<T> = Result<T, Failed>;

/// Deeper nesting than anybody writes, and than the stack bears.
pub(crate) const MOST_DEPTH: usize = 150;

/// After so many errors the parser gives up.
const MOST_SYNTAX_ERRORS: usize = 100;
/// How far the end of a broken item is looked for.
const MOST_LOOKAHEAD: usize = 5_000;

pub(crate) struct Parser<'a> {
    pub(crate) file: u32,
    pub(crate) text: Rc<str>,
    pub(crate) tokens: &'a [Token],
    pub(crate) at: usize,
    /// Whether line ends mean something, for each bracket around.
    pub(crate) newlines: Vec<bool>,
    pub(crate) depth: usize,
    pub(crate) diags: &'a mut Diags,
    unclosed_told: bool,
}

/// The body of a file. Errors are in `diags`.
pub(crate) fn parse_file(file: u32, diags: &mut Diags) -> Body {
    let text = diags.sources.file(file).text.clone();
    let tokens = lex(file, &text);
    let mut parser = Parser::new(file, text, &tokens, diags);
    parser.body(None)
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
    fn recover(&mut self, start: usize) {
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

    /// Items up to the closing brace of `open`, or up to the end of the file.
    pub(crate) fn body(&mut self, open: Option<Span>) -> Body {
        let start = Span::new(self.file, 0, 0);
        if self.told_too_much() {
            self.at = self.tokens.len();
        }
        let mut body = Body {
            start: open.unwrap_or(start).at_start(),
            ..Body::default()
        };
        let mut seen = BTreeMap::new();
        loop {
            let token = self.peek();
            match token.kind {
                Kind::Newline => self.at += 1,
                Kind::End => {
                    if let Some(open) = open {
                        self.unclosed(open);
                    }
                    return body;
                }
                Kind::CloseBrace if open.is_some() => {
                    self.at += 1;
                    return body;
                }
                _ => {
                    let start = self.at;
                    if self.told_too_much() {
                        self.at = self.tokens.len();
                    } else if self.item(&mut body, &mut seen).is_err() {
                        self.recover(start);
                        if self.at == start {
                            self.at += 1;
                        }
                    }
                }
            }
        }
    }

    /// Whether the file is so broken that more errors help nobody.
    fn told_too_much(&self) -> bool {
        self.diags.list.len() >= MOST_SYNTAX_ERRORS
    }

    fn unclosed(&mut self, open: Span) {
        if !std::mem::replace(&mut self.unclosed_told, true) {
            self.diags.error(
                open,
                "Unclosed configuration block",
                "There is no closing brace for this block before the end of the file. This may be caused by \
                 incorrect brace nesting elsewhere in this file.",
            );
        }
    }

    fn item(&mut self, body: &mut Body, seen: &mut BTreeMap<Rc<str>, Span>) -> Parsed<()> {
        let token = self.next();
        match token.kind {
            Kind::Ident => {}
            Kind::OpenQuote => {
                return self.fail(
                    token.span,
                    "Invalid argument name",
                    "Argument names must not be quoted.",
                );
            }
            Kind::CloseBrace => {
                self.at -= 1;
                return self.fail(
                    token.span,
                    "Argument or block definition required",
                    "An argument or block definition is required here: this brace closes nothing.",
                );
            }
            Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => return self.invalid(token),
            _ => {
                return self.fail(
                    token.span,
                    "Argument or block definition required",
                    "An argument or block definition is required here.",
                );
            }
        }
        let name = self.name(token);
        match self.peek().kind {
            Kind::Equal => {
                self.at += 1;
                let attribute = self.attribute(name)?;
                self.end_of_item("argument")?;
                self.add(body, attribute, seen);
                Ok(())
            }
            Kind::OpenQuote | Kind::OpenBrace | Kind::Ident => {
                let block = self.deeper(|parser| parser.block(name))?;
                body.blocks.push(block);
                self.end_of_item("block definition")
            }
            _ => self.fail(
                name.span,
                "Argument or block definition required",
                "An argument or block definition is required here. To set an argument, use the equals sign \"=\" \
                 to introduce the argument value.",
            ),
        }
    }

    fn add(&mut self, body: &mut Body, attribute: Attribute, seen: &mut BTreeMap<Rc<str>, Span>) {
        let name = &attribute.name;
        if let Some(twin) = seen.get(&name.text) {
            let detail = format!(
                "The argument {:?} was already set at {}. Each argument may be set only once.",
                name.text,
                self.diags.at(*twin)
            );
            self.diags.error(name.span, "Attribute redefined", detail);
            return;
        }
        seen.insert(name.text.clone(), name.span);
        body.attributes.push(attribute);
    }

    fn attribute(&mut self, name: Name) -> Parsed<Attribute> {
        let expr = self.expression()?;
        Ok(Attribute {
            span: name.span.to(expr.span),
            name,
            expr,
        })
    }

    fn end_of_item(&mut self, what: &str) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            Kind::Newline => {
                self.at += 1;
                Ok(())
            }
            Kind::End => Ok(()),
            Kind::BrokenQuote | Kind::Invalid | Kind::TooMany => self.invalid(token),
            _ => self.fail(
                token.span,
                &format!("Missing newline after {what}"),
                format!(
                    "The {what} ended before this; whatever comes next needs a line of its own."
                ),
            ),
        }
    }

    fn block(&mut self, kind: Name) -> Parsed<Block> {
        let mut labels = Vec::new();
        let open = loop {
            let token = self.next();
            match token.kind {
                Kind::OpenBrace => break token.span,
                Kind::Ident => labels.push(self.name(token)),
                Kind::OpenQuote => labels.push(self.label(token)?),
                Kind::Equal if labels.is_empty() => {
                    return self.fail(token.span, "Invalid block definition", "The equals sign \"=\" indicates an argument definition, and must not be used when defining a block.");
                }
                _ => {
                    self.at -= 1;
                    return self.fail(
                        token.span,
                        "Invalid block definition",
                        "A block definition must have block content delimited by \"{\" and \"}\", starting on the \
                         same line as the block header.",
                    );
                }
            }
        };
        let body = match self.peek().kind {
            Kind::Newline | Kind::End => self.body(Some(open)),
            Kind::CloseBrace => {
                self.at += 1;
                Body {
                    start: open.at_start(),
                    ..Body::default()
                }
            }
            _ => self.one_line_body(open)?,
        };
        Ok(Block {
            kind,
            labels,
            open,
            body,
        })
    }

    fn one_line_body(&mut self, open: Span) -> Parsed<Body> {
        let token = self.next();
        if token.kind != Kind::Ident {
            self.at -= 1;
            return self.fail(
                token.span,
                "Argument definition required",
                "A single-line block definition can contain only a single argument, and nothing else.",
            );
        }
        let name = self.name(token);
        if self.take(Kind::Equal).is_none() {
            let detail = format!(
                "A single-line block definition can contain only a single argument. If you meant to define \
                 argument {:?}, use an equals sign to assign it a value. To define a nested block, place it on a \
                 line of its own within its parent block.",
                name.text
            );
            return self.fail(token.span, "Argument definition required", detail);
        }
        let attribute = self.attribute(name)?;
        let close = self.next();
        if close.kind != Kind::CloseBrace {
            self.at -= 1;
            let detail = match close.kind {
                Kind::Newline | Kind::End => {
                    "An argument definition on the same line as its containing block creates a single-line block \
                     definition, which must also be closed on the same line. Place the block's closing brace \
                     immediately after the argument definition."
                }
                _ => {
                    "A single-line block definition must end with a closing brace immediately after its single \
                     argument definition."
                }
            };
            return self.fail(
                close.span,
                "Invalid single-argument block definition",
                detail,
            );
        }
        Ok(Body {
            attributes: vec![attribute],
            blocks: Vec::new(),
            start: open.at_start(),
        })
    }

    /// A quoted label, whose opening quote was taken: text without templates.
    pub(crate) fn label(&mut self, open: Token) -> Parsed<Name> {
        let mut text = String::new();
        loop {
            let token = self.tokens[self.at.min(self.tokens.len() - 1)];
            self.at += 1;
            match token.kind {
                Kind::QuotedText => text += &self.unescape(token.span),
                Kind::CloseQuote => {
                    return Ok(Name {
                        text: text.into(),
                        span: open.span.to(token.span),
                    });
                }
                Kind::Interpolation | Kind::Directive => {
                    let sign = &self.source(token.span)[..1];
                    let detail = format!(
                        "Template sequences are not allowed in this string. To include a literal {sign:?}, double it \
                         (as \"{sign}{sign}\") to escape it."
                    );
                    self.skip_string();
                    return self.fail(token.span, "Invalid string literal", detail);
                }
                _ => {
                    self.at -= 1;
                    return self.invalid(token);
                }
            }
        }
    }

    /// Skips the rest of a quoted string with everything in it.
    fn skip_string(&mut self) {
        let mut open = 1usize;
        while open > 0 {
            match self.tokens[self.at.min(self.tokens.len() - 1)].kind {
                Kind::OpenQuote => open += 1,
                Kind::CloseQuote => open -= 1,
                Kind::End | Kind::BrokenQuote => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Tells what is wrong with a token that has no place anywhere.
    pub(crate) fn invalid<T>(&mut self, token: Token) -> Parsed<T> {
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
