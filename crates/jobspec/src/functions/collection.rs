//! Functions of lists and maps.

use super::{Call, Fault, Outcome};
use crate::eval::look_up;
use crate::number::Number;
use crate::types::{Type, convert, type_of, unify, unify_values};
use crate::value::{MOST_WEIGHT, Members, Value};

/// As many values as `range` makes at most.
const MOST_RANGE: usize = 1024;

pub(super) fn chunklist(call: &mut Call<'_>) -> Outcome {
    let size = call.whole(1)?;
    let items = call.items(0);
    let size = match size {
        ..0 => return Err("the size argument must be positive".into()),
        0 => items.len().max(1),
        size => size as usize,
    };
    let chunks = items.chunks(size).map(|chunk| Value::list(chunk.to_vec()));
    Ok(Value::list(chunks.collect()))
}

pub(super) fn coalesce(call: &mut Call<'_>) -> Outcome {
    let common = call
        .args
        .iter()
        .try_fold(Type::Any, |common, v| unify(&common, &type_of(v)));
    let Some(common) = common else {
        return Err("all arguments must have the same type".into());
    };
    match call.args.iter().find(|value| !value.is_null()) {
        Some(value) => convert(value, &common).map_err(Fault::from),
        None => Err("no non-null arguments".into()),
    }
}

pub(super) fn coalescelist(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return Err("at least one argument is required".into());
    }
    for (at, value) in call.args.iter().enumerate() {
        if value.is_null() {
            continue;
        }
        match value.items() {
            None => {
                return Err(Fault::Argument(
                    at,
                    "coalescelist arguments must be lists or tuples".to_owned(),
                ));
            }
            Some([]) => {}
            Some(_) => return Ok(value.clone()),
        }
    }
    Err("no non-null arguments".into())
}

pub(super) fn compact(call: &mut Call<'_>) -> Outcome {
    let mut kept = Vec::new();
    for (at, item) in call.items(0).iter().enumerate() {
        match convert(item, &Type::Text) {
            Ok(Value::Text(text)) if text.is_empty() => {}
            Ok(Value::Null) => {}
            Ok(text) => kept.push(text),
            Err(why) => return Err(Fault::Argument(0, format!("element {at}: {why}"))),
        }
    }
    Ok(Value::list(kept))
}

pub(super) fn concat(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return Err("at least one argument is required".into());
    }
    let weight = call
        .args
        .iter()
        .map(Value::weight)
        .fold(0, usize::saturating_add);
    if weight > MOST_WEIGHT {
        return Err("the result would be too large".into());
    }
    let all_lists = call
        .args
        .iter()
        .all(|value| matches!(value, Value::List(_)));
    let items: Vec<Value> = call
        .args
        .iter()
        .filter_map(Value::items)
        .flatten()
        .cloned()
        .collect();
    match all_lists.then(|| unify_values(items.clone())).flatten() {
        Some(items) => Ok(Value::list(items)),
        None => Ok(Value::tuple(items)),
    }
}

pub(super) fn contains(call: &mut Call<'_>) -> Outcome {
    let wanted = &call.args[1];
    Ok(Value::Bool(call.items(0).contains(wanted)))
}

pub(super) fn distinct(call: &mut Call<'_>) -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    let items = call
        .items(0)
        .iter()
        .filter(|item| seen.insert((*item).clone()));
    Ok(Value::list(items.cloned().collect()))
}

pub(super) fn element(call: &mut Call<'_>) -> Outcome {
    let index = call.whole(1)?;
    let items = call.items(0);
    if items.is_empty() {
        return Err("cannot use element function with an empty list".into());
    }
    let index = index.rem_euclid(items.len() as i64);
    Ok(items[index as usize].clone())
}

pub(super) fn flatten(call: &mut Call<'_>) -> Outcome {
    fn collect(items: &[Value], out: &mut Vec<Value>) {
        for item in items {
            match item.items() {
                Some(inner) => collect(inner, out),
                None => out.push(item.clone()),
            }
        }
    }
    let mut out = Vec::new();
    collect(call.items(0), &mut out);
    Ok(Value::tuple(out))
}

const NO_COLLECTION: &str = "collection must be a list, a map or a tuple";

pub(super) fn index(call: &mut Call<'_>) -> Outcome {
    match &call.args[0] {
        value @ (Value::List(_) | Value::Tuple(_) | Value::Map(_)) => {
            look_up(value, &call.args[1], false).map_err(|_| "key not found".into())
        }
        _ => Err(NO_COLLECTION.into()),
    }
}

pub(super) fn length(call: &mut Call<'_>) -> Outcome {
    match &call.args[0] {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            Ok(Value::from(items.len()))
        }
        Value::Map(fields) => Ok(Value::from(fields.len())),
        _ => Err(NO_COLLECTION.into()),
    }
}

fn fields(call: &Call<'_>, at: usize) -> Result<Members, Fault> {
    let value = &call.args[at];
    let why = || format!("must have a mapping type, not {}", value.type_name());
    let fields = value.fields().ok_or_else(|| Fault::Argument(at, why()))?;
    Ok(fields.clone())
}

pub(super) fn keys(call: &mut Call<'_>) -> Outcome {
    let fields = fields(call, 0)?;
    Ok(Value::list(fields.into_keys().map(Value::Text).collect()))
}

pub(super) fn values(call: &mut Call<'_>) -> Outcome {
    let is_map = matches!(call.args[0], Value::Map(_));
    let values = fields(call, 0)?.into_values().collect();
    Ok(match is_map {
        true => Value::list(values),
        false => Value::tuple(values),
    })
}

pub(super) fn lookup(call: &mut Call<'_>) -> Outcome {
    let fields = fields(call, 0)?;
    match fields.get(&call.text(1)) {
        Some(value) => Ok(value.clone()),
        None => Ok(call.args[2].clone()),
    }
}

pub(super) fn merge(call: &mut Call<'_>) -> Outcome {
    let weight = call
        .args
        .iter()
        .map(Value::weight)
        .fold(0, usize::saturating_add);
    if weight > MOST_WEIGHT {
        return Err("the result would be too large".into());
    }
    let mut out = Members::new();
    let mut all_maps = true;
    for (at, value) in call.args.iter().enumerate() {
        match value {
            Value::Null => {}
            Value::Map(fields) | Value::Object(fields) => {
                all_maps &= matches!(value, Value::Map(_));
                out.extend(fields.iter().map(|(key, v)| (key.clone(), v.clone())));
            }
            other => {
                let why = format!(
                    "arguments must be maps or objects, got {:?}",
                    other.type_name()
                );
                return Err(Fault::Argument(at, why));
            }
        }
    }
    Ok(match all_maps && !out.is_empty() {
        true => Value::map(out),
        false => Value::object(out),
    })
}

pub(super) fn range(call: &mut Call<'_>) -> Outcome {
    let numbers: Vec<Number> = (0..call.args.len()).map(|at| call.number(at)).collect();
    let zero = Number::Whole(0);
    let (start, end, step) = match numbers.as_slice() {
        [end] => (zero.clone(), end.clone(), None),
        [start, end] => (start.clone(), end.clone(), None),
        [start, end, step] => (start.clone(), end.clone(), Some(step.clone())),
        _ => return Err("must have one, two, or three arguments".into()),
    };
    let down = start > end;
    let step = step.unwrap_or(Number::Whole(if down { -1 } else { 1 }));
    if step.is_zero() {
        return Err("step must not be zero".into());
    }
    if step.is_negative() != down && start != end {
        let why = match down {
            true => "end must not be less than start when step is positive",
            false => "end must not be greater than start when step is negative",
        };
        return Err(why.into());
    }
    let mut out = Vec::new();
    let mut next = start;
    while if down { next > end } else { next < end } {
        if out.len() == MOST_RANGE {
            return Err(format!(
                "more than {MOST_RANGE} values were generated; either decrease the difference between start and end or \
                 use a smaller step"
            )
            .into());
        }
        out.push(Value::Number(next.clone()));
        next = next.add(&step);
    }
    Ok(Value::list(out))
}

pub(super) fn slice(call: &mut Call<'_>) -> Outcome {
    let (start, end) = (call.whole(1)?, call.whole(2)?);
    let items = call.items(0);
    let count = items.len() as i64;
    if start < 0 {
        return Err(Fault::Argument(
            1,
            "start index must not be negative".to_owned(),
        ));
    }
    if end > count {
        let why =
            format!("end index must not be greater than the length of the given value ({count})");
        return Err(Fault::Argument(2, why));
    }
    if start > end {
        return Err(Fault::Argument(
            1,
            "start index must not be greater than end index".to_owned(),
        ));
    }
    let part = items[start as usize..end as usize].to_vec();
    Ok(match call.args[0] {
        Value::Tuple(_) => Value::tuple(part),
        _ => Value::list(part),
    })
}

pub(super) fn sort(call: &mut Call<'_>) -> Outcome {
    let texts = call.items(0).iter().map(|item| match item.is_null() {
        true => Err("given list element is null; a null string cannot be sorted".to_owned()),
        false => convert(item, &Type::Text),
    });
    let mut texts: Vec<Value> = texts
        .collect::<Result<_, _>>()
        .map_err(|why| Fault::Argument(0, why))?;
    texts.sort();
    Ok(Value::list(texts))
}

pub(super) fn zipmap(call: &mut Call<'_>) -> Outcome {
    let (keys, values) = (call.items(0), call.items(1));
    if keys.len() != values.len() {
        return Err(format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            values.len()
        )
        .into());
    }
    let mut out = Members::new();
    for (key, value) in keys.iter().zip(values) {
        match convert(key, &Type::Text) {
            Ok(Value::Text(key)) => out.insert(key, value.clone()),
            _ => return Err(Fault::Argument(0, "keys must be strings".to_owned())),
        };
    }
    Ok(match call.args[1] {
        Value::List(_) => Value::map(out),
        _ => Value::object(out),
    })
}
