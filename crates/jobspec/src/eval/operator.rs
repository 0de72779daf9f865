//! Operators between two operands.

use super::{Scope, Session};
use crate::syntax::ast::{Expr, Operator};
use crate::types::{type_of, unify};
use crate::value::Value;

impl Session<'_> {
    pub(super) fn binary(
        &mut self,
        scope: &Scope,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Value {
        match operator {
            Operator::And | Operator::Or => self.logic(scope, operator, left, right),
            Operator::Equal | Operator::NotEqual => {
                let a = self.eval(scope, left);
                let b = self.eval(scope, right);
                if a.has_unknown() || b.has_unknown() {
                    return Value::Unknown;
                }
                Value::Bool(equal(&a, &b) == (operator == Operator::Equal))
            }
            _ => self.arithmetic(scope, operator, left, right),
        }
    }

    fn logic(&mut self, scope: &Scope, operator: Operator, left: &Expr, right: &Expr) -> Value {
        let a = self.condition(scope, left, "left operand");
        let b = self.condition(scope, right, "right operand");
        match (a, b) {
            (Some(a), Some(b)) if operator == Operator::And => Value::Bool(a && b),
            (Some(a), Some(b)) => Value::Bool(a || b),
            _ => Value::Unknown,
        }
    }

    fn arithmetic(
        &mut self,
        scope: &Scope,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Value {
        let a = self.number(scope, left, "left operand");
        let b = self.number(scope, right, "right operand");
        let (Some(a), Some(b)) = (a, b) else {
            return Value::Unknown;
        };
        let result = match operator {
            Operator::Less => return Value::Bool(a < b),
            Operator::LessEqual => return Value::Bool(a <= b),
            Operator::Greater => return Value::Bool(a > b),
            Operator::GreaterEqual => return Value::Bool(a >= b),
            Operator::Add => Some(a.add(&b)),
            Operator::Subtract => Some(a.subtract(&b)),
            Operator::Multiply => a.multiply(&b),
            Operator::Divide => a.divide(&b),
            _ => a.remainder(&b),
        };
        match result {
            Some(number) => Value::Number(number),
            None if b.is_zero() => self.fail(
                left.span.to(right.span),
                "Division by zero",
                "Any number divided by zero is no number: the right operand must not be zero.",
            ),
            None => self.fail(
                left.span.to(right.span),
                "Number out of range",
                "The result is too large or too small to be kept.",
            ),
        }
    }
}

/// Equality after both were brought to their common type; values without one are different.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    if a.is_null() || b.is_null() {
        return a.is_null() && b.is_null();
    }
    match (a, b) {
        // Text and number are never equal, although one could be converted to the other.
        (Value::Text(_) | Value::Number(_) | Value::Bool(_), _)
        | (_, Value::Text(_) | Value::Number(_) | Value::Bool(_)) => a == b,
        _ => {
            let Some(common) = unify(&type_of(a), &type_of(b)) else {
                return false;
            };
            type_of(a) == common && type_of(b) == common && a == b || same_kind(a, b) && a == b
        }
    }
}

fn same_kind(a: &Value, b: &Value) -> bool {
    a.type_name() == b.type_name()
}
