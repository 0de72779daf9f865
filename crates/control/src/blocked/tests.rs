//! Tests of blocked evaluations: who is woken by what, in plain values.

use super::*;
use crate::cluster::*;

/// A job whose one group asks for so much memory.
fn asking(id: &str, memory_mb: i64) -> Job {
    let mut job = service(id, 1);
    job.task_groups[0].tasks = vec![Task {
        name: "t".to_owned(),
        resources: Resources {
            cpu: 100,
            memory_mb,
            ..Resources::default()
        },
        ..Task::default()
    }];
    job
}

/// A cluster that evicts nobody, with room for so many MiB on its only node.
fn with_room(memory_mb: i64) -> Cluster {
    let mut cluster = Cluster::new();
    let mut config = SchedulerConfiguration::initial();
    config.preemption_config = PreemptionConfig::default();
    cluster.apply(caravan_state::Command::SetSchedulerConfig {
        config: Box::new(config),
        check_index: None,
    });
    add_node(&mut cluster, 1, "v1:fit", memory_mb);
    cluster
}

fn add_node(cluster: &mut Cluster, number: u128, class: &str, memory_mb: i64) -> NodeId {
    let id = cluster.add_node(number);
    let mut node = Node::clone(cluster.state.node(&id).expect("it was added"));
    node.computed_class = class.to_owned();
    let mut resources = NodeResources::default();
    resources.cpu.cpu_shares = 1_000_000;
    resources.memory.memory_mb = memory_mb;
    resources.disk.disk_mb = 1_000_000;
    node.node_resources = Some(resources);
    let now = cluster.now;
    cluster.apply(caravan_state::Command::RegisterNode {
        node: Box::new(node),
        create_pool: false,
        evals: Vec::new(),
        now,
    });
    id
}

/// An evaluation of a job that waits since it saw the state of now.
fn waiting(cluster: &Cluster, number: u128, job: &str) -> Evaluation {
    Evaluation {
        id: EvalId::from_u128(number),
        namespace: "default".into(),
        job_id: job.into(),
        r#type: job_type::SERVICE.to_owned(),
        priority: 50,
        status: EvalStatus::Blocked,
        snapshot_index: cluster.state.index(),
        create_index: 1,
        class_eligibility: [("v1:fit".to_owned(), true), ("v1:unfit".to_owned(), false)].into(),
        failed_tg_allocs: [("web".to_owned(), AllocMetric::default())].into(),
        queued_allocations: [("web".to_owned(), 1)].into(),
        ..Evaluation::default()
    }
}

struct Tracked {
    cluster: Cluster,
    blocked: Blocked,
}

impl Tracked {
    fn new(room: i64) -> Self {
        let mut blocked = Blocked::default();
        blocked.set_enabled(true);
        Self {
            cluster: with_room(room),
            blocked,
        }
    }

    fn block(&mut self, eval: Evaluation) {
        let asks = least_asked(&self.cluster.state, &eval);
        self.blocked.block(Arc::new(eval), asks);
    }

    /// Registers a job that asks for so much and lets an evaluation of it wait.
    fn wait_for(&mut self, number: u128, job: &str, memory_mb: i64) {
        self.cluster.register(asking(job, memory_mb));
        let eval = waiting(&self.cluster, number, job);
        self.block(eval);
    }

    /// The same of a job that fits, with an evaluation that is `changed`.
    fn wait_as(&mut self, number: u128, job: &str, changed: impl FnOnce(&mut Evaluation)) {
        self.cluster.register(asking(job, 100));
        let mut eval = waiting(&self.cluster, number, job);
        changed(&mut eval);
        self.block(eval);
    }

    fn freed(&mut self, node: NodeId) {
        let index = self.cluster.state.index() + 1;
        self.cluster
            .apply(caravan_state::Command::ReconcileSummaries);
        self.blocked.freed(node, index, self.cluster.now);
    }

    fn wake(&mut self) -> Vec<u128> {
        let woken = self.blocked.wake(&self.cluster.state, self.cluster.now);
        woken.iter().map(|eval| eval.id.0.as_u128()).collect()
    }
}

#[test]
fn capacity_wakes_fit_and_unknown_classes_only() {
    for (class, wakes) in [("v1:fit", true), ("v1:unknown", true), ("v1:unfit", false)] {
        let mut tracked = Tracked::new(0);
        tracked.wait_for(1, "a", 100);
        let node = add_node(&mut tracked.cluster, 2, class, 100);
        tracked.freed(node);
        assert_eq!(tracked.wake().len(), usize::from(wakes), "{class}");
    }
}

#[test]
fn what_escapes_the_classes_is_woken_by_any() {
    let mut tracked = Tracked::new(0);
    tracked.wait_as(1, "a", |eval| eval.escaped_computed_class = true);
    let node = add_node(&mut tracked.cluster, 2, "v1:unfit", 100);
    tracked.freed(node);
    assert_eq!(tracked.wake(), [1]);
}

#[test]
fn whoever_cannot_fit_is_left_alone() {
    let mut tracked = Tracked::new(100);
    tracked.wait_for(1, "big", 101);
    tracked.wait_for(2, "small", 100);
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [2]);
    assert_eq!(tracked.wake(), [0_u128; 0], "asked again, nothing is new");
}

#[test]
fn a_node_wakes_as_many_as_it_may_hold_and_the_rest_when_they_leave_room() {
    let mut tracked = Tracked::new(250);
    for number in 1..=20 {
        tracked.wait_for(number, &format!("job-{number}"), 100);
    }
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [1, 2]);
    assert_eq!(tracked.wake(), [0_u128; 0], "nobody is done");
    for number in 1..=2 {
        tracked.blocked.done(EvalId::from_u128(number));
    }
    assert_eq!(tracked.wake(), [3, 4], "they took nothing");
    assert_eq!(tracked.blocked.stats().blocked, 16);
    assert_eq!(tracked.blocked.stats().woken, 4);
}

#[test]
fn who_waits_is_not_held_up_for_ever_by_one_that_is_never_done() {
    let mut tracked = Tracked::new(100);
    tracked.wait_for(1, "a", 100);
    tracked.wait_for(2, "b", 100);
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [1]);
    assert_eq!(tracked.wake(), [0_u128; 0]);
    let at = tracked.blocked.tick(tracked.cluster.now).expect("a time");
    tracked.cluster.now = at;
    assert_eq!(tracked.wake(), [2]);
}

#[test]
fn higher_priority_and_then_age_goes_first() {
    let mut tracked = Tracked::new(100);
    for (number, priority) in [(1, 50), (2, 70), (3, 70)] {
        let job = format!("job-{number}");
        tracked.wait_as(number, &job, |eval| eval.priority = priority);
    }
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [2]);
}

#[test]
fn an_event_during_scheduling_is_not_missed() {
    let mut tracked = Tracked::new(100);
    tracked.cluster.register(asking("a", 100));
    let eval = waiting(&tracked.cluster, 1, "a");
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [0_u128; 0]);
    tracked.block(eval);
    assert_eq!(tracked.wake(), [1], "the event is newer than what it saw");
    tracked.wait_for(2, "b", 100);
    assert_eq!(tracked.wake(), [0_u128; 0], "this one has seen it");
}

#[test]
fn an_event_before_the_evaluation_was_written_is_not_missed() {
    let mut tracked = Tracked::new(100);
    tracked.cluster.register(asking("a", 100));
    let mut eval = waiting(&tracked.cluster, 1, "a");
    tracked.freed(node_id(1));
    eval.create_index = tracked.cluster.state.index() + 1;
    tracked.block(eval);
    assert_eq!(tracked.wake(), [1]);
}

#[test]
fn of_two_of_a_job_the_older_is_a_duplicate() {
    let mut tracked = Tracked::new(0);
    tracked.wait_for(1, "a", 100);
    tracked.freed(node_id(1));
    tracked.wait_for(2, "a", 100);
    let ids: Vec<EvalId> = tracked
        .blocked
        .take_duplicates(9)
        .iter()
        .map(|eval| eval.id)
        .collect();
    assert_eq!(ids, [EvalId::from_u128(1)]);
    assert_eq!(tracked.blocked.stats().blocked, 1);
}

/// The log is heard late: an evaluation that its worker gave back is told of once more, after another one of its job
/// that is exactly as new. Both would be canceled if they were superfluous in turn.
#[test]
fn of_two_that_are_as_new_it_is_always_the_same_one() {
    for given_back in [1, 2] {
        let mut tracked = Tracked::new(0);
        tracked.cluster.register(asking("a", 100));
        let mut first = waiting(&tracked.cluster, given_back, "a");
        let mut second = waiting(&tracked.cluster, 3 - given_back, "a");
        (first.create_index, first.snapshot_index) = (5, 9);
        (second.create_index, second.snapshot_index) = (9, 8);
        for eval in [&first, &second, &first] {
            tracked.block(eval.clone());
        }
        let gone = tracked.blocked.take_duplicates(9);
        let gone: BTreeSet<EvalId> = gone.iter().map(|eval| eval.id).collect();
        assert_eq!(gone.len(), 1);
        for id in [first.id, second.id] {
            assert_eq!(tracked.blocked.knows(id), !gone.contains(&id));
        }
    }
}

#[test]
fn untracking_a_job_forgets_it() {
    let mut tracked = Tracked::new(100);
    tracked.wait_for(1, "a", 100);
    tracked.blocked.untrack(&key("a"));
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake(), [0_u128; 0]);
    assert_eq!(tracked.blocked.stats().blocked, 0);
}

#[test]
fn a_job_is_woken_by_its_own_departures() {
    let mut tracked = Tracked::new(0);
    tracked.wait_for(1, "a", 100);
    tracked.wait_for(2, "b", 100);
    let woken = tracked.blocked.unblock_job(&key("a"));
    assert_eq!(woken.len(), 1);
    assert_eq!(tracked.blocked.stats().blocked, 1);
}

#[test]
fn what_came_free_before_an_evaluation_looked_is_nothing_new_to_it() {
    let mut tracked = Tracked::new(100);
    tracked.wait_for(1, "a", 100);
    let (seen, now) = (tracked.cluster.state.index(), tracked.cluster.now);
    // The queues hear of it late.
    tracked.blocked.freed(node_id(1), seen, now);
    assert_eq!(tracked.wake(), [0_u128; 0]);
    tracked.blocked.freed(node_id(1), seen + 1, now);
    assert_eq!(tracked.wake(), [1]);
}

#[test]
fn an_older_event_does_not_hide_a_newer_one() {
    let mut tracked = Tracked::new(100);
    tracked.wait_for(1, "a", 100);
    let (seen, now) = (tracked.cluster.state.index(), tracked.cluster.now);
    tracked.blocked.freed(node_id(1), seen + 1, now);
    tracked.blocked.freed(node_id(1), seen, now);
    assert_eq!(tracked.wake(), [1]);
}

#[test]
fn what_a_node_keeps_for_itself_is_no_room() {
    let mut cluster = with_room(1000);
    let mut node = Node::clone(cluster.state.node(&node_id(1)).expect("a node"));
    let reserved = node.reserved_resources.get_or_insert_default();
    reserved.cpu.cpu_shares = 10;
    reserved.memory.memory_mb = 20;
    reserved.disk.disk_mb = 30;
    let now = cluster.now;
    cluster.apply(caravan_state::Command::RegisterNode {
        node: Box::new(node),
        create_pool: false,
        evals: Vec::new(),
        now,
    });
    let node = cluster.state.node(&node_id(1)).expect("a node");
    let room = Room {
        cpu: 999_990,
        memory: 980,
        disk: 999_970,
    };
    assert_eq!(room_on(&cluster.state, node), Some(room));
}

/// What runs before or after the others may use what they use, and cores are worth what the node's are worth.
#[test]
fn no_more_is_said_to_be_needed_than_surely_is() {
    let mut cluster = with_room(0);
    let mut job = asking("a", 100);
    let main = job.task_groups[0].tasks[0].clone();
    let mut before = main.clone();
    before.name = "before".to_owned();
    before.lifecycle = Some(Lifecycle {
        hook: "prestart".to_owned(),
        sidecar: false,
    });
    let mut pinned = main.clone();
    pinned.name = "pinned".to_owned();
    pinned.resources.cores = 2;
    job.task_groups[0].tasks = vec![main, before, pinned];
    job.task_groups[0].ephemeral_disk.size_mb = 7;
    cluster.register(job);
    let least = Room {
        cpu: 100,
        memory: 200,
        disk: 7,
    };
    let eval = waiting(&cluster, 1, "a");
    assert_eq!(least_asked(&cluster.state, &eval), [(least, 1)]);
}

#[test]
fn an_event_is_remembered_for_a_quarter_of_an_hour() {
    for (minutes, woken) in [(15, true), (16, false)] {
        let mut tracked = Tracked::new(100);
        tracked.cluster.register(asking("a", 100));
        let eval = waiting(&tracked.cluster, 1, "a");
        tracked.freed(node_id(1));
        assert_eq!(tracked.wake(), [0_u128; 0], "nobody waits yet");
        tracked.cluster.pass(minutes * 60);
        tracked.blocked.tick(tracked.cluster.now);
        tracked.block(eval);
        assert_eq!(!tracked.wake().is_empty(), woken, "after {minutes} min");
    }
}

#[test]
fn room_for_everybody_wakes_not_everybody_at_once() {
    let mut tracked = Tracked::new(1_000_000);
    for number in 1..=100 {
        tracked.wait_for(number, &format!("job-{number}"), 1);
    }
    tracked.freed(node_id(1));
    assert_eq!(tracked.wake().len(), MOST_AT_ONCE);
    for number in 1..=100 {
        tracked.blocked.done(EvalId::from_u128(number));
    }
    assert_eq!(tracked.wake().len(), 100 - MOST_AT_ONCE);
}

#[test]
fn only_who_lost_too_many_races_is_tried_again_now_and_then() {
    let mut tracked = Tracked::new(0);
    for (number, why) in [(1, trigger::QUEUED_ALLOCS), (2, trigger::MAX_PLANS)] {
        let job = format!("job-{number}");
        tracked.wait_as(number, &job, |eval| eval.triggered_by = why.to_owned());
    }
    let again = tracked.blocked.unblock_failed();
    let again: Vec<u128> = again.iter().map(|eval| eval.id.0.as_u128()).collect();
    assert_eq!(again, [2]);
}

/// An allocation that the update replaces makes room itself: whoever waits needs only what the new one asks for beyond
/// it, on the node where it runs if no other may serve.
#[test]
fn what_an_update_replaces_makes_room_for_it() {
    for (only, asked) in [(NodeId::NIL, 50), (node_id(1), 50), (node_id(2), 150)] {
        let mut tracked = Tracked::new(0);
        let old = tracked.cluster.register(asking("a", 100));
        tracked.cluster.place(7, &old, |alloc| {
            let task = AllocatedTaskResources {
                memory: AllocatedMemoryResources {
                    memory_mb: 100,
                    ..AllocatedMemoryResources::default()
                },
                ..AllocatedTaskResources::default()
            };
            alloc.allocated_resources = Some(Arc::new(AllocatedResources {
                tasks: [("t".to_owned(), task)].into(),
                ..AllocatedResources::default()
            }));
        });
        let mut eval = waiting(&tracked.cluster, 1, "a");
        eval.node_id = only;
        let least = |tracked: &Tracked| least_asked(&tracked.cluster.state, &eval)[0].0.memory;
        assert_eq!(least(&tracked), 100, "nothing of it is replaced");
        tracked.cluster.register(asking("a", 150));
        assert_eq!(least(&tracked), asked, "only on {only}");
        tracked
            .cluster
            .tell(alloc_id(7), ClientStatus::Complete, None);
        assert_eq!(least(&tracked), 150, "it has given back all it had");
    }
}

/// Twenty thousand wait and a hundred nodes come, one by one: each wakes what it can hold and hardly more.
#[test]
fn a_crowd_is_woken_in_proportion_to_the_room() {
    let mut tracked = Tracked::new(0);
    tracked.cluster.register(asking("shape", 100));
    let shape = tracked.cluster.job("shape").clone();
    let asks = vec![(
        Room {
            cpu: 100,
            memory: 100,
            disk: 0,
        },
        1,
    )];
    assert_eq!(
        least_asked(
            &tracked.cluster.state,
            &waiting(&tracked.cluster, 1, "shape")
        ),
        asks
    );
    for number in 1..=20_000_u128 {
        let mut eval = waiting(&tracked.cluster, number, "shape");
        eval.job_id = format!("{}-{number}", shape.id).into();
        tracked.blocked.block(Arc::new(eval), asks.clone());
    }
    let mut woken = 0;
    for number in 2..=101 {
        let node = add_node(&mut tracked.cluster, number, "v1:fit", 1000);
        tracked.freed(node);
        let ids = tracked.wake();
        woken += ids.len();
        // They are placed: nothing is left on the node.
        for id in ids {
            tracked.blocked.done(EvalId::from_u128(id));
        }
        tracked.blocked.offers.close(node);
    }
    assert_eq!(woken, 1000);
}
