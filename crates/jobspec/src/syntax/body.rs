//! Attributes and blocks. After an error the parser goes on with the next line, so that one run finds all of them.

use super::ast::{Attribute, Block, Body, Name};
use super::lexer::{Kind, Token};
use super::parser::{Parsed, Parser};
use crate::source::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// After so many errors the parser gives up.
const MOST_SYNTAX_ERRORS: usize = 100;

impl Parser<'_> {
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
            if self.diags.is_full() {
                return;
            }
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
            let next = self.peek();
            let span = match next.kind {
                Kind::OpenQuote | Kind::OpenBrace | Kind::Ident => token.span.to(next.span),
                _ => token.span,
            };
            return self.fail(span, "Argument definition required", detail);
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
}
