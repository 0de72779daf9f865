//! Functions of sets.

use super::{Call, Fault, Outcome};
use crate::types::unify_values;
use crate::value::{MOST_WEIGHT, Value};

fn sets(call: &Call<'_>) -> Result<Vec<Vec<Value>>, Fault> {
    if call.args.is_empty() {
        return Err("at least one argument is required".into());
    }
    let lengths: Vec<usize> = (0..call.args.len())
        .map(|at| call.items(at).len())
        .collect();
    let all = (0..call.args.len())
        .flat_map(|at| call.items(at).to_vec())
        .collect();
    let Some(all) = unify_values(all) else {
        return Err("all sets must have the same element type".into());
    };
    let mut rest = all.into_iter();
    Ok(lengths
        .into_iter()
        .map(|count| rest.by_ref().take(count).collect())
        .collect())
}

pub(super) fn union(call: &mut Call<'_>) -> Outcome {
    Ok(Value::set(sets(call)?.into_iter().flatten().collect()))
}

pub(super) fn intersection(call: &mut Call<'_>) -> Outcome {
    let mut sets = sets(call)?.into_iter();
    let mut kept = sets.next().unwrap_or_default();
    for mut set in sets {
        set.sort();
        kept.retain(|item| set.binary_search(item).is_ok());
    }
    Ok(Value::set(kept))
}

/// Every way to take one member of each; in order, the first set's member changing last.
pub(super) fn product(call: &mut Call<'_>) -> Outcome {
    if call.args.len() < 2 {
        return Err("at least two arguments are required".into());
    }
    let sets: Vec<Vec<Value>> = (0..call.args.len())
        .map(|at| match &call.args[at] {
            Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
                unify_values(items.to_vec()).unwrap_or_else(|| items.to_vec())
            }
            _ => Vec::new(),
        })
        .collect();
    let count = sets
        .iter()
        .map(Vec::len)
        .try_fold(1usize, |all, len| all.checked_mul(len));
    let heaviest = sets.iter().flatten().map(Value::weight).max().unwrap_or(1);
    let each = sets.len().saturating_mul(heaviest);
    let count = match count {
        Some(count) if count.saturating_mul(each) <= MOST_WEIGHT => count,
        _ => return Err("the result would be too large".into()),
    };
    let mut out = Vec::with_capacity(count);
    for number in 0..count {
        let mut rest = number;
        let mut row: Vec<Value> = Vec::with_capacity(sets.len());
        for set in sets.iter().rev() {
            row.push(set[rest % set.len()].clone());
            rest /= set.len();
        }
        row.reverse();
        out.push(Value::tuple(row));
    }
    let all_sets = call.args.iter().all(|arg| matches!(arg, Value::Set(_)));
    Ok(match all_sets {
        true => Value::set(out),
        false => Value::list(out),
    })
}
