//! Variables of the cluster, and what can be asked of them: `.Keys`, `.Metadata`, and of an item `.Key`, `.Value`, `.Parent`.
//!
//! Items are texts and variables are maps, so that every function takes them. Which variable one is from is known by where
//! it lies in memory: the engine hands values on without copying them, and what a function makes of one is no item any more.

use std::sync::Arc;

use caravan_model::{UnixNanos, Variable, VariableMetadata};
use gotmpl::{TemplateError, Value};

use super::super::data::{self, Need};
use super::super::pass::Pass;
use super::{Answer, Function, fail, list, map, sprig, string, text};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("nomadVar", |pass, args| {
        let path = text(args, 0)?;
        let found = pass.ask(Need::Variable {
            path,
            optional: false,
        });
        Ok(match found {
            Some(data::Value::Variable(found)) => items(pass, found),
            _ => Value::Nil,
        })
    }),
    ("nomadVarExists", |pass, args| {
        let path = text(args, 0)?;
        let found = pass.ask(Need::Variable {
            path,
            optional: true,
        });
        let there = !matches!(found, None | Some(data::Value::Absent));
        Ok(Value::Bool(there))
    }),
    ("nomadVarList", |pass, args| below(pass, args, false)),
    ("nomadVarListSafe", |pass, args| below(pass, args, true)),
];

/// What a value is of.
#[derive(Clone)]
pub(in super::super) enum Known {
    Items(Arc<Variable>),
    Item(Arc<Variable>, Arc<str>),
    /// Everything of it.
    Whole(Arc<Variable>),
    /// Shown as its path.
    Metadata(Arc<VariableMetadata>),
    /// Shown as Go prints one.
    Time,
}

/// The names that values of variables answer to, besides those of items.
pub(in super::super) const METHODS: [&str; 14] = [
    "Keys",
    "Values",
    "Tuples",
    "Metadata",
    "Parent",
    "Key",
    "Value",
    "Namespace",
    "Path",
    "CreateIndex",
    "ModifyIndex",
    "CreateTime",
    "ModifyTime",
    "Time",
];

/// What a value answers to a name: as one of a variable, else as any value does.
pub(in super::super) fn member(pass: &Pass, value: &Value, name: &str) -> Answer {
    match pass.known(value) {
        Some(known) => of_known(pass, &known, value, name),
        None => of_any(pass, value, name),
    }
}

fn of_known(pass: &Pass, known: &Known, value: &Value, name: &str) -> Answer {
    let strings = |of: &mut dyn Iterator<Item = &String>| list(of.map(string));
    Ok(match (known, name) {
        (Known::Items(of), "Keys") => strings(&mut of.items.iter().flatten().map(|pair| pair.0)),
        (Known::Items(of), "Values") => strings(&mut of.items.iter().flatten().map(|pair| pair.1)),
        (Known::Items(_), "Tuples") => tuples(value),
        (Known::Items(of) | Known::Item(of, _) | Known::Whole(of), "Metadata") => {
            pass.once(&**of, "Metadata", || metadata(pass, of.metadata()))
        }
        (Known::Items(of) | Known::Item(of, _), "Parent") => whole(pass, of),
        (Known::Item(_, key), "Key") => Value::String(Arc::clone(key)),
        (Known::Item(..), "Value") | (Known::Time, "Time") => value.clone(),
        (Known::Metadata(of), "Namespace") => string(of.namespace.as_str()),
        (Known::Metadata(of), "Path") => string(&of.path),
        (Known::Metadata(of), "CreateIndex") => Value::Uint(of.create_index),
        (Known::Metadata(of), "ModifyIndex") => Value::Uint(of.modify_index),
        (Known::Metadata(of), "CreateTime") => time(pass, &of.create_time),
        (Known::Metadata(of), "ModifyTime") => time(pass, &of.modify_time),
        _ => return of_any(pass, value, name),
    })
}

/// As the engine has it.
fn of_any(pass: &Pass, value: &Value, name: &str) -> Answer {
    match (value.field(name), value) {
        (Some(found), _) => Ok(found.clone()),
        // Those of any map, for templates that make one as variables are.
        (None, Value::Map(_)) if name == "Tuples" => Ok(tuples(value)),
        (None, Value::Map(_)) if pass.strict => Err(TemplateError::MissingKey {
            key: name.to_owned(),
        }),
        (None, Value::Map(_) | Value::Nil) => Ok(Value::Nil),
        _ => Err(fail(format!(
            "can't evaluate field {name} in type {}",
            value.type_name()
        ))),
    }
}

fn items(pass: &Pass, of: &Arc<Variable>) -> Value {
    pass.once(&**of, "Items", || {
        let each = of.items.iter().flatten().map(|(key, text)| {
            let known = Known::Item(Arc::clone(of), Arc::from(key.as_str()));
            (key.clone(), pass.remember(string(text), known))
        });
        pass.remember(map(each), Known::Items(Arc::clone(of)))
    })
}

fn whole(pass: &Pass, of: &Arc<Variable>) -> Value {
    pass.once(&**of, "Parent", || {
        let all = [
            ("Namespace", string(of.namespace.as_str())),
            ("Path", string(&of.path)),
            ("CreateIndex", Value::Uint(of.create_index)),
            ("ModifyIndex", Value::Uint(of.modify_index)),
            ("CreateTime", time(pass, &of.create_time)),
            ("ModifyTime", time(pass, &of.modify_time)),
            ("Items", items(pass, of)),
        ];
        let all = all.map(|(name, value)| (name.to_owned(), value));
        pass.remember(map(all), Known::Whole(Arc::clone(of)))
    })
}

fn metadata(pass: &Pass, of: VariableMetadata) -> Value {
    let path = string(&of.path);
    pass.remember(path, Known::Metadata(Arc::new(of)))
}

fn time(pass: &Pass, at: &UnixNanos) -> Value {
    pass.once(at, "Time", || {
        pass.remember(string(sprig::printed_in_utc(*at)), Known::Time)
    })
}

fn tuples(value: &Value) -> Value {
    let Value::Map(members) = value else {
        return list([]);
    };
    list(members.iter().map(|(key, value)| {
        let key = Value::String(Arc::clone(key));
        map([("K".to_owned(), key), ("V".to_owned(), value.clone())])
    }))
}

fn below(pass: &Pass, args: &[Value], safe: bool) -> Answer {
    let prefix = match args.is_empty() {
        true => String::new(),
        false => text(args, 0)?,
    };
    let need = Need::Variables(prefix);
    let found = match pass.ask(need.clone()) {
        Some(data::Value::Variables(found)) => found.as_slice(),
        _ => &[],
    };
    if safe && found.is_empty() {
        pass.miss(need);
    }
    Ok(list(found.iter().map(|of| {
        pass.once(of, "Metadata", || metadata(pass, of.clone()))
    })))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::data::Data;
    use super::super::super::pass::Context;
    use super::*;

    /// Each would be kept to the end of the pass, and a template may ask a million times.
    #[test]
    fn asking_again_makes_nothing_new() {
        let variable = Variable {
            path: "a".into(),
            items: Some(BTreeMap::from([("key".into(), "text".into())])),
            ..Variable::default()
        };
        let mut data = Data::default();
        let all = data::Value::Variables(vec![variable.metadata()]);
        let need = Need::Variable {
            path: "a".into(),
            optional: false,
        };
        data.put(need, data::Value::Variable(Arc::new(variable)));
        data.put(Need::Variables("a".into()), all);
        let context = Context {
            env: &BTreeMap::new(),
            data: &data,
            denied: &[],
            files: std::path::Path::new(""),
            sandboxed: true,
            addresses: |_| Err(String::new()),
        };
        let pass = Pass::new(&context, false);
        let ask = || {
            for (name, function) in FUNCTIONS {
                let answer = function(&pass, &[string("a")]).expect(name);
                let answer = match &answer {
                    Value::List(found) => found.first().expect("one").clone(),
                    other => other.clone(),
                };
                for member in ["Metadata", "Parent"] {
                    let found = super::member(&pass, &answer, member).unwrap_or(Value::Nil);
                    for time in ["CreateTime", "ModifyTime"] {
                        let _ = super::member(&pass, &found, time);
                        let _ = super::member(&pass, &answer, time);
                    }
                }
            }
            pass.remembered()
        };
        let first = ask();
        assert!(first > 5, "{first}");
        assert_eq!(ask(), first);
    }
}
