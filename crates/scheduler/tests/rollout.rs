//! Whole rollouts: how many steps, in which order, and on which nodes.

mod support;

use caravan_model::*;
use caravan_scheduler::{Settings, rollout};
use std::sync::Arc;
use support::{World, equal, job, node, rolling};

/// A cluster where three healthy allocations of the first version run.
fn running(update: Option<UpdateStrategy>) -> (World, Job) {
    let mut world = World::new(4);
    let mut first = job("web", job_type::SERVICE, 3);
    first.task_groups[0].update = update;
    world.register(first.clone());
    world.run_healthy("web");
    (world, first)
}

fn settings(world: &World) -> Settings {
    Settings {
        now: world.now,
        seed: 7,
        ..Settings::default()
    }
}

/// The steps as the counts that are not zero.
fn steps(found: &Rollout) -> Vec<String> {
    let words = |step: &RolloutStep| {
        let updates = step.updates.get("g").copied().unwrap_or_default();
        let counts = [
            ("canary", updates.canary),
            ("place", updates.place),
            ("replace", updates.destructive_update),
            ("in place", updates.in_place_update),
            ("stop", updates.stop),
        ];
        let promoted = if step.promotes.is_empty() {
            ""
        } else {
            "promoted: "
        };
        let counts: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        promoted.to_owned() + &counts.join(", ")
    };
    found.steps.iter().map(words).collect()
}

#[test]
fn a_new_job_is_placed_at_once() {
    let world = World::new(2);
    let new = Arc::new(job("web", job_type::SERVICE, 3));
    let found = rollout(&world.state, &new, &settings(&world));
    assert_eq!(steps(&found), ["3 place"]);
    assert!(!found.truncated);
}

#[test]
fn an_unchanged_job_has_no_steps() {
    let (world, first) = running(Some(rolling(1, 0)));
    let found = rollout(&world.state, &Arc::new(first), &settings(&world));
    assert_eq!(steps(&found), Vec::<String>::new());
    assert!(!found.deployment);
}

#[test]
fn a_rolling_update_goes_one_by_one() {
    let (world, mut next) = running(Some(rolling(1, 0)));
    next.task_groups[0].tasks[0]
        .env
        .insert("A".into(), "2".into());
    let found = rollout(&world.state, &Arc::new(next), &settings(&world));
    assert_eq!(steps(&found), ["1 replace", "1 replace", "1 replace"]);
    assert!(found.deployment);
}

#[test]
fn canaries_come_first_and_wait_to_be_promoted() {
    let (world, mut next) = running(Some(rolling(1, 1)));
    next.task_groups[0].tasks[0]
        .env
        .insert("A".into(), "2".into());
    let found = rollout(&world.state, &Arc::new(next), &settings(&world));
    let told = steps(&found);
    assert_eq!(told[0], "1 canary");
    assert!(told[1].starts_with("promoted: "), "{told:?}");
    assert!(!found.steps[1].auto_promote);
    let replaced: u64 = found.steps[1..]
        .iter()
        .map(|step| step.updates.get("g").map_or(0, |it| it.destructive_update))
        .sum();
    assert_eq!(replaced, 2, "{told:?}");
}

#[test]
fn nodes_that_cannot_take_part_say_why() {
    let mut world = World::new(3);
    let mut elsewhere = node(3);
    elsewhere.datacenter = "dc2".into();
    world.add_node(elsewhere);
    world.drain(node(2).id);
    let mut new = job("web", job_type::SERVICE, 1);
    new.datacenters = vec!["dc1".into()];
    new.constraints = vec![equal("${meta.rack}", "r0")];
    let found = rollout(&world.state, &Arc::new(new), &settings(&world));
    let nodes = &found.nodes["g"];
    assert_eq!(nodes.candidate_names, ["n0"]);
    let reasons: Vec<(&str, &[String])> = nodes
        .excluded
        .iter()
        .map(|one| (one.reason.as_str(), one.names.as_slice()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("constraint \"${meta.rack} = r0\"", &["n1".to_owned()][..]),
            ("it is in the datacenter \"dc2\"", &["n3".to_owned()][..]),
            ("the node drains", &["n2".to_owned()][..]),
        ]
    );
}
