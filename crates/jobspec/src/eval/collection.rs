//! `for` and splats.

use super::expression::SPLAT_ITEM;
use super::{Scope, Session};
use crate::source::Span;
use crate::syntax::ast::{Expr, For};
use crate::value::{Members, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Session<'_> {
    /// Keys and values of a collection to iterate over, or none after telling why.
    pub(super) fn iterate(&mut self, scope: &Scope, expr: &Expr) -> Option<Vec<(Value, Value)>> {
        let value = self.eval(scope, expr);
        match value.pairs() {
            Some(pairs) => return Some(pairs),
            None if value.is_unknown() => {}
            None if value.is_null() => {
                let detail = "A null value cannot be used as the collection in a 'for' expression.";
                self.fail(expr.span, "Iteration over null value", detail);
            }
            None => {
                let detail = format!(
                    "A value of type {} cannot be iterated over.",
                    value.type_name()
                );
                self.fail(expr.span, "Iteration over non-iterable value", detail);
            }
        }
        None
    }

    pub(super) fn for_expression(&mut self, scope: &Scope, it: &For, span: Span) -> Value {
        let Some(pairs) = self.iterate(scope, &it.collection) else {
            return Value::Unknown;
        };
        let mut items = Vec::new();
        let mut fields: BTreeMap<Rc<str>, Vec<Value>> = BTreeMap::new();
        for (key, value) in pairs {
            if !self.spend(1, span) {
                return Value::Unknown;
            }
            let mut names = vec![(it.value_name.text.clone(), value)];
            names.extend(it.key_name.as_ref().map(|name| (name.text.clone(), key)));
            let scope = scope.with(names);
            if let Some(condition) = &it.condition {
                match self.condition(&scope, condition, "condition") {
                    Some(true) => {}
                    Some(false) => continue,
                    None => return Value::Unknown,
                }
            }
            let Some(key) = &it.key else {
                let value = self.eval(&scope, &it.value);
                let failed = value.is_unknown();
                items.push(value);
                if failed {
                    return Value::Unknown;
                }
                continue;
            };
            let Some(name) = self.object_key(&scope, key) else {
                return Value::Unknown;
            };
            let value = self.eval(&scope, &it.value);
            if value.is_unknown() {
                return Value::Unknown;
            }
            let values = fields.entry(name.clone()).or_default();
            values.push(value);
            if values.len() > 1 && !it.group {
                let detail = format!(
                    "Two different items produced the key {name:?} in this 'for' expression. If duplicates are \
                     expected, use the ellipsis (...) after the value expression to enable grouping by key."
                );
                return self.fail(key.span, "Duplicate object key", detail);
            }
        }
        let value = match (&it.key, it.group) {
            (None, _) => Value::tuple(items),
            (Some(_), true) => {
                let fields = fields.into_iter().map(|(k, v)| (k, Value::tuple(v)));
                Value::object(fields.collect())
            }
            (Some(_), false) => {
                let fields = fields
                    .into_iter()
                    .filter_map(|(k, mut v)| Some((k, v.pop()?)));
                Value::object(fields.collect::<Members>())
            }
        };
        self.bounded(value, span)
    }

    pub(super) fn splat(
        &mut self,
        scope: &Scope,
        source: &Expr,
        each: &Expr,
        marker: Span,
    ) -> Value {
        let value = self.eval(scope, source);
        let items = match &value {
            Value::Unknown => return Value::Unknown,
            Value::Null => Vec::new(),
            value => match value.items() {
                Some(items) => items.to_vec(),
                None => vec![value.clone()],
            },
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            if !self.spend(1, marker) {
                return Value::Unknown;
            }
            let scope = scope.with(vec![(SPLAT_ITEM.into(), item)]);
            let value = self.eval(&scope, each);
            if value.is_unknown() {
                return Value::Unknown;
            }
            out.push(value);
        }
        self.bounded(Value::tuple(out), marker)
    }
}
