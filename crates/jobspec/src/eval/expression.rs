//! Evaluates an expression of any kind.

use super::{Scope, Session};
use crate::number::Number;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};
use crate::types::{Type, convert, type_of, unify};
use crate::value::{Members, Value};

/// The name under which a splat's item is known; no source can write it.
pub(super) const SPLAT_ITEM: &str = "*";

impl Session<'_> {
    /// The value of an expression.
    pub(crate) fn eval(&mut self, scope: &Scope, expr: &Expr) -> Value {
        if !self.spend(1, expr.span) {
            return Value::Unknown;
        }
        match &expr.kind {
            ExprKind::Null => Value::Null,
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Number(number) => Value::Number(number.clone()),
            ExprKind::Text(text, _) => Value::Text(text.clone()),
            ExprKind::Template(parts) => self.template(scope, parts, expr.span),
            ExprKind::Wrapped { expr, sequence } => self.interpolated(scope, expr, *sequence),
            ExprKind::Traversal { root, steps } => {
                self.traversal(scope, root, steps, expr.span, expr.span)
            }
            ExprKind::Relative { source, steps } => {
                let value = self.eval(scope, source);
                self.steps(value, steps)
            }
            ExprKind::Index {
                source,
                key,
                bracket,
            } => {
                let value = self.eval(scope, source);
                let key_value = self.eval(scope, key);
                self.index(&value, &key_value, *bracket)
            }
            ExprKind::Splat {
                source,
                each,
                marker,
            } => self.splat(scope, source, each, *marker),
            ExprKind::SplatItem => scope.get(SPLAT_ITEM).cloned().unwrap_or(Value::Unknown),
            ExprKind::Call { .. } => self.call(scope, expr),
            ExprKind::Conditional { condition, yes, no } => {
                self.conditional(scope, condition, yes, no)
            }
            ExprKind::Binary {
                operator,
                left,
                right,
            } => self.binary(scope, *operator, left, right),
            ExprKind::Negative(operand) => self.negative(scope, operand),
            ExprKind::Not(operand) => match self.condition(scope, operand, "operand") {
                Some(value) => Value::Bool(!value),
                None => Value::Unknown,
            },
            ExprKind::Tuple { items, .. } => {
                let items = items.iter().map(|item| self.eval(scope, item)).collect();
                self.bounded(Value::tuple(items), expr.span)
            }
            ExprKind::Object { items, .. } => self.object(scope, items, expr.span),
            ExprKind::For(it) => self.for_expression(scope, it, expr.span),
            ExprKind::Paren(inner) => self.eval(scope, inner),
        }
    }

    fn object(&mut self, scope: &Scope, items: &[(Expr, Expr)], span: Span) -> Value {
        let mut fields = Members::new();
        let mut known = true;
        for (key, value) in items {
            let value = self.eval(scope, value);
            match self.object_key(scope, key) {
                Some(key) => {
                    fields.insert(key, value);
                }
                None => known = false,
            }
        }
        match known {
            true => self.bounded(Value::object(fields), span),
            false => Value::Unknown,
        }
    }

    /// The text of a key; none when that failed.
    pub(super) fn object_key(&mut self, scope: &Scope, key: &Expr) -> Option<std::rc::Rc<str>> {
        match convert(&self.eval(scope, key), &Type::Text) {
            Ok(Value::Text(text)) => return Some(text),
            Ok(Value::Unknown) => {}
            Ok(_) => {
                let detail = "Can't use a null value as a key.";
                self.fail(key.span, "Null value as key", detail);
            }
            Err(why) => {
                let detail = format!("Can't use this value as a key: {why}.");
                self.fail(key.span, "Incorrect key type", detail);
            }
        }
        None
    }

    fn conditional(&mut self, scope: &Scope, condition: &Expr, yes: &Expr, no: &Expr) -> Value {
        let Some(chosen) = self.condition(scope, condition, "condition") else {
            return Value::Unknown;
        };
        // Both are evaluated, because their types decide about the result's; but only the chosen one may fail.
        let (taken, other) = match chosen {
            true => (yes, no),
            false => (no, yes),
        };
        let value = self.eval(scope, taken);
        let before = self.diags.list.len();
        let other_value = self.eval_quietly(scope, other);
        self.diags.list.truncate(before);
        let Some(common) = unify(&type_of(&value), &type_of(&other_value)) else {
            let (yes_name, no_name) = match chosen {
                true => (value.type_name(), other_value.type_name()),
                false => (other_value.type_name(), value.type_name()),
            };
            let detail = format!(
                "The true and false result expressions must have consistent types. The 'true' value is {yes_name}, \
                 but the 'false' value is {no_name}."
            );
            return self.fail(
                yes.span.to(no.span),
                "Inconsistent conditional result types",
                detail,
            );
        };
        match convert(&value, &common) {
            Ok(value) => value,
            Err(why) => self.fail(
                taken.span,
                "Inconsistent conditional result types",
                format!("The result cannot be used as {common}: {why}."),
            ),
        }
    }

    /// A bool, or none after telling why it is none.
    pub(super) fn condition(&mut self, scope: &Scope, expr: &Expr, what: &str) -> Option<bool> {
        let value = self.eval(scope, expr);
        match convert(&value, &Type::Bool) {
            Ok(Value::Bool(value)) => return Some(value),
            Ok(Value::Unknown) => {}
            Ok(_) => {
                let detail = format!("The {what} value is null. It must be true or false.");
                self.fail(expr.span, &format!("Null {what}"), detail);
            }
            Err(why) if what == "condition" => {
                let detail = format!("The condition expression must be of type bool: {why}.");
                self.fail(expr.span, "Incorrect condition type", detail);
            }
            Err(why) => {
                let detail = format!("Unsuitable value for {what}: {why}.");
                self.fail(expr.span, "Invalid operand", detail);
            }
        }
        None
    }

    fn negative(&mut self, scope: &Scope, operand: &Expr) -> Value {
        match self.number(scope, operand, "unary operand") {
            Some(number) => Value::Number(number.negative()),
            None => Value::Unknown,
        }
    }

    /// A number, or none after telling why it is none.
    pub(super) fn number(&mut self, scope: &Scope, expr: &Expr, what: &str) -> Option<Number> {
        let value = self.eval(scope, expr);
        match convert(&value, &Type::Number) {
            Ok(Value::Number(number)) => return Some(number),
            Ok(Value::Unknown) => {}
            Ok(_) => {
                let detail = format!("Unsuitable value for {what}: argument must not be null.");
                self.fail(expr.span, "Invalid operand", detail);
            }
            Err(why) => {
                let detail = format!("Unsuitable value for {what}: {why}.");
                self.fail(expr.span, "Invalid operand", detail);
            }
        }
        None
    }
}
