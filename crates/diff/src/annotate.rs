//! Notes on a diff: how many allocations of each group are touched how, and what a change forces (plan sheet §11).

use caravan_model::*;
use std::collections::BTreeMap;

/// A change that makes new allocations.
pub(crate) const FORCES_CREATE: &str = "forces create";
/// A change that ends allocations.
pub(crate) const FORCES_DESTROY: &str = "forces destroy";
/// A change that running allocations take in.
pub(crate) const FORCES_IN_PLACE: &str = "forces in-place update";
/// A change that replaces allocations.
pub(crate) const FORCES_DESTRUCTIVE: &str = "forces create/destroy update";

/// Objects whose change leaves a task running.
const HARMLESS_OBJECTS: &[&str] = &["Service", "Constraint", "Affinity", "Spread", "LogConfig"];

/// Writes the scheduler's counts and what each change forces into a diff.
pub fn annotate(diff: &mut JobDiff, annotations: Option<&PlanAnnotations>) {
    for group in &mut diff.task_groups {
        if let Some(counts) = annotations.and_then(|plan| plan.desired_tg_updates.get(&group.name))
        {
            group.updates = Some(updates(counts));
        }
        for field in group
            .fields
            .iter_mut()
            .filter(|field| field.name == "Count")
        {
            annotate_count(field);
        }
        let whole = matches!(group.r#type, DiffType::Added | DiffType::Deleted);
        for task in &mut group.tasks {
            annotate_task(task, whole);
        }
    }
}

fn updates(counts: &DesiredUpdates) -> BTreeMap<String, u64> {
    // exhaustive
    let DesiredUpdates {
        ignore,
        place,
        migrate,
        stop,
        in_place_update,
        destructive_update,
        canary,
        preemptions: _,
        disconnect: _,
        reconnect: _,
        reschedule_now: _,
        reschedule_later: _,
    } = *counts;
    [
        ("ignore", ignore),
        ("create", place),
        ("migrate", migrate),
        ("destroy", stop),
        ("canary", canary),
        ("in-place update", in_place_update),
        ("create/destroy update", destructive_update),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

fn annotate_count(field: &mut FieldDiff) {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    match number(&field.old).cmp(&number(&field.new)) {
        std::cmp::Ordering::Less => field.annotations.push(FORCES_CREATE.to_owned()),
        std::cmp::Ordering::Greater => field.annotations.push(FORCES_DESTROY.to_owned()),
        std::cmp::Ordering::Equal => {}
    }
}

fn annotate_task(task: &mut TaskDiff, whole_group: bool) {
    let note = match (task.r#type, whole_group) {
        (DiffType::None, _) => return,
        (DiffType::Added, true) => FORCES_CREATE,
        (DiffType::Deleted, true) => FORCES_DESTROY,
        _ if is_destructive(task) => FORCES_DESTRUCTIVE,
        _ => FORCES_IN_PLACE,
    };
    task.annotations.push(note.to_owned());
}

fn is_destructive(task: &TaskDiff) -> bool {
    let by_field = task.fields.iter().any(|field| field.name != "KillTimeout");
    let by_object = task.objects.iter().any(|object| {
        !HARMLESS_OBJECTS.contains(&object.name.as_str())
            || (object.name == "LogConfig"
                && object.fields.iter().any(|field| field.name == "Disabled"))
    });
    by_field || by_object
}
