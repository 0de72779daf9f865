//! Types, conversion between them, and the one type that several values have in common.

use crate::number::Number;
use crate::value::{Members, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// Any type at all.
    Any,
    Bool,
    Number,
    Text,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    /// With whether each may be missing.
    Object(BTreeMap<Rc<str>, (Type, bool)>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any type"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::Text => f.write_str("string"),
            Self::List(of) => write!(f, "list of {of}"),
            Self::Set(of) => write!(f, "set of {of}"),
            Self::Map(of) => write!(f, "map of {of}"),
            Self::Tuple(_) => f.write_str("tuple"),
            Self::Object(_) => f.write_str("object"),
        }
    }
}

/// The type of a value; empty lists and maps have members of any type.
pub(crate) fn type_of(value: &Value) -> Type {
    let member = |first: Option<&Value>| Box::new(first.map_or(Type::Any, type_of));
    match value {
        Value::Unknown | Value::Null => Type::Any,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::Text(_) => Type::Text,
        Value::List(items) => Type::List(member(items.iter().find(|v| !v.is_null()))),
        Value::Set(items) => Type::Set(member(items.iter().find(|v| !v.is_null()))),
        Value::Map(fields) => Type::Map(member(fields.values().find(|v| !v.is_null()))),
        Value::Tuple(items) => Type::Tuple(items.iter().map(type_of).collect()),
        Value::Object(fields) => Type::Object(
            fields
                .iter()
                .map(|(key, v)| (key.clone(), (type_of(v), false)))
                .collect(),
        ),
    }
}

/// The value as this type, or why it cannot be one.
pub(crate) fn convert(value: &Value, to: &Type) -> Result<Value, String> {
    if value.is_unknown() || value.is_null() {
        return Ok(value.clone());
    }
    match to {
        Type::Any => Ok(value.clone()),
        Type::Text => match value {
            Value::Text(_) => Ok(value.clone()),
            Value::Number(number) => Ok(Value::from(number.to_string())),
            Value::Bool(value) => Ok(Value::from(value.to_string())),
            _ => Err(mismatch(value, to)),
        },
        Type::Number => match value {
            Value::Number(_) => Ok(value.clone()),
            Value::Text(text) => match Number::parse(text) {
                Some(number) => Ok(Value::Number(number)),
                None => Err("a number is required".to_owned()),
            },
            _ => Err(mismatch(value, to)),
        },
        Type::Bool => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::Text(text) => match &**text {
                "true" | "1" => Ok(Value::Bool(true)),
                "false" | "0" => Ok(Value::Bool(false)),
                "True" | "TRUE" | "False" | "FALSE" => Err(format!(
                    "a bool is required; to convert from string, use lowercase {:?}",
                    text.to_lowercase()
                )),
                _ => Err("a bool is required".to_owned()),
            },
            _ => Err(mismatch(value, to)),
        },
        Type::List(of) => Ok(Value::list(convert_items(value, of, to)?)),
        Type::Set(of) => Ok(Value::set(convert_items(value, of, to)?)),
        Type::Map(of) => {
            let fields = value.fields().ok_or_else(|| mismatch(value, to))?;
            let mut out = Members::new();
            for (key, member) in fields {
                let member =
                    convert(member, of).map_err(|why| nested(&format!("{key:?}"), &why))?;
                out.insert(key.clone(), member);
            }
            Ok(Value::map(unified_members(out, of)?))
        }
        Type::Tuple(types) => {
            let items = match value {
                Value::Tuple(items) | Value::List(items) => items,
                _ => return Err("a tuple is required".to_owned()),
            };
            if items.len() != types.len() {
                return Err(format!("a tuple of {} elements is required", types.len()));
            }
            let pairs = items.iter().zip(types).enumerate();
            let converted = pairs
                .map(|(at, (v, to))| convert(v, to).map_err(|why| nested(&at.to_string(), &why)));
            Ok(Value::tuple(converted.collect::<Result<_, _>>()?))
        }
        Type::Object(types) => {
            let fields = value
                .fields()
                .ok_or_else(|| format!("an object is required, but have {}", value.type_name()))?;
            let mut out = Members::new();
            for (key, (to, optional)) in types {
                let member = match fields.get(key) {
                    Some(member) => {
                        convert(member, to).map_err(|why| format!("attribute {key:?}: {why}"))?
                    }
                    None if *optional => Value::Null,
                    None => return Err(format!("attribute {key:?} is required")),
                };
                out.insert(key.clone(), member);
            }
            Ok(Value::object(out))
        }
    }
}

fn nested(at: &str, why: &str) -> String {
    format!("element {at}: {why}")
}

fn mismatch(value: &Value, to: &Type) -> String {
    format!("{to} required, but have {}", value.type_name())
}

fn convert_items(value: &Value, of: &Type, to: &Type) -> Result<Vec<Value>, String> {
    let items = value.items().ok_or_else(|| mismatch(value, to))?;
    let items = items.iter().enumerate();
    let converted =
        items.map(|(at, v)| convert(v, of).map_err(|why| nested(&at.to_string(), &why)));
    let converted: Vec<Value> = converted.collect::<Result<_, String>>()?;
    if *of != Type::Any {
        return Ok(converted);
    }
    unify_values(converted).ok_or_else(|| "all list elements must have the same type".to_owned())
}

fn unified_members(fields: Members, of: &Type) -> Result<Members, String> {
    if *of != Type::Any {
        return Ok(fields);
    }
    let keys: Vec<Rc<str>> = fields.keys().cloned().collect();
    let values = unify_values(fields.into_values().collect())
        .ok_or_else(|| "all map elements must have the same type".to_owned())?;
    Ok(keys.into_iter().zip(values).collect())
}

/// All values as the one type that they have in common, if there is one.
pub(crate) fn unify_values(values: Vec<Value>) -> Option<Vec<Value>> {
    let mut common = Type::Any;
    for value in &values {
        common = unify(&common, &type_of(value))?;
    }
    values.iter().map(|v| convert(v, &common).ok()).collect()
}

/// The type that values of both can be converted to without loss.
pub(crate) fn unify(a: &Type, b: &Type) -> Option<Type> {
    use Type::{Any, Bool, List, Map, Number, Object, Set, Text, Tuple};
    Some(match (a, b) {
        (Any, other) | (other, Any) => other.clone(),
        (a, b) if a == b => a.clone(),
        (Text, Number | Bool) | (Number | Bool, Text) => Text,
        (List(a), List(b)) => List(unify(a, b)?.into()),
        (Set(a), Set(b)) => Set(unify(a, b)?.into()),
        (Map(a), Map(b)) => Map(unify(a, b)?.into()),
        (List(a), Set(b)) | (Set(a), List(b)) => List(unify(a, b)?.into()),
        (Tuple(a), Tuple(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| unify(a, b));
            match pairs.collect::<Option<Vec<_>>>() {
                Some(types) if a.len() == b.len() => Tuple(types),
                _ => List(unify_all(a.iter().chain(b))?.into()),
            }
        }
        (Tuple(types), List(of)) | (List(of), Tuple(types)) => {
            List(unify_all(types.iter().chain([&**of]))?.into())
        }
        (Tuple(types), Set(of)) | (Set(of), Tuple(types)) => {
            Set(unify_all(types.iter().chain([&**of]))?.into())
        }
        (Object(a), Object(b)) => {
            let same = a.len() == b.len() && a.keys().zip(b.keys()).all(|(a, b)| a == b);
            let pairs = a.iter().zip(b).map(|((key, (a, _)), (_, (b, _)))| {
                unify(a, b).map(|of| (key.clone(), (of, false)))
            });
            match same.then(|| pairs.collect::<Option<_>>()).flatten() {
                Some(types) => Object(types),
                None => Map(unify_all(a.values().chain(b.values()).map(|(of, _)| of))?.into()),
            }
        }
        (Object(types), Map(of)) | (Map(of), Object(types)) => {
            Map(unify_all(types.values().map(|(of, _)| of).chain([&**of]))?.into())
        }
        _ => return None,
    })
}

fn unify_all<'a>(types: impl Iterator<Item = &'a Type>) -> Option<Type> {
    let mut common = Type::Any;
    for of in types {
        common = unify(&common, of)?;
    }
    Some(common)
}
