//! Tokens into expressions.

use super::ast::{Expr, ExprKind, For, Operator, Step, StepKey};
use super::lexer::{Kind, Token};
use super::parser::{Parsed, Parser};
use crate::number::Number;
use crate::source::Span;

/// Deeper trees than anybody writes. Chains of operators become trees as deep as they are long.
const MOST_HEIGHT: u16 = 250;

impl Parser<'_> {
    /// An expression of any kind.
    pub(crate) fn expression(&mut self) -> Parsed<Expr> {
        let expr = self.deeper(Self::conditional)?;
        self.limit_height(&expr)?;
        Ok(expr)
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let condition = self.binary(1)?;
        if self.take(Kind::Question).is_none() {
            return Ok(condition);
        }
        let yes = self.expression()?;
        let token = self.peek();
        if token.kind != Kind::Colon {
            return self.fail(
                token.span,
                "Missing false expression in conditional",
                "The conditional operator (...?...:...) requires a false expression, delimited by a colon.",
            );
        }
        self.at += 1;
        let no = self.expression()?;
        Ok(Expr::new(
            condition.span.to(no.span),
            ExprKind::Conditional {
                condition: condition.into(),
                yes: yes.into(),
                no: no.into(),
            },
        ))
    }

    fn binary(&mut self, level: u8) -> Parsed<Expr> {
        let mut left = self.unary()?;
        while let Some(operator) = operator(self.peek().kind).filter(|op| op.level() >= level) {
            self.at += 1;
            let right = self.deeper(|parser| parser.binary(operator.level() + 1))?;
            left = Expr::new(
                left.span.to(right.span),
                ExprKind::Binary {
                    operator,
                    left: left.into(),
                    right: right.into(),
                },
            );
            self.limit_height(&left)?;
        }
        Ok(left)
    }

    fn limit_height(&mut self, expr: &Expr) -> Parsed<()> {
        if expr.height <= MOST_HEIGHT {
            return Ok(());
        }
        let detail =
            format!("An expression may not be nested or chained more than {MOST_HEIGHT} deep.");
        self.at = self.tokens.len();
        self.fail(expr.start(), "Expression too long", detail)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        let kind: fn(Box<Expr>) -> ExprKind = match token.kind {
            Kind::Minus => ExprKind::Negative,
            Kind::Not => ExprKind::Not,
            _ => return self.with_traversals(),
        };
        self.at += 1;
        let operand = self.deeper(Self::unary)?;
        Ok(Expr::new(
            token.span.to(operand.span),
            kind(Box::new(operand)),
        ))
    }

    fn with_traversals(&mut self) -> Parsed<Expr> {
        let term = self.term()?;
        self.traversals(term)
    }

    /// What is looked up from a value: `.name`, `[key]`, `.*`, `[*]`.
    fn traversals(&mut self, mut source: Expr) -> Parsed<Expr> {
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
            ExprKind::Text(text) => {
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

    pub(crate) fn close(&mut self, kind: Kind, open: Token, what: &str) -> Parsed<Token> {
        let token = self.peek();
        if token.kind == kind {
            self.at += 1;
            return Ok(token);
        }
        match token.kind {
            Kind::End => {
                let detail = format!(
                    "There is no closing bracket for these {what} before the end of the file. This may be caused by \
                     incorrect bracket nesting elsewhere in this file."
                );
                self.fail(open.span, &format!("Missing close of {what}"), detail)
            }
            Kind::BrokenQuote | Kind::Invalid | Kind::TooMany => self.invalid(token),
            _ => {
                let detail = format!("The closing bracket of the {what} is expected here.");
                self.fail(token.span, &format!("Missing close of {what}"), detail)
            }
        }
    }

    fn term(&mut self) -> Parsed<Expr> {
        let token = self.next();
        match token.kind {
            Kind::OpenParen => {
                self.newlines.push(false);
                let inner = self.expression();
                let close = inner.and_then(|inner| {
                    Ok((inner, self.close(Kind::CloseParen, token, "parentheses")?))
                });
                self.newlines.pop();
                let (inner, close) = close?;
                Ok(Expr::new(
                    token.span.to(close.span),
                    ExprKind::Paren(inner.into()),
                ))
            }
            Kind::Number => match Number::parse(self.source(token.span)) {
                Some(number) => Ok(Expr::new(token.span, ExprKind::Number(number))),
                None => self.fail(
                    token.span,
                    "Invalid number literal",
                    "This is no number, or one that is far too large or too small.",
                ),
            },
            Kind::Ident => self.ident(token),
            Kind::OpenQuote | Kind::OpenHeredoc => self.template(token),
            Kind::OpenBracket => self.tuple(token),
            Kind::OpenBrace => self.object(token),
            Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => {
                self.at -= 1;
                self.invalid(token)
            }
            _ => {
                self.at -= 1;
                self.fail(
                    token.span,
                    "Invalid expression",
                    "Expected the start of an expression, but found an invalid expression token.",
                )
            }
        }
    }

    fn ident(&mut self, token: Token) -> Parsed<Expr> {
        let name = self.name(token);
        if self.peek().kind == Kind::OpenParen {
            return self.call(name);
        }
        let kind = match &*name.text {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "null" => ExprKind::Null,
            _ => ExprKind::Traversal {
                root: name,
                steps: Vec::new(),
            },
        };
        Ok(Expr::new(token.span, kind))
    }

    fn call(&mut self, name: super::ast::Name) -> Parsed<Expr> {
        let open = self.next();
        self.newlines.push(false);
        let result = self.call_arguments(open);
        self.newlines.pop();
        let (args, expand, close) = result?;
        Ok(Expr::new(
            name.span.to(close.span),
            ExprKind::Call {
                name,
                args,
                expand,
                open: open.span,
                close: close.span,
            },
        ))
    }

    fn call_arguments(&mut self, open: Token) -> Parsed<(Vec<Expr>, bool, Token)> {
        let mut args = Vec::new();
        let mut expand = false;
        while self.peek().kind != Kind::CloseParen {
            args.push(self.expression()?);
            let token = self.peek();
            match token.kind {
                Kind::CloseParen => break,
                Kind::Comma => self.at += 1,
                Kind::Ellipsis => {
                    self.at += 1;
                    expand = true;
                    self.take(Kind::Comma);
                    break;
                }
                Kind::End => {
                    return self
                        .close(Kind::CloseParen, open, "function call")
                        .map(|t| (args, expand, t));
                }
                Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => return self.invalid(token),
                _ => {
                    return self.fail(
                        token.span,
                        "Missing argument separator",
                        "A comma is required to separate each function argument from the next.",
                    );
                }
            }
        }
        let close = self.close(Kind::CloseParen, open, "function call")?;
        Ok((args, expand, close))
    }

    /// Whether `for` starts here, and is no key or variable of that name.
    fn at_for(&mut self) -> bool {
        let token = self.peek();
        if token.kind != Kind::Ident || self.source(token.span) != "for" {
            return false;
        }
        self.tokens
            .get(self.at + 1)
            .is_some_and(|next| next.kind == Kind::Ident)
    }

    fn tuple(&mut self, open: Token) -> Parsed<Expr> {
        self.newlines.push(false);
        let result = self.tuple_inner(open);
        self.newlines.pop();
        result
    }

    fn tuple_inner(&mut self, open: Token) -> Parsed<Expr> {
        if self.at_for() {
            return self.for_expression(open, Kind::CloseBracket);
        }
        let mut items = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                Kind::CloseBracket => {
                    self.at += 1;
                    let open = open.span;
                    return Ok(Expr::new(
                        open.to(token.span),
                        ExprKind::Tuple { items, open },
                    ));
                }
                Kind::End => {
                    return self.fail(
                        open.span,
                        "Unterminated tuple constructor expression",
                        "There is no corresponding closing bracket before the end of the file. This may be caused by \
                         incorrect bracket nesting elsewhere in this file.",
                    );
                }
                _ => items.push(self.expression()?),
            }
            let token = self.peek();
            match token.kind {
                Kind::Comma => self.at += 1,
                Kind::CloseBracket | Kind::End => {}
                Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => return self.invalid(token),
                _ => {
                    return self.fail(
                        token.span,
                        "Missing item separator",
                        "Expected a comma to mark the beginning of the next item.",
                    );
                }
            }
        }
    }

    fn object(&mut self, open: Token) -> Parsed<Expr> {
        self.newlines.push(false);
        let is_for = self.at_for();
        self.newlines.pop();
        self.newlines.push(!is_for);
        let result = match is_for {
            true => self.for_expression(open, Kind::CloseBrace),
            false => self.object_inner(open),
        };
        self.newlines.pop();
        result
    }

    fn object_inner(&mut self, open: Token) -> Parsed<Expr> {
        let mut items = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                Kind::Newline => {
                    self.at += 1;
                    continue;
                }
                Kind::CloseBrace => {
                    self.at += 1;
                    let open = open.span;
                    return Ok(Expr::new(
                        open.to(token.span),
                        ExprKind::Object { items, open },
                    ));
                }
                Kind::End => {
                    return self.fail(
                        open.span,
                        "Unterminated object constructor expression",
                        "There is no corresponding closing brace before the end of the file. This may be caused by \
                         incorrect brace nesting elsewhere in this file.",
                    );
                }
                _ => {}
            }
            let key = self.object_key()?;
            let token = self.peek();
            match token.kind {
                Kind::Equal | Kind::Colon => self.at += 1,
                Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => return self.invalid(token),
                _ => {
                    return self.fail(
                        token.span,
                        "Missing attribute value",
                        "Expected an attribute value, introduced by an equals sign (\"=\").",
                    );
                }
            }
            let value = self.expression()?;
            items.push((key, value));
            let token = self.peek();
            match token.kind {
                Kind::Comma | Kind::Newline => self.at += 1,
                Kind::CloseBrace | Kind::End => {}
                Kind::Invalid | Kind::BrokenQuote | Kind::TooMany => return self.invalid(token),
                _ => {
                    return self.fail(
                        token.span,
                        "Missing attribute separator",
                        "Expected a newline or comma to mark the beginning of the next attribute.",
                    );
                }
            }
        }
    }

    /// A bare word is its own text; anything else is an expression.
    fn object_key(&mut self) -> Parsed<Expr> {
        let key = self.expression()?;
        let name = match &key.kind {
            ExprKind::Traversal { root, steps } if steps.is_empty() => root.text.clone(),
            ExprKind::Bool(true) => "true".into(),
            ExprKind::Bool(false) => "false".into(),
            ExprKind::Null => "null".into(),
            ExprKind::Traversal { .. } => {
                return self.fail(
                    key.span,
                    "Ambiguous attribute key",
                    "If this expression is intended to be a reference, wrap it in parentheses. If it's instead \
                     intended as a literal name containing periods, wrap it in quotes to create a string literal.",
                );
            }
            _ => return Ok(key),
        };
        Ok(Expr::new(key.span, ExprKind::Text(name)))
    }

    /// Names and collection of a `for`, after the word itself: `k, v in collection`.
    pub(crate) fn for_header(
        &mut self,
    ) -> Parsed<(Option<super::ast::Name>, super::ast::Name, Expr)> {
        let first = self.for_name()?;
        let (key_name, value_name) = match self.take(Kind::Comma) {
            Some(_) => (Some(first), self.for_name()?),
            None => (None, first),
        };
        let token = self.next();
        if token.kind != Kind::Ident || self.source(token.span) != "in" {
            self.at -= 1;
            return self.fail(
                token.span,
                "Invalid 'for' expression",
                "For expression requires the 'in' keyword after its name declarations.",
            );
        }
        let collection = self.expression()?;
        Ok((key_name, value_name, collection))
    }

    fn for_name(&mut self) -> Parsed<super::ast::Name> {
        let token = self.next();
        if token.kind != Kind::Ident {
            self.at -= 1;
            return self.fail(
                token.span,
                "Invalid 'for' expression",
                "For expression requires variable name after 'for'.",
            );
        }
        Ok(self.name(token))
    }

    fn for_expression(&mut self, open: Token, close: Kind) -> Parsed<Expr> {
        self.at += 1;
        let (key_name, value_name, collection) = self.for_header()?;
        let token = self.next();
        if token.kind != Kind::Colon {
            self.at -= 1;
            return self.fail(
                token.span,
                "Invalid 'for' expression",
                "For expression requires a colon after the collection expression.",
            );
        }
        let mut value = self.expression()?;
        let mut key = None;
        let mut group = false;
        if close == Kind::CloseBrace {
            let token = self.next();
            if token.kind != Kind::Arrow {
                self.at -= 1;
                return self.fail(
                    token.span,
                    "Invalid 'for' expression",
                    "Key expression is required when building an object: write key => value.",
                );
            }
            key = Some(std::mem::replace(&mut value, self.expression()?));
            group = self.take(Kind::Ellipsis).is_some();
        }
        let token = self.peek();
        let condition = match token.kind == Kind::Ident && self.source(token.span) == "if" {
            true => {
                self.at += 1;
                Some(self.expression()?)
            }
            false => None,
        };
        let last = self.close(close, open, "'for' expression")?;
        let open = open.span;
        Ok(Expr::new(
            open.to(last.span),
            ExprKind::For(Box::new(For {
                key_name,
                value_name,
                collection,
                key,
                value,
                condition,
                group,
                open,
            })),
        ))
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

fn operator(kind: Kind) -> Option<Operator> {
    Some(match kind {
        Kind::Or => Operator::Or,
        Kind::And => Operator::And,
        Kind::EqualEqual => Operator::Equal,
        Kind::NotEqual => Operator::NotEqual,
        Kind::Less => Operator::Less,
        Kind::LessEqual => Operator::LessEqual,
        Kind::Greater => Operator::Greater,
        Kind::GreaterEqual => Operator::GreaterEqual,
        Kind::Plus => Operator::Add,
        Kind::Minus => Operator::Subtract,
        Kind::Star => Operator::Multiply,
        Kind::Slash => Operator::Divide,
        Kind::Percent => Operator::Remainder,
        _ => return None,
    })
}
