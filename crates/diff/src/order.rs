//! The order of fields and objects (plan sheet §5).

use caravan_model::{DiffType, FieldDiff, ObjectDiff};
use std::cmp::Ordering;

pub(crate) fn sort_fields(fields: &mut [FieldDiff]) {
    fields.sort_by(compare_fields);
}

pub(crate) fn sort_objects(objects: &mut [ObjectDiff]) {
    objects.sort_by(compare_objects);
}

fn compare_fields(a: &FieldDiff, b: &FieldDiff) -> Ordering {
    (&a.name, &a.old, &a.new).cmp(&(&b.name, &b.old, &b.new))
}

fn rank(kind: DiffType) -> u8 {
    match kind {
        DiffType::Edited => 0,
        DiffType::Added => 1,
        DiffType::Deleted => 2,
        DiffType::None => 3,
    }
}

fn compare_objects(a: &ObjectDiff, b: &ObjectDiff) -> Ordering {
    let head = |object: &ObjectDiff| {
        (
            object.name.clone(),
            rank(object.r#type),
            object.fields.len(),
            object.objects.len(),
        )
    };
    head(a)
        .cmp(&head(b))
        .then_with(|| compare_lists(&a.fields, &b.fields, compare_fields))
        .then_with(|| compare_lists(&a.objects, &b.objects, compare_objects))
}

fn compare_lists<T>(a: &[T], b: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| compare(a, b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
