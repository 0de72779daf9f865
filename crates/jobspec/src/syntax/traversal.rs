//! What is looked up from values: `.name`, `[key]`, `.*`, `[*]`.

use super::ast::{Expr, ExprKind, Step, StepKey};
use super::lexer::{Kind, Token};
use super::parser::{Parsed, Parser};
use crate::number::Number;
use crate::source::Span;

impl Parser<'_> {
    pub(super) fn with_traversals(&mut self) -> Parsed<Expr> {
        let term = self.term()?;
        self.traversals(term)
    }

    /// What is looked up from a value: `.name`, `[key]`, `.*`, `[*]`.
    pub(super) fn traversals(&mut self, mut source: Expr) -> Parsed<Expr> {
        loop {
            self.limit_height(&source)?;
            source = match self.peek().kind {
                Kind::Dot => self.dot(source)?,
                Kind::OpenBracket => self.bracket(source)?,
                _ => return Ok(source),
            };
        }
    }

    fn dot(&mut self, source: Expr) -> Parsed<Expr> {
        let dot = self.next();
        let token = self.next();
        match token.kind {
            Kind::Ident => {
                let key = StepKey::Name(self.source(token.span).into());
                let span = dot.span.to(token.span);
                Ok(step(source, Step { key, span }))
            }
            Kind::Number => self.legacy_index(source, dot, token),
            Kind::Star => self.attribute_splat(source, dot.span.to(token.span)),
            _ => {
                self.at -= 1;
                self.fail(
                    token.span,
                    "Invalid attribute name",
                    "An attribute name is required after a dot.",
                )
            }
        }
    }

    /// `.0`, and `.0.1`, which reads as one number.
    fn legacy_index(&mut self, source: Expr, dot: Token, token: Token) -> Parsed<Expr> {
        let text = self.source(token.span).to_owned();
        let mut source = source;
        let mut start = dot.span;
        let mut at = token.span.start;
        for digits in text.split('.') {
            let part = Span {
                start: at,
                end: at + digits.len() as u32,
                ..token.span
            };
            let Some(index) =
                Number::parse(digits).filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
            else {
                return self.fail(part, "Invalid legacy index syntax", "When using the legacy index syntax, chaining two indexes together is not permitted. Use the proper index syntax instead, like [0].");
            };
            let span = start.to(part);
            source = step(
                source,
                Step {
                    key: StepKey::Number(index),
                    span,
                },
            );
            at = part.end + 1;
            start = part.at_end();
        }
        Ok(source)
    }

    /// `.*` and the attributes after it; an index after them is of the whole result.
    fn attribute_splat(&mut self, source: Expr, marker: Span) -> Parsed<Expr> {
        let mut each = Expr::new(marker, ExprKind::SplatItem);
        while self.peek().kind == Kind::Dot {
            let dot = self.next();
            let token = self.next();
            each = match token.kind {
                Kind::Ident => {
                    let key = StepKey::Name(self.source(token.span).into());
                    let span = dot.span.to(token.span);
                    step(each, Step { key, span })
                }
                Kind::Number => self.legacy_index(each, dot, token)?,
                _ => {
                    self.at -= 1;
                    return self.fail(
                        token.span,
                        "Invalid attribute name",
                        "An attribute name is required after a dot; two splats cannot follow each other this way.",
                    );
                }
            };
        }
        Ok(splat(source, each, marker))
    }

    fn bracket(&mut self, source: Expr) -> Parsed<Expr> {
        let open = self.next();
        self.newlines.push(false);
        let result = self.bracket_inner(source, open);
        self.newlines.pop();
        result
    }

    fn bracket_inner(&mut self, source: Expr, open: Token) -> Parsed<Expr> {
        if self.take(Kind::Star).is_some() {
            let close = self.close(Kind::CloseBracket, open, "index brackets")?;
            self.newlines.pop();
            let marker = open.span.to(close.span);
            let item = Expr::new(marker, ExprKind::SplatItem);
            let each = self.deeper(|parser| parser.splat_rest(item));
            self.newlines.push(false);
            return Ok(splat(source, each?, marker));
        }
        let key = self.expression()?;
        let close = self.close(Kind::CloseBracket, open, "index brackets")?;
        let span = open.span.to(close.span);
        let key = match key.kind {
            ExprKind::Number(number) => {
                let key = StepKey::Number(number);
                return Ok(step(source, Step { key, span }));
            }
            ExprKind::Text(text, _) => {
                let key = StepKey::Text(text);
                return Ok(step(source, Step { key, span }));
            }
            _ => key,
        };
        Ok(Expr::new(
            source.span.to(span),
            ExprKind::Index {
                source: source.into(),
                key: key.into(),
                bracket: span,
            },
        ))
    }

    /// Lookups after `[*]`: all of them are of each item, up to the next splat, which is of the result.
    fn splat_rest(&mut self, item: Expr) -> Parsed<Expr> {
        self.traversals(item)
    }
}

/// `source` with one more lookup.
fn step(source: Expr, step: Step) -> Expr {
    let span = source.span.to(step.span);
    let kind = match source.kind {
        ExprKind::Traversal { root, mut steps } => {
            steps.push(step);
            ExprKind::Traversal { root, steps }
        }
        ExprKind::Relative { source, mut steps } => {
            steps.push(step);
            ExprKind::Relative { source, steps }
        }
        kind => ExprKind::Relative {
            source: Box::new(Expr::new(source.span, kind)),
            steps: vec![step],
        },
    };
    Expr::new(span, kind)
}

fn splat(source: Expr, each: Expr, marker: Span) -> Expr {
    Expr::new(
        source.span.to(each.span),
        ExprKind::Splat {
            source: source.into(),
            each: each.into(),
            marker,
        },
    )
}
