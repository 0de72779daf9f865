//! Tokens into expressions.

use super::ast::{Expr, ExprKind, Name, Operator};
use super::lexer::{Kind, Token};
use super::parser::{Parsed, Parser};
use crate::number::Number;

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

    pub(super) fn limit_height(&mut self, expr: &Expr) -> Parsed<()> {
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

    pub(super) fn term(&mut self) -> Parsed<Expr> {
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
            Kind::End => {
                self.at -= 1;
                self.fail(
                    token.span,
                    "Missing expression",
                    "Expected the start of an expression, but found the end of the file.",
                )
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

    fn call(&mut self, name: Name) -> Parsed<Expr> {
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
