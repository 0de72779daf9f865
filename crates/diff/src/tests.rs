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

fn names_and_kinds(objects: &[ObjectDiff]) -> Vec<(&str, DiffType)> {
    objects
        .iter()
        .map(|one| (one.name.as_str(), one.r#type))
        .collect()
}

#[test]
fn objects_of_one_kind_are_listed_edited_added_deleted() {
    let identity = |name: &str, file: bool| Identity {
        name: name.into(),
        audience: vec!["a".into()],
        file,
        ..Identity::default()
    };
    let (mut old, mut new) = (job(), job());
    old.task_groups[0].tasks[0].identities = vec![identity("b", false), identity("z", false)];
    new.task_groups[0].tasks[0].identities = vec![identity("a", false), identity("z", true)];
    let diff = job_diff(Some(&old), Some(&new), true);
    let objects = &diff.task_groups[0].tasks[0].objects;
    let expected = [DiffType::Edited, DiffType::Added, DiffType::Deleted];
    assert_eq!(
        names_and_kinds(objects),
        expected.map(|kind| ("Identity", kind))
    );
}

#[test]
fn a_proxy_lists_how_it_is_transparent_even_when_that_did_not_change() {
    let proxy = |port: i64| Service {
        name: "web".into(),
        connect: Some(Connect {
            sidecar_service: Some(SidecarService {
                proxy: Some(ConnectProxy {
                    local_service_port: port,
                    ..ConnectProxy::default()
                }),
                ..SidecarService::default()
            }),
            ..Connect::default()
        }),
        ..Service::default()
    };
    let (mut old, mut new) = (job(), job());
    old.task_groups[0].services = vec![proxy(80)];
    new.task_groups[0].services = vec![proxy(81)];
    let diff = job_diff(Some(&old), Some(&new), true);
    let [service] = diff.task_groups[0].objects.as_slice() else {
        panic!("{:?}", diff.task_groups[0].objects);
    };
    let proxy = &service.objects[0].objects[0].objects[0];
    assert_eq!(proxy.name, "ConsulProxy");
    assert_eq!(
        names_and_kinds(&proxy.objects),
        [("TransparentProxy", DiffType::None)]
    );
    assert!(proxy.objects[0].fields.is_empty());
}
