//! Attributes as the types that jobs have.

use super::content::{AttributeRef, Content};
use crate::duration::parse_duration;
use crate::eval::{Scope, Session};
use crate::source::Span;
use crate::syntax::ast::Expr;
use crate::types::{Type, convert};
use crate::value::Value;
use caravan_model::{Duration, StringMap};

const UNSUITABLE: &str = "Unsuitable value type";
const NULL: &str = "null value is not allowed";

/// The value of an expression, or none after telling why there is none.
pub(super) fn known(cx: &mut Session<'_>, scope: &Scope, expr: &Expr) -> Option<Value> {
    let value = cx.eval(scope, expr);
    // From here on values are copied, where until now they were shared.
    let copied = value.weight().saturating_sub(1).saturating_mul(4);
    if !cx.spend(copied, expr.span) {
        return None;
    }
    if !value.has_unknown() {
        return Some(value);
    }
    let detail = "Unsuitable value: value must be known";
    cx.diags.consequence(expr.start(), UNSUITABLE, detail);
    None
}

pub(super) fn unsuitable(cx: &mut Session<'_>, span: Span, why: &str) {
    let detail = format!("Unsuitable value: {why}");
    cx.diags.error(span, UNSUITABLE, detail);
}

/// The value as this type; null is none.
fn as_type(cx: &mut Session<'_>, scope: &Scope, expr: &Expr, to: &Type) -> Option<Value> {
    let value = known(cx, scope, expr)?;
    match convert(&value, to) {
        Ok(value) => Some(value),
        Err(why) => {
            unsuitable(cx, expr.start(), &why);
            None
        }
    }
}

impl Content<'_> {
    fn optional(&self, cx: &mut Session<'_>, name: &str, to: &Type) -> Option<Value> {
        let expr = self.attribute(name)?.expr;
        as_type(cx, &self.scope, expr, to).filter(|value| !value.is_null())
    }

    /// Like `optional`, but null is refused.
    fn required(&self, cx: &mut Session<'_>, name: &str, to: &Type) -> Option<Value> {
        let expr = self.attribute(name)?.expr;
        let value = as_type(cx, &self.scope, expr, to)?;
        if value.is_null() {
            unsuitable(cx, expr.start(), NULL);
            return None;
        }
        Some(value)
    }

    /// Text; null counts as not given.
    pub(super) fn text(&self, cx: &mut Session<'_>, name: &str) -> Option<String> {
        self.optional(cx, name, &Type::Text).map(plain_text)
    }

    /// Text; null is refused, and not given is empty.
    pub(super) fn plain_text(&self, cx: &mut Session<'_>, name: &str) -> String {
        let value = self.required(cx, name, &Type::Text);
        value.map(plain_text).unwrap_or_default()
    }

    /// A bool; null counts as not given.
    pub(super) fn bool(&self, cx: &mut Session<'_>, name: &str) -> Option<bool> {
        self.optional(cx, name, &Type::Bool).map(plain_bool)
    }

    /// A bool; null is refused, and not given is false.
    pub(super) fn plain_bool(&self, cx: &mut Session<'_>, name: &str) -> bool {
        self.required(cx, name, &Type::Bool).is_some_and(plain_bool)
    }

    /// A whole number; null counts as not given.
    pub(super) fn int(&self, cx: &mut Session<'_>, name: &str) -> Option<i64> {
        let value = self.optional(cx, name, &Type::Number)?;
        self.whole(cx, name, &value)
    }

    /// A whole number; null is refused, and not given is zero.
    pub(super) fn plain_int(&self, cx: &mut Session<'_>, name: &str) -> i64 {
        let value = self.required(cx, name, &Type::Number);
        let whole = value.and_then(|value| self.whole(cx, name, &value));
        whole.unwrap_or_default()
    }

    /// A whole number that is not negative.
    pub(super) fn count(&self, cx: &mut Session<'_>, name: &str) -> Option<u64> {
        let value = self.optional(cx, name, &Type::Number)?;
        let whole = match &value {
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        if whole.is_none() {
            let why = "value must be a whole number, between 0 and 18446744073709551615 inclusive";
            self.refuse(cx, name, why);
        }
        whole
    }

    fn whole(&self, cx: &mut Session<'_>, name: &str, value: &Value) -> Option<i64> {
        let whole = match value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        if whole.is_none() {
            let why = "value must be a whole number, between -9223372036854775808 and 9223372036854775807";
            self.refuse(cx, name, why);
        }
        whole
    }

    /// Tells that the value of an attribute is wrong.
    pub(super) fn refuse(&self, cx: &mut Session<'_>, name: &str, why: &str) {
        if let Some(attribute) = self.attribute(name) {
            unsuitable(cx, attribute.expr.start(), why);
        }
    }

    /// A duration, or nanoseconds.
    pub(super) fn duration(&self, cx: &mut Session<'_>, name: &str) -> Option<Duration> {
        let attribute = self.attribute(name)?;
        let value = known(cx, &self.scope, attribute.expr)?;
        let why = match &value {
            Value::Number(_) => return self.whole(cx, name, &value).map(Duration),
            Value::Text(text) => match parse_duration(text) {
                Ok(nanos) => return Some(Duration(nanos)),
                Err(why) => why,
            },
            Value::Null => "nil".to_owned(),
            other => format!(
                "expected a string such as \"90s\" but found {}",
                other.type_name()
            ),
        };
        let detail = format!("Unsuitable duration value: {why}");
        cx.diags.error(attribute.expr.start(), UNSUITABLE, detail);
        None
    }

    /// A list of texts.
    pub(super) fn texts(&self, cx: &mut Session<'_>, name: &str) -> Option<Vec<String>> {
        let attribute = self.attribute(name)?;
        texts(cx, &self.scope, attribute.expr)
    }

    /// A list of whole numbers that are not negative.
    pub(super) fn counts(&self, cx: &mut Session<'_>, name: &str) -> Option<Vec<u64>> {
        let value = self.required(cx, name, &Type::List(Type::Number.into()))?;
        let mut out = Vec::new();
        for item in value.items().unwrap_or_default() {
            match item {
                Value::Number(number) if !number.is_negative() && number.is_whole() => {
                    out.push(number.to_string().parse().unwrap_or(u64::MAX));
                }
                _ => self.refuse(
                    cx,
                    name,
                    "every element must be a whole number that is not negative",
                ),
            }
        }
        Some(out)
    }

    /// Texts by name: an attribute of that name, or a block.
    pub(super) fn text_map(&self, cx: &mut Session<'_>, name: &str) -> Option<StringMap> {
        let attribute = self.attribute(name);
        let block = self.block(name);
        if let (Some(attribute), Some(block)) = (attribute, block) {
            let detail = format!(
                "{name} may not be defined more than once. Another definition is defined at {}.",
                cx.diags.at(attribute.span)
            );
            let summary = format!("Duplicate {name} block");
            cx.diags.error(block.kind.span, summary, detail);
        }
        if let Some(block) = block {
            let scope = block.scope.as_ref().unwrap_or(&self.scope).clone();
            let mut out = StringMap::new();
            for attribute in super::free_form::attributes(cx, block.body) {
                if let Some(text) = member(cx, &scope, &attribute) {
                    out.insert(attribute.name.text.to_string(), text);
                }
            }
            return Some(out);
        }
        let expr = attribute?.expr;
        let value = as_type(cx, &self.scope, expr, &Type::Map(Type::Text.into()))?;
        let Some(fields) = value.fields() else {
            unsuitable(cx, expr.start(), NULL);
            return None;
        };
        let mut out = StringMap::new();
        for (key, value) in fields {
            match value {
                Value::Text(text) => {
                    out.insert(key.to_string(), text.to_string());
                }
                _ => unsuitable(cx, expr.start(), &format!("element {key:?}: {NULL}")),
            }
        }
        Some(out)
    }
}

fn member(cx: &mut Session<'_>, scope: &Scope, attribute: &AttributeRef<'_>) -> Option<String> {
    let value = as_type(cx, scope, attribute.expr, &Type::Text)?;
    if value.is_null() {
        unsuitable(cx, attribute.expr.start(), NULL);
        return None;
    }
    Some(plain_text(value))
}

/// A list of texts.
pub(super) fn texts(cx: &mut Session<'_>, scope: &Scope, expr: &Expr) -> Option<Vec<String>> {
    let value = as_type(cx, scope, expr, &Type::List(Type::Text.into()))?;
    let Some(items) = value.items() else {
        unsuitable(cx, expr.start(), NULL);
        return None;
    };
    let mut out = Vec::new();
    for item in items {
        match item {
            Value::Text(text) => out.push(text.to_string()),
            _ => unsuitable(cx, expr.start(), NULL),
        }
    }
    Some(out)
}

fn plain_text(value: Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        _ => String::new(),
    }
}

fn plain_bool(value: Value) -> bool {
    matches!(value, Value::Bool(true))
}
