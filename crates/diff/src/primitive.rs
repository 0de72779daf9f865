//! The building blocks of a diff (plan sheet §4): fields, sets of texts, objects, sets of objects.

use crate::flatten::Fields;
use crate::order::sort_objects;
use caravan_model::{DiffType, FieldDiff, ObjectDiff};
use std::collections::{BTreeMap, BTreeSet};

/// Whether unchanged fields of a changed object are listed as well.
pub(crate) type Contextual = bool;

/// The difference of one field; an empty text is the same as no field.
pub(crate) fn field(name: &str, old: &str, new: &str, contextual: Contextual) -> Option<FieldDiff> {
    let kind = match (old, new) {
        _ if old == new => {
            if !contextual {
                return None;
            }
            DiffType::None
        }
        ("", _) => DiffType::Added,
        (_, "") => DiffType::Deleted,
        _ => DiffType::Edited,
    };
    Some(FieldDiff {
        r#type: kind,
        name: name.to_owned(),
        old: if kind == DiffType::Added {
            String::new()
        } else {
            old.to_owned()
        },
        new: if kind == DiffType::Deleted {
            String::new()
        } else {
            new.to_owned()
        },
        annotations: Vec::new(),
    })
}

/// The differences of all fields of either side, in order.
pub(crate) fn fields(old: &Fields, new: &Fields, contextual: Contextual) -> Vec<FieldDiff> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let before = old.get(name).map_or("", String::as_str);
            let after = new.get(name).map_or("", String::as_str);
            field(name, before, after, contextual)
        })
        .collect()
}

/// What kind of change a list of field changes is; none when nothing changed.
pub(crate) fn kind_of(fields: &[FieldDiff]) -> DiffType {
    let any = |kind: DiffType| fields.iter().any(|field| field.r#type == kind);
    match (any(DiffType::Added), any(DiffType::Deleted)) {
        _ if any(DiffType::Edited) => DiffType::Edited,
        (true, true) => DiffType::Edited,
        (true, false) => DiffType::Added,
        (false, true) => DiffType::Deleted,
        (false, false) => DiffType::None,
    }
}

/// The difference of two sets of texts; each element is a field of the same name as the object.
pub(crate) fn text_set(
    name: &str,
    old: &[String],
    new: &[String],
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.iter().collect(), new.iter().collect());
    if before == after && !contextual {
        return None;
    }
    let mut list: Vec<FieldDiff> = before
        .union(&after)
        .filter_map(
            |element| match (before.contains(element), after.contains(element)) {
                (true, true) if contextual => {
                    Some((DiffType::None, element.as_str(), element.as_str()))
                }
                (true, false) => Some((DiffType::Deleted, element.as_str(), "")),
                (false, true) => Some((DiffType::Added, "", element.as_str())),
                _ => None,
            },
        )
        .map(|(kind, old, new)| FieldDiff {
            r#type: kind,
            name: name.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
            annotations: Vec::new(),
        })
        .collect();
    if list.is_empty() {
        return None;
    }
    crate::order::sort_fields(&mut list);
    Some(ObjectDiff {
        r#type: kind_of(&list),
        name: name.to_owned(),
        fields: list,
        objects: Vec::new(),
    })
}

/// The difference of two objects by their flattened fields; nothing when none differs.
pub(crate) fn object(
    name: &str,
    old: Option<Fields>,
    new: Option<Fields>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let changed = kind_of(&fields(&old, &new, false));
    (changed != DiffType::None).then(|| ObjectDiff {
        r#type: changed,
        name: name.to_owned(),
        fields: fields(&old, &new, contextual),
        objects: Vec::new(),
    })
}

/// The differences of two sets of objects, matched by a key.
pub(crate) fn object_set<T>(
    name: &str,
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> String,
    flatten: impl Fn(&T) -> Fields,
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let before: BTreeMap<String, &T> = old.iter().map(|item| (key(item), item)).collect();
    let after: BTreeMap<String, &T> = new.iter().map(|item| (key(item), item)).collect();
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut list: Vec<ObjectDiff> = keys
        .into_iter()
        .filter_map(|key| {
            let side = |items: &BTreeMap<String, &T>| items.get(key).map(|item| flatten(item));
            object(name, side(&before), side(&after), contextual)
        })
        .collect();
    sort_objects(&mut list);
    list
}

/// The kind of a change between an optional old and new value; none when they are equal.
pub(crate) fn presence<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> DiffType {
    match (old, new) {
        (None, Some(_)) => DiffType::Added,
        (Some(_), None) => DiffType::Deleted,
        (Some(old), Some(new)) if old != new => DiffType::Edited,
        _ => DiffType::None,
    }
}

/// An object that is dropped when nothing about it changed, and otherwise lists its fields and what is nested in it.
pub(crate) fn nested(
    name: &str,
    kind: DiffType,
    old: Option<Fields>,
    new: Option<Fields>,
    objects: Vec<ObjectDiff>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    (kind != DiffType::None).then(|| ObjectDiff {
        r#type: kind,
        name: name.to_owned(),
        fields: fields(
            &old.unwrap_or_default(),
            &new.unwrap_or_default(),
            contextual,
        ),
        objects,
    })
}

/// Pairs the items of two lists by key, in the order of the keys.
pub(crate) fn paired<'a, T>(
    old: &'a [T],
    new: &'a [T],
    key: impl Fn(&T) -> String,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let mut pairs: BTreeMap<String, (Option<&T>, Option<&T>)> = BTreeMap::new();
    for item in old {
        pairs.entry(key(item)).or_default().0 = Some(item);
    }
    for item in new {
        pairs.entry(key(item)).or_default().1 = Some(item);
    }
    pairs.into_values().collect()
}

/// Pairs the items of two lists by their places.
pub(crate) fn by_place<'a, T>(old: &'a [T], new: &'a [T]) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    (0..old.len().max(new.len()))
        .map(|at| (old.get(at), new.get(at)))
        .collect()
}
