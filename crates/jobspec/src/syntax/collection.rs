//! Lists, objects and `for`.

use super::ast::{Expr, ExprKind, For, Name};
use super::lexer::{Kind, Token};
use super::parser::{Parsed, Parser};

impl Parser<'_> {
    /// Whether `for` starts here, and is no key or variable of that name.
    pub(super) fn at_for(&mut self) -> bool {
        let token = self.peek();
        if token.kind != Kind::Ident || self.source(token.span) != "for" {
            return false;
        }
        self.tokens
            .get(self.at + 1)
            .is_some_and(|next| next.kind == Kind::Ident)
    }

    pub(super) fn tuple(&mut self, open: Token) -> Parsed<Expr> {
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

    pub(super) fn object(&mut self, open: Token) -> Parsed<Expr> {
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
        Ok(Expr::new(key.span, ExprKind::Text(name, key.span)))
    }

    /// Names and collection of a `for`, after the word itself: `k, v in collection`.
    pub(crate) fn for_header(&mut self) -> Parsed<(Option<Name>, Name, Expr)> {
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

    fn for_name(&mut self) -> Parsed<Name> {
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
