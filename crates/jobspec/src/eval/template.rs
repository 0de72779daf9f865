//! Templates: texts with values in them.

use super::{Scope, Session};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Part};
use crate::types::{Type, convert};
use crate::value::{MOST_WEIGHT, Value};

impl Session<'_> {
    pub(super) fn template(&mut self, scope: &Scope, parts: &[Part], span: Span) -> Value {
        let mut out = String::new();
        match self.render(scope, parts, &mut out, span) {
            true => self.bounded(Value::from(out), span),
            false => Value::Unknown,
        }
    }

    /// The value of an interpolation. A name for the runtime keeps the whole sequence, blanks included.
    pub(super) fn interpolated(&mut self, scope: &Scope, expr: &Expr, sequence: Span) -> Value {
        match &expr.kind {
            ExprKind::Traversal { root, steps } => {
                let trimmed = self.diags.sources.text(sequence);
                let keep = match trimmed.starts_with("${~") || trimmed.ends_with("~}") {
                    true => expr.span,
                    false => sequence,
                };
                self.traversal(scope, root, steps, expr.span, keep)
            }
            _ => self.eval(scope, expr),
        }
    }

    /// Appends the parts; whether all of them could be.
    fn render(&mut self, scope: &Scope, parts: &[Part], out: &mut String, span: Span) -> bool {
        let mut known = true;
        for part in parts {
            known &= match part {
                Part::Text(text, _) => {
                    out.push_str(text);
                    true
                }
                Part::Value(expr, sequence) => {
                    let value = self.interpolated(scope, expr, *sequence);
                    self.append(&value, expr, out)
                }
                Part::If {
                    condition, yes, no, ..
                } => match self.condition(scope, condition, "condition") {
                    Some(true) => self.render(scope, yes, out, span),
                    Some(false) => self.render(scope, no, out, span),
                    None => false,
                },
                Part::For {
                    key_name,
                    value_name,
                    collection,
                    body,
                    ..
                } => match self.iterate(scope, collection) {
                    Some(pairs) => pairs.into_iter().all(|(key, value)| {
                        let mut names = vec![(value_name.text.clone(), value)];
                        names.extend(key_name.as_ref().map(|name| (name.text.clone(), key)));
                        self.spend(1, span) && self.render(&scope.with(names), body, out, span)
                    }),
                    None => false,
                },
            };
            if out.len() > MOST_WEIGHT * 64 {
                self.fail(
                    span,
                    "Value too large",
                    "This text is longer than a job file may use.",
                );
                return false;
            }
        }
        known
    }

    fn append(&mut self, value: &Value, expr: &Expr, out: &mut String) -> bool {
        match convert(value, &Type::Text) {
            Ok(Value::Text(text)) => {
                out.push_str(&text);
                return true;
            }
            Ok(Value::Unknown) => {}
            Ok(_) => {
                let detail = "The expression result is null. Cannot include a null value in a string template.";
                self.fail(expr.span, "Invalid template interpolation value", detail);
            }
            Err(why) => {
                let detail = format!("Cannot include the given value in a string template: {why}.");
                self.fail(expr.span, "Invalid template interpolation value", detail);
            }
        }
        false
    }
}
