//! Asking an expression of an object.

use std::borrow::Cow;

use super::{
    datum::Datum,
    tree::{Expression, Selector, Test},
};
use crate::go;
use caravan_model::regexp;

/// Why an expression makes no sense for an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub(super) String);

/// Names that `any` and `all` give to elements.
type Bindings<'a> = Vec<(&'a str, Cow<'a, Datum>)>;

/// What a selector finds.
enum Found<'a> {
    Value(&'a Datum),
    /// A key that the map has not.
    Absent,
}

pub(super) fn matches(expression: &Expression, object: &Datum) -> Result<bool, EvalError> {
    evaluate(expression, object, &Vec::new())
}

fn evaluate(
    expression: &Expression,
    object: &Datum,
    bindings: &Bindings<'_>,
) -> Result<bool, EvalError> {
    match expression {
        Expression::Or(left, right) => {
            Ok(evaluate(left, object, bindings)? || evaluate(right, object, bindings)?)
        }
        Expression::And(left, right) => {
            Ok(evaluate(left, object, bindings)? && evaluate(right, object, bindings)?)
        }
        Expression::Not(inner) => Ok(!evaluate(inner, object, bindings)?),
        Expression::Each {
            all,
            selector,
            names,
            inner,
        } => each(*all, selector, names, inner, object, bindings),
        Expression::Match {
            selector,
            negated,
            test,
        } => {
            let yes = match find(selector, object, bindings)? {
                Found::Value(value) => ask(test, value, selector)?,
                Found::Absent => matches!(test, Test::Empty | Test::Nil),
            };
            Ok(yes != *negated)
        }
    }
}

fn each(
    all: bool,
    selector: &Selector,
    names: &[String],
    inner: &Expression,
    object: &Datum,
    bindings: &Bindings<'_>,
) -> Result<bool, EvalError> {
    let found = match find(selector, object, bindings)? {
        Found::Value(value) => value,
        Found::Absent => return Ok(all),
    };
    let elements: Vec<(Datum, &Datum)> = match found {
        Datum::List(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (Datum::Int(i64::try_from(at).unwrap_or(0)), item))
            .collect(),
        Datum::Map(entries) => entries
            .iter()
            .map(|(key, value)| (Datum::Text(key.clone()), value))
            .collect(),
        Datum::Nil => Vec::new(),
        other => return Err(EvalError(format!("{} is not a list or a map", kind(other)))),
    };
    let single_is_key = matches!(found, Datum::Map(_));
    for (key, value) in &elements {
        let mut inside = bindings.clone();
        match names {
            [one] if single_is_key => inside.push((one, Cow::Borrowed(key))),
            [one] => inside.push((one, Cow::Borrowed(value))),
            [first, second] => {
                inside.push((first, Cow::Borrowed(key)));
                inside.push((second, Cow::Borrowed(value)));
            }
            _ => {}
        }
        if evaluate(inner, object, &inside)? != all {
            return Ok(!all);
        }
    }
    Ok(all)
}

fn find<'a>(
    selector: &Selector,
    object: &'a Datum,
    bindings: &'a Bindings<'_>,
) -> Result<Found<'a>, EvalError> {
    let Selector(path) = selector; // exhaustive
    let bound = path
        .first()
        .and_then(|name| bindings.iter().rev().find(|(bound, _)| bound == name));
    let (mut here, from): (&Datum, usize) = match bound {
        Some((_, value)) => (value.as_ref(), 1),
        None => (object, 0),
    };
    for at in from..path.len() {
        match member(here, path, at)? {
            Some(value) => here = value,
            None => return Ok(Found::Absent),
        }
    }
    Ok(Found::Value(here))
}

/// What a part of the path leads to; `None` where a map does not have it.
fn member<'a>(here: &'a Datum, path: &[String], at: usize) -> Result<Option<&'a Datum>, EvalError> {
    let part = &path[at];
    let missing = |what: String| {
        let path = path.join("/");
        EvalError(format!(
            "error finding value in datum: /{path} at part {at}: {what}"
        ))
    };
    match here {
        Datum::Struct(members) => match members.iter().find(|(name, _)| name == part) {
            Some((_, Some(value))) => Ok(Some(value)),
            // Empty, and therefore left out of the JSON.
            Some((_, None)) => Ok(Some(&Datum::Nil)),
            None => Err(missing(format!(
                "couldn't find key: struct field with name {}",
                go::quote(part)
            ))),
        },
        Datum::Map(entries) => {
            let entry = entries.iter().find(|(key, _)| key == part);
            Ok(entry.map(|(_, value)| value))
        }
        // The JSON does not tell an empty map from an empty structure: names of maps are known.
        Datum::Nil if at > 0 && is_map(&path[at - 1]) => Ok(None),
        Datum::List(items) => {
            let index = part.parse::<usize>().ok();
            let item = index.and_then(|index| items.get(index));
            item.map(Some).ok_or_else(|| {
                missing(format!(
                    "couldn't convert {} to a list index",
                    go::quote(part)
                ))
            })
        }
        other => {
            let kind = if *other == Datum::Nil {
                "invalid"
            } else {
                kind(other)
            };
            Err(EvalError(format!(
                "error finding value in datum: /{}: at part {at}, invalid value kind: {kind}",
                path.join("/")
            )))
        }
    }
}

/// Members that are maps of free keys: an empty one is written as `null`.
fn is_map(name: &str) -> bool {
    matches!(
        name,
        "Meta"
            | "Attributes"
            | "Links"
            | "Env"
            | "Tags"
            | "Config"
            | "Items"
            | "Parameters"
            | "Context"
            | "Topologies"
            | "TaskStates"
            | "TaskGroups"
            | "Summary"
            | "Drivers"
            | "HostVolumes"
            | "HostNetworks"
            | "Target"
            | "CSIControllerPlugins"
            | "CSINodePlugins"
            | "Volumes"
            | "Policy"
            | "QueuedAllocations"
            | "FailedTGAllocs"
            | "ClassEligibility"
            | "DesiredTGUpdates"
            | "Labels"
            | "Secrets"
            | "Driver"
    )
}

fn ask(test: &Test, value: &Datum, selector: &Selector) -> Result<bool, EvalError> {
    match test {
        Test::Equal(text) => equal(value, text),
        Test::Empty => Ok(is_empty(value)),
        Test::Nil => Ok(*value == Datum::Nil),
        Test::Contains(text) => contains(value, text, selector),
        Test::Matches { source, regex } => {
            let Some(regex) = regex else {
                return Err(bad_regex(source));
            };
            match value {
                Datum::Text(held) => Ok(regex.is_match(held)),
                Datum::Nil => Ok(regex.is_match("")),
                other => Err(EvalError(format!(
                    "value of type {} is not convertible to []byte",
                    kind(other)
                ))),
            }
        }
    }
}

fn equal(value: &Datum, text: &str) -> Result<bool, EvalError> {
    let unread = |parser: &str| {
        EvalError(format!(
            "error getting match value in expression: {parser}: parsing {}: invalid syntax",
            go::quote(text)
        ))
    };
    match value {
        Datum::Text(held) => Ok(held == text),
        Datum::Nil => Ok(text.is_empty()),
        Datum::Bool(held) => go::parse_bool(text)
            .map(|b| b == *held)
            .ok_or_else(|| unread("strconv.ParseBool")),
        Datum::Int(held) => text
            .parse::<i64>()
            .map(|n| n == *held)
            .map_err(|_| unread("strconv.ParseInt")),
        Datum::Uint(held) => text
            .parse::<u64>()
            .map(|n| n == *held)
            .map_err(|_| unread("strconv.ParseUint")),
        Datum::Float(held) => text
            .parse::<f64>()
            .map(|n| n.total_cmp(held).is_eq())
            .map_err(|_| unread("strconv.ParseFloat")),
        other => Err(EvalError(format!(
            "unable to find suitable primitive comparison function for matching: {}",
            kind(other)
        ))),
    }
}

fn contains(value: &Datum, text: &str, selector: &Selector) -> Result<bool, EvalError> {
    match value {
        Datum::Text(held) => Ok(held.contains(text)),
        Datum::Map(entries) => Ok(entries.iter().any(|(key, _)| key == text)),
        Datum::List(items) => {
            for item in items {
                if equal(item, text)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Datum::Nil => Ok(false),
        other => Err(EvalError(format!(
            "Cannot perform in/contains operations on type {} for selector: {}",
            kind(other),
            go::quote(&selector.0.join("."))
        ))),
    }
}

fn is_empty(value: &Datum) -> bool {
    match value {
        Datum::Nil => true,
        Datum::Text(held) => held.is_empty(),
        Datum::List(items) => items.is_empty(),
        Datum::Map(entries) => entries.is_empty(),
        Datum::Bool(_) | Datum::Int(_) | Datum::Uint(_) | Datum::Float(_) | Datum::Struct(_) => {
            false
        }
    }
}

fn bad_regex(source: &str) -> EvalError {
    let cause = if let Err(why) = regexp::translated(source) {
        why
    } else if source.matches('(').count() != source.matches(')').count() {
        format!("missing closing ): `{source}`")
    } else {
        format!("invalid expression: `{source}`")
    };
    EvalError(format!(
        "failed to compile regular expression {}: error parsing regexp: {cause}",
        go::quote(source)
    ))
}

fn kind(value: &Datum) -> &'static str {
    match value {
        Datum::Nil => "invalid",
        Datum::Bool(_) => "bool",
        Datum::Int(_) => "int",
        Datum::Uint(_) => "uint64",
        Datum::Float(_) => "float64",
        Datum::Text(_) => "string",
        Datum::List(_) => "slice",
        Datum::Map(_) => "map",
        Datum::Struct(_) => "struct",
    }
}
