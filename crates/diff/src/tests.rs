//! Rules of the plan sheet, by section.

use super::*;
use caravan_model::*;

fn job() -> Job {
    serde_json::from_value(serde_json::json!({
        "ID": "example", "Name": "example", "Type": "service", "Datacenters": ["dc1"],
        "TaskGroups": [{
            "Name": "cache", "Count": 1,
            "Tasks": [{
                "Name": "redis", "Driver": "docker",
                "Config": {"image": "redis:3.2", "port_map": [{"db": 6379}]},
                "Env": {"A": "1"},
                "Resources": {"CPU": 500, "MemoryMB": 256}
            }]
        }]
    }))
    .unwrap()
}

#[test]
fn a_job_does_not_differ_from_itself() {
    let diff = job_diff(Some(&job()), Some(&job()), true);
    assert_eq!(diff.r#type, DiffType::None);
    assert!(diff.fields.is_empty());
    assert!(
        diff.task_groups
            .iter()
            .all(|group| group.r#type == DiffType::None)
    );
}

#[test]
fn a_count_forces_and_an_image_shows_its_context() {
    let mut new = job();
    new.task_groups[0].count = 3;
    new.task_groups[0].tasks[0]
        .config
        .insert("image".into(), "redis:4.0".into());
    let mut diff = job_diff(Some(&job()), Some(&new), true);
    annotate(&mut diff, None);
    let group = &diff.task_groups[0];
    assert_eq!(group.r#type, DiffType::Edited);
    assert_eq!(group.fields[0].annotations, ["forces create"]);
    let task = &group.tasks[0];
    assert_eq!(task.annotations, ["forces create/destroy update"]);
    let config = &task.objects[0];
    assert_eq!(
        (config.name.as_str(), config.r#type),
        ("Config", DiffType::Edited)
    );
    let shown: Vec<_> = config
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.r#type))
        .collect();
    assert_eq!(
        shown,
        [
            ("image", DiffType::Edited),
            ("port_map[0][db]", DiffType::None)
        ]
    );
}

#[test]
fn a_new_job_is_added_throughout() {
    let mut diff = job_diff(None, Some(&job()), true);
    annotate(&mut diff, None);
    assert_eq!(diff.r#type, DiffType::Added);
    assert_eq!(diff.task_groups[0].r#type, DiffType::Added);
    assert_eq!(diff.task_groups[0].tasks[0].annotations, ["forces create"]);
    assert!(
        diff.fields
            .iter()
            .all(|field| field.r#type == DiffType::Added && field.old.is_empty())
    );
}

#[test]
fn an_edited_constraint_is_one_gone_and_one_new() {
    let constraint = |value: &str| Constraint {
        l_target: "${attr.kernel.name}".into(),
        r_target: value.into(),
        operand: "=".into(),
    };
    let (mut old, mut new) = (job(), job());
    old.constraints = vec![constraint("linux")];
    new.constraints = vec![constraint("darwin")];
    let diff = job_diff(Some(&old), Some(&new), true);
    let kinds: Vec<_> = diff
        .objects
        .iter()
        .filter(|one| one.name == "Constraint")
        .map(|one| one.r#type)
        .collect();
    assert_eq!(kinds, [DiffType::Added, DiffType::Deleted]);
}
