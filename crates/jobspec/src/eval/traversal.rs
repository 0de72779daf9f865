//! Names, and what is looked up from values.

use super::{Names, Scope, Session};
use crate::source::Span;
use crate::suggest::did_you_mean;
use crate::syntax::ast::{Name, Step, StepKey};
use crate::value::Value;
use std::rc::Rc;

impl Session<'_> {
    /// What a name and its steps mean here. A name that nobody defined is left for the runtime: its value is its
    /// own text, or all of `keep` when that is a whole sequence.
    pub(super) fn traversal(
        &mut self,
        scope: &Scope,
        root: &Name,
        steps: &[Step],
        span: Span,
        keep: Span,
    ) -> Value {
        let allowed = scope.names_allowed();
        if let Names::OnlyVariable(only) = &allowed {
            let names_it = matches!(steps.first(), Some(Step { key: StepKey::Name(name), .. }) if name == only);
            if &*root.text == "var" && !names_it {
                let detail = format!(
                    "The condition for variable {only:?} can only refer to the variable itself, using var.{only}."
                );
                return self.fail(span, "Invalid reference in variable validation", detail);
            }
        }
        if let Some(value) = scope.get(&root.text).cloned() {
            return self.steps(value, steps);
        }
        match allowed {
            Names::Runtime => {
                let text = self.diags.sources.text(keep);
                match keep == span {
                    true => Value::from(format!("${{{text}}}")),
                    false => Value::from(text),
                }
            }
            Names::Forbidden => self.fail(
                root.span,
                "Variables not allowed",
                "Variables may not be used here.",
            ),
            Names::OnlyVariable(only) => {
                let detail = format!(
                    "The condition for variable {only:?} can only refer to the variable itself, using var.{only}."
                );
                self.fail(span, "Invalid reference in variable validation", detail)
            }
        }
    }

    pub(super) fn steps(&mut self, mut value: Value, steps: &[Step]) -> Value {
        for step in steps {
            value = match &step.key {
                StepKey::Name(name) => self.attribute(&value, name, step.span),
                StepKey::Text(text) => self.index(&value, &Value::Text(text.clone()), step.span),
                StepKey::Number(number) => {
                    self.index(&value, &Value::Number(number.clone()), step.span)
                }
            };
        }
        value
    }

    fn attribute(&mut self, value: &Value, name: &Rc<str>, span: Span) -> Value {
        match value {
            Value::Unknown => Value::Unknown,
            Value::Object(fields) => match fields.get(name) {
                Some(member) => member.clone(),
                None => {
                    let hint = match self.guesses() {
                        true => did_you_mean(name, fields.keys().map(|key| &**key)),
                        false => String::new(),
                    };
                    let detail =
                        format!("This object does not have an attribute named {name:?}.{hint}");
                    self.fail(span, "Unsupported attribute", detail)
                }
            },
            Value::Map(fields) => match fields.get(name) {
                Some(member) => member.clone(),
                None => {
                    let detail =
                        format!("This map does not have an element with the key {name:?}.");
                    self.fail(span, "Missing map element", detail)
                }
            },
            Value::Null => self.fail(
                span,
                "Attempt to get attribute from null value",
                "This value is null, so it does not have any attributes.",
            ),
            Value::List(_) | Value::Set(_) | Value::Tuple(_) => {
                let detail = format!(
                    "Can't access attributes on a {}. Did you mean to access an attribute of one of its elements, \
                     with [*].{name}?",
                    value.type_name()
                );
                self.fail(span, "Unsupported attribute", detail)
            }
            _ => {
                let detail = format!(
                    "Can't access attributes on a primitive-typed value ({}).",
                    value.type_name()
                );
                self.fail(span, "Unsupported attribute", detail)
            }
        }
    }

    pub(super) fn index(&mut self, value: &Value, key: &Value, span: Span) -> Value {
        match look_up(value, key, self.guesses()) {
            Ok(value) => value,
            Err(why) => self.fail(span, "Invalid index", why),
        }
    }
}

/// The member with this key, or why there is none.
pub(crate) fn look_up(value: &Value, key: &Value, guess: bool) -> Result<Value, String> {
    use crate::types::{Type, convert};
    const ABSENT: &str = "The given key does not identify an element in this collection value.";
    if value.is_unknown() || key.is_unknown() {
        return Ok(Value::Unknown);
    }
    if key.is_null() {
        return Err("Can't use a null value as an indexing key.".to_owned());
    }
    match value {
        Value::List(items) | Value::Tuple(items) => {
            let index = match convert(key, &Type::Number) {
                Ok(Value::Number(number)) => number,
                _ => return Err(format!("{ABSENT} A number is required.")),
            };
            let index = index.as_i64().filter(|at| *at >= 0).map(|at| at as usize);
            let found = index.and_then(|at| items.get(at)).cloned();
            found.ok_or_else(|| match items.len() {
                0 => format!("{ABSENT} The collection has no elements."),
                count => format!("{ABSENT} It has {count} elements, counted from 0."),
            })
        }
        Value::Map(fields) | Value::Object(fields) => {
            let Ok(Value::Text(name)) = convert(key, &Type::Text) else {
                return Err(format!("{ABSENT} A string is required."));
            };
            let hint = || match guess {
                true => did_you_mean(&name, fields.keys().map(|key| &**key)),
                false => String::new(),
            };
            let found = fields.get(&name).cloned();
            found.ok_or_else(|| format!("{ABSENT}{}", hint()))
        }
        Value::Set(_) => Err(
            "Elements of a set are identified only by their value and don't have any separate index or key to \
             select with, so it's only possible to perform operations across all elements of the set."
                .to_owned(),
        ),
        Value::Null => Err("This value is null, so it does not have any indices.".to_owned()),
        _ => Err(format!(
            "This value does not have any indices: it is a {}.",
            value.type_name()
        )),
    }
}
