//! Tests of drains, in plain values.

use super::*;
use crate::cluster::*;
use caravan_model::*;
use caravan_state::Command;

fn hour() -> DrainSpec {
    DrainSpec {
        deadline: Duration::from_secs(3600),
        ignore_system_jobs: false,
    }
}

/// A cluster with a service of three on node 1 (two) and node 2 (one), all with a verdict.
fn busy() -> Cluster {
    let mut cluster = Cluster::new();
    for node in [1, 2] {
        cluster.add_node(node);
    }
    let job = cluster.register(service("web", 3));
    for (number, node) in [(1, 1), (2, 1), (3, 2)] {
        let alloc = cluster.place(number, &job, |alloc| alloc.node_id = node_id(node));
        cluster.tell(alloc, ClientStatus::Running, Some(true));
    }
    cluster
}

fn drain(
    cluster: &mut Cluster,
    number: u128,
    spec: Option<DrainSpec>,
    mark_eligible: bool,
) -> Vec<Evaluation> {
    let node = Node::clone(cluster.state.node(&node_id(number)).expect("a node"));
    let (update, evals) = cluster.with_ids(|state, now, ids| {
        drain_update(
            state,
            &node,
            spec.as_ref(),
            mark_eligible,
            StringMap::new(),
            now,
            ids,
        )
    });
    let updates = [(node.id, update)].into();
    cluster.apply(Command::UpdateNodeDrains {
        updates,
        evals: evals.clone(),
        now: cluster.now,
    });
    evals
}

fn settle(cluster: &mut Cluster) -> (Vec<Command>, Option<UnixNanos>) {
    cluster.settle(&mut Drainer::default())
}

/// The allocations that were told to leave.
fn told(cluster: &Cluster) -> Vec<AllocId> {
    let told = cluster
        .state
        .allocs()
        .filter(|alloc| alloc.desired_transition.should_migrate());
    told.map(|alloc| alloc.id).collect()
}

fn node(cluster: &Cluster, number: u128) -> &Node {
    cluster.state.node(&node_id(number)).expect("a node")
}

fn last_event(node: &Node) -> &str {
    node.events
        .last()
        .map_or("", |event| event.message.as_str())
}

#[test]
fn a_service_leaves_as_its_migrate_block_allows() {
    let mut cluster = busy();
    drain(&mut cluster, 1, Some(hour()), false);
    let (commands, wake) = settle(&mut cluster);
    let [Command::UpdateDesiredTransitions { evals, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(
        (evals.len(), evals[0].triggered_by.as_str()),
        (1, trigger::NODE_DRAIN)
    );
    assert_eq!((told(&cluster), wake), (vec![alloc_id(1)], Some(at(3600))));

    // It has left; the next goes only when its replacement has a verdict.
    cluster.tell(alloc_id(1), ClientStatus::Complete, None);
    assert_eq!(settle(&mut cluster).0, []);
    let job = cluster.job("web").clone();
    let replacement = cluster.place(4, &job, |alloc| alloc.node_id = node_id(2));
    assert_eq!(settle(&mut cluster).0, []);
    cluster.tell(replacement, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    assert_eq!(told(&cluster), [alloc_id(1), alloc_id(2)]);
    assert!(node(&cluster, 1).drain_strategy.is_some());

    cluster.tell(alloc_id(2), ClientStatus::Complete, None);
    settle(&mut cluster);
    let node = node(&cluster, 1);
    assert_eq!(last_event(node), "Node drain complete");
    assert!(
        node.events
            .last()
            .is_some_and(|event| event.details.is_empty())
    );
    assert!(node.drain_strategy.is_none());
    assert_eq!(node.scheduling_eligibility, Eligibility::Ineligible);
    assert_eq!(
        node.last_drain.as_ref().map(|drain| drain.status),
        Some(DrainStatus::Complete)
    );
}

#[test]
fn groups_leave_at_the_speed_of_max_parallel_over_all_nodes() {
    for (max_parallel, expected) in [(1, 1), (2, 2), (3, 3), (9, 3)] {
        let mut cluster = busy();
        let mut job = cluster.job("web").clone();
        job.task_groups[0].migrate = Some(MigrateStrategy {
            max_parallel,
            ..MigrateStrategy::default()
        });
        cluster.register(job);
        drain(&mut cluster, 1, Some(hour()), false);
        drain(&mut cluster, 2, Some(hour()), false);
        settle(&mut cluster);
        assert_eq!(
            told(&cluster).len(),
            expected,
            "max_parallel {max_parallel}"
        );
    }
}

#[test]
fn at_the_deadline_everything_leaves_and_the_drain_ends() {
    let mut cluster = busy();
    drain(&mut cluster, 1, Some(hour()), false);
    settle(&mut cluster);
    cluster.pass(3600);
    let (_, wake) = settle(&mut cluster);
    assert_eq!(
        (told(&cluster), wake),
        (vec![alloc_id(1), alloc_id(2)], None)
    );
    let node = node(&cluster, 1);
    let event = node.events.last().expect("an event");
    assert_eq!(
        (event.message.as_str(), event.subsystem.as_str()),
        ("Node drain complete", "Drain")
    );
    assert_eq!(
        event.details.get("deadline_reached").map(String::as_str),
        Some("true")
    );
    assert!(node.drain_strategy.is_none());
}

#[test]
fn a_forced_drain_has_its_deadline_behind_it() {
    let mut cluster = busy();
    let force = DrainSpec {
        deadline: Duration(-1),
        ignore_system_jobs: false,
    };
    drain(&mut cluster, 1, Some(force), false);
    settle(&mut cluster);
    assert_eq!(
        last_event(node(&cluster, 1)),
        "Node drain strategy set",
        "it may still be taken back"
    );
    cluster.pass(1);
    settle(&mut cluster);
    assert_eq!(told(&cluster), [alloc_id(1), alloc_id(2)]);
    assert_eq!(last_event(node(&cluster, 1)), "Node drain complete");
}

#[test]
fn a_forced_drain_that_is_softened_at_once_leaves_system_jobs_alone() {
    let mut cluster = batch_and_system(true);
    let force = DrainSpec {
        deadline: Duration(-1),
        ignore_system_jobs: false,
    };
    drain(&mut cluster, 1, Some(force), false);
    settle(&mut cluster);
    let soft = DrainSpec {
        deadline: Duration::from_secs(3600),
        ignore_system_jobs: true,
    };
    drain(&mut cluster, 1, Some(soft), false);
    cluster.pass(60);
    settle(&mut cluster);
    assert_eq!(told(&cluster), []);
}

#[test]
fn without_a_deadline_a_drain_waits_for_ever() {
    let mut cluster = busy();
    drain(&mut cluster, 1, Some(DrainSpec::default()), false);
    settle(&mut cluster);
    cluster.pass(1_000_000);
    assert_eq!(settle(&mut cluster), (vec![], None));
    assert_eq!(told(&cluster), [alloc_id(1)]);
}

/// A node with a batch and a system allocation only.
fn batch_and_system(ignore_system_jobs: bool) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.add_node(1);
    for (number, id, kind) in [(1, "sum", job_type::BATCH), (2, "logs", job_type::SYSTEM)] {
        let mut job = Job {
            r#type: kind.to_owned(),
            ..service(id, 1)
        };
        job.task_groups[0].migrate = None;
        let job = cluster.register(job);
        cluster.place(number, &job, |_| {});
        cluster.tell(alloc_id(number), ClientStatus::Running, None);
    }
    drain(
        &mut cluster,
        1,
        Some(DrainSpec {
            ignore_system_jobs,
            ..hour()
        }),
        false,
    );
    cluster
}

#[test]
fn batch_work_may_finish_until_the_deadline_and_is_not_begun_anew() {
    let mut cluster = batch_and_system(false);
    assert_eq!(settle(&mut cluster), (vec![], Some(at(3600))));
    cluster.pass(3600);
    settle(&mut cluster);
    assert_eq!(told(&cluster), [alloc_id(1), alloc_id(2)]);
    let wish = |number| {
        cluster
            .state
            .alloc(&alloc_id(number))
            .map(|alloc| alloc.desired_transition)
    };
    assert_eq!(
        wish(1).and_then(|wish| wish.migrate_disable_placement),
        Some(true)
    );
    assert_eq!(
        wish(2).and_then(|wish| wish.migrate_disable_placement),
        None
    );
}

#[test]
fn system_work_goes_last() {
    let mut cluster = batch_and_system(false);
    cluster.tell(alloc_id(1), ClientStatus::Complete, None);
    settle(&mut cluster);
    assert_eq!(told(&cluster), [alloc_id(2)]);
    assert!(node(&cluster, 1).drain_strategy.is_none());
}

#[test]
fn system_work_stays_when_it_is_ignored() {
    for deadline in [false, true] {
        let mut cluster = batch_and_system(true);
        if deadline {
            cluster.pass(3600);
        } else {
            cluster.tell(alloc_id(1), ClientStatus::Complete, None);
        }
        settle(&mut cluster);
        assert!(!told(&cluster).contains(&alloc_id(2)));
        assert!(node(&cluster, 1).drain_strategy.is_none());
    }
}

#[test]
fn an_empty_node_is_done_at_once() {
    let mut cluster = Cluster::new();
    cluster.add_node(1);
    drain(&mut cluster, 1, Some(hour()), false);
    let (commands, _) = settle(&mut cluster);
    assert!(
        matches!(&commands[..], [Command::UpdateNodeDrains { .. }]),
        "{commands:?}"
    );
}

#[test]
fn a_drain_is_set_changed_and_called_off() {
    let mut cluster = busy();
    drain(&mut cluster, 1, Some(hour()), false);
    assert_eq!(last_event(node(&cluster, 1)), "Node drain strategy set");
    assert_eq!(
        node(&cluster, 1).scheduling_eligibility,
        Eligibility::Ineligible
    );
    cluster.pass(100);
    drain(&mut cluster, 1, Some(hour()), false);
    assert_eq!(last_event(node(&cluster, 1)), "Node drain strategy updated");
    let strategy = node(&cluster, 1).drain_strategy.clone().expect("it drains");
    assert_eq!(
        (strategy.started_at, strategy.force_deadline),
        (at(0).into(), at(3700).into())
    );
    let evals = drain(&mut cluster, 1, None, true);
    assert_eq!(
        (evals.len(), evals[0].triggered_by.as_str()),
        (1, trigger::NODE_UPDATE)
    );
    let row = node(&cluster, 1);
    assert_eq!(last_event(row), "Node drain disabled");
    assert_eq!(row.scheduling_eligibility, Eligibility::Eligible);
    let last = row.last_drain.as_ref().expect("it is remembered");
    assert_eq!(
        (last.status, last.started_at, last.updated_at),
        (DrainStatus::Canceled, at(0).into(), at(100).into())
    );

    // Calling off what does not run tells nothing and changes no memory.
    let evals = drain(&mut cluster, 1, None, true);
    assert_eq!(evals, []);
    assert_eq!(node(&cluster, 1).events.len(), 4);
    assert_eq!(
        node(&cluster, 1)
            .last_drain
            .as_ref()
            .map(|last| last.status),
        Some(DrainStatus::Canceled)
    );
}

#[test]
fn what_was_noted_with_a_drain_is_kept_until_something_new_is() {
    let mut cluster = busy();
    let noted = |cluster: &mut Cluster, meta: &[(&str, &str)]| {
        let node = Node::clone(node(cluster, 1));
        let meta = meta
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (update, evals) = cluster.with_ids(|state, now, ids| {
            drain_update(state, &node, Some(&hour()), false, meta, now, ids)
        });
        cluster.apply(Command::UpdateNodeDrains {
            updates: [(node.id, update)].into(),
            evals,
            now: cluster.now,
        });
        let last = cluster
            .state
            .node(&node.id)
            .and_then(|node| node.last_drain.clone());
        last.map(|last| last.meta.into_values().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    assert_eq!(noted(&mut cluster, &[("why", "disk")]), "disk");
    assert_eq!(noted(&mut cluster, &[]), "disk");
    assert_eq!(noted(&mut cluster, &[("why", "fan")]), "fan");
}

#[test]
fn an_allocation_that_was_never_judged_is_not_missed() {
    let mut cluster = busy();
    let job = cluster.job("web").clone();
    cluster.place(4, &job, |alloc| alloc.node_id = node_id(1));
    cluster.place(5, &job, |alloc| alloc.node_id = node_id(1));
    drain(&mut cluster, 1, Some(hour()), false);
    settle(&mut cluster);
    assert_eq!(
        told(&cluster),
        [alloc_id(1)],
        "the first that leaves is the one that can be spared"
    );
    cluster.tell(alloc_id(1), ClientStatus::Complete, None);
    let spare = cluster.place(6, &job, |alloc| alloc.node_id = node_id(2));
    cluster.tell(spare, ClientStatus::Running, Some(true));
    cluster.tell(alloc_id(2), ClientStatus::Complete, None);
    assert_eq!(settle(&mut cluster).0, [], "two of three are healthy");
    let spare = cluster.place(7, &job, |alloc| alloc.node_id = node_id(2));
    cluster.tell(spare, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    assert_eq!(told(&cluster), [1, 4, 5].map(alloc_id));
}

#[test]
fn a_node_that_is_empty_at_its_deadline_was_not_stopped_by_it() {
    let mut cluster = batch_and_system(false);
    cluster.tell(alloc_id(1), ClientStatus::Complete, None);
    cluster.pass(3600);
    settle(&mut cluster);
    let event = node(&cluster, 1).events.last().expect("an event");
    assert_eq!(event.message, "Node drain complete");
    assert!(event.details.is_empty());
}

/// A volume is let go by its plugin: that stays until all others are gone.
#[test]
fn plugins_of_volumes_go_last() {
    let mut cluster = Cluster::new();
    cluster.add_node(1);
    let mut plugin = service("plugin", 1);
    plugin.task_groups[0].migrate = None;
    plugin.task_groups[0].tasks = vec![Task {
        csi_plugin_config: Some(CsiPluginConfig::default()),
        ..Task::default()
    }];
    let plugin = cluster.register(plugin);
    let mut sum = Job {
        r#type: job_type::BATCH.to_owned(),
        ..service("sum", 1)
    };
    sum.task_groups[0].migrate = None;
    let sum = cluster.register(sum);
    cluster.place(1, &plugin, |_| {});
    cluster.place(2, &sum, |_| {});
    drain(&mut cluster, 1, Some(hour()), false);
    settle(&mut cluster);
    assert_eq!(told(&cluster), []);
    cluster.tell(alloc_id(2), ClientStatus::Complete, None);
    settle(&mut cluster);
    assert_eq!(told(&cluster), [alloc_id(1)]);
    assert!(node(&cluster, 1).drain_strategy.is_none());
}

#[test]
fn a_drain_remembers_nothing_of_one_that_is_over() {
    let mut cluster = Cluster::new();
    cluster.add_node(1);
    let begin = |cluster: &mut Cluster, meta: StringMap| {
        let row = Node::clone(node(cluster, 1));
        let (update, evals) = cluster.with_ids(|state, now, ids| {
            drain_update(state, &row, Some(&hour()), false, meta, now, ids)
        });
        cluster.apply(Command::UpdateNodeDrains {
            updates: [(row.id, update)].into(),
            evals,
            now: cluster.now,
        });
    };
    begin(&mut cluster, [("why".to_owned(), "disk".to_owned())].into());
    settle(&mut cluster);
    assert!(node(&cluster, 1).drain_strategy.is_none(), "it was empty");
    cluster.pass(60);
    begin(&mut cluster, StringMap::new());
    let last = node(&cluster, 1).last_drain.clone().expect("it is noted");
    assert!(last.meta.is_empty());
    assert_eq!(last.started_at, at(60).into());
}
