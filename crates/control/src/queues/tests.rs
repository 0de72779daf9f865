//! Tests of what the queues hear of: which change moves which evaluation.

use super::*;
use crate::cluster::*;
use caravan_state::{Command, JobRemoval};

/// A cluster with one node, and queues that have heard all of it.
struct Led {
    cluster: Cluster,
    queues: Queues,
}

impl Led {
    fn new() -> Self {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        let mut node = Node::clone(cluster.state.node(&node_id(1)).expect("a node"));
        let mut resources = NodeResources::default();
        resources.cpu.cpu_shares = 1000;
        resources.memory.memory_mb = 1000;
        resources.disk.disk_mb = 1000;
        node.node_resources = Some(resources);
        cluster.apply(registered(node, cluster.now));
        let mut queues = Queues::default();
        queues.establish(&cluster.state, cluster.now);
        Self { cluster, queues }
    }

    /// Applies a command that the queues hear of at once.
    fn apply(&mut self, command: Command) {
        let applied = self.cluster.apply(command);
        let now = self.cluster.now;
        self.queues.observe(&[applied], &self.cluster.state, now);
    }

    /// Applies a command that the queues hear of, or that a new leader finds done.
    fn apply_heard_or_found(&mut self, heard: bool, command: Command) {
        if heard {
            self.apply(command);
        } else {
            self.cluster.apply(command);
            self.lead_again();
        }
    }

    /// A new leader hears of nothing that was before it, and finds it in the state.
    fn lead_again(&mut self) {
        self.queues.revoke();
        self.queues.establish(&self.cluster.state, self.cluster.now);
    }

    fn write(&mut self, eval: Evaluation) {
        let now = self.cluster.now;
        self.apply(Command::UpsertEvals {
            evals: vec![eval],
            now,
        });
    }

    /// An evaluation of `web` that found no room in the state of now, or `with` that changed.
    fn block(&mut self, number: u128, with: impl FnOnce(&mut Evaluation)) {
        let mut eval = Evaluation {
            status: EvalStatus::Blocked,
            failed_tg_allocs: [("web".to_owned(), AllocMetric::default())].into(),
            snapshot_index: self.cluster.state.index(),
            ..self.evaluation(number)
        };
        with(&mut eval);
        self.write(eval);
    }

    fn evaluation(&self, number: u128) -> Evaluation {
        Evaluation {
            id: EvalId::from_u128(number),
            namespace: "default".into(),
            job_id: "web".into(),
            r#type: job_type::SERVICE.to_owned(),
            priority: 50,
            create_time: self.cluster.now,
            ..Evaluation::default()
        }
    }

    /// The number of the evaluation that is handed out next.
    fn next(&mut self) -> Option<u128> {
        let now = self.cluster.now;
        let types = &[job_type::SERVICE, job_type::SYSBATCH];
        let eval = self.queues.broker.dequeue(types, "t".to_owned(), now)?;
        Some(eval.id.0.as_u128())
    }
}

fn registered(node: Node, now: UnixNanos) -> Command {
    Command::RegisterNode {
        node: Box::new(node),
        create_pool: false,
        evals: Vec::new(),
        now,
    }
}

fn purged(job: &str, now: UnixNanos) -> Command {
    Command::DeregisterJobs {
        jobs: vec![JobRemoval {
            job: key(job),
            purge: true,
            no_shutdown_delay: false,
            only_if_dead: false,
        }],
        evals: Vec::new(),
        now,
    }
}

/// No node that there is may serve.
fn no_node(eval: &mut Evaluation) {
    eval.class_eligibility = [(String::new(), false)].into();
}

#[test]
fn what_could_not_place_all_does_not_forget_what_waits_for_the_rest() {
    let mut led = Led::new();
    led.cluster.register(service("web", 1));
    led.block(1, |_| {});
    let done = Evaluation {
        status: EvalStatus::Complete,
        failed_tg_allocs: [("web".to_owned(), AllocMetric::default())].into(),
        ..led.evaluation(2)
    };
    led.write(done);
    assert!(led.queues.blocked.knows(EvalId::from_u128(1)));
    let done = Evaluation {
        status: EvalStatus::Complete,
        ..led.evaluation(3)
    };
    led.write(done);
    assert!(
        !led.queues.blocked.knows(EvalId::from_u128(1)),
        "all is placed"
    );
}

#[test]
fn a_new_leader_offers_what_came_free_since_the_last_look() {
    for (missed, woken) in [(true, Some(1)), (false, None)] {
        let mut led = Led::new();
        let job = led.cluster.register(service("web", 1));
        let alloc = led.cluster.place(1, &job, |_| {});
        let before = led.cluster.state.index();
        led.cluster.tell(alloc, ClientStatus::Complete, None);
        led.block(1, |eval| {
            if missed {
                eval.snapshot_index = before;
            }
        });
        led.lead_again();
        assert_eq!(led.next(), woken, "missed: {missed}");
    }
}

/// What the job's own allocation forbade, such as two on one host, may be allowed now: that is no matter of room.
#[test]
fn a_job_is_looked_at_again_when_an_allocation_of_its_own_is_gone() {
    let mut led = Led::new();
    let job = led.cluster.register(service("web", 2));
    let alloc = led.cluster.place(1, &job, |_| {});
    led.block(1, no_node);
    assert_eq!(led.next(), None);
    let mut over = Allocation::clone(led.cluster.state.alloc(&alloc).expect("placed"));
    over.client_status = ClientStatus::Complete;
    let now = led.cluster.now;
    led.apply(Command::UpdateAllocsFromClient {
        allocs: vec![over],
        evals: Vec::new(),
        now,
    });
    assert_eq!(led.next(), Some(1));
}

/// It went while the evaluation was judged, and was gone before the evaluation began to wait.
#[test]
fn an_allocation_that_was_gone_before_its_job_began_to_wait_is_not_missed() {
    for (missed, woken) in [(true, Some(1)), (false, None)] {
        let mut led = Led::new();
        let job = led.cluster.register(service("web", 2));
        let alloc = led.cluster.place(1, &job, |_| {});
        let before = led.cluster.state.index();
        led.cluster.tell(alloc, ClientStatus::Complete, None);
        led.block(1, |eval| {
            no_node(eval);
            if missed {
                eval.snapshot_index = before;
            }
        });
        assert_eq!(led.next(), woken, "missed: {missed}");
    }
}

#[test]
fn what_a_purged_job_leaves_wakes_who_waits() {
    for heard in [true, false] {
        let mut led = Led::new();
        let other = led.cluster.register(service("other", 1));
        led.cluster.place(1, &other, |_| {});
        led.cluster.register(service("web", 1));
        led.block(1, |_| {});
        assert_eq!(led.next(), None);
        let purge = purged("other", led.cluster.now);
        led.apply_heard_or_found(heard, purge);
        assert_eq!(led.next(), Some(1), "heard: {heard}");
    }
}

#[test]
fn a_volume_that_comes_up_on_a_node_wakes_who_waits() {
    let mut led = Led::new();
    led.cluster.register(service("web", 1));
    led.block(1, |_| {});
    assert_eq!(led.next(), None);
    led.apply(Command::UpsertHostVolumes {
        volumes: vec![HostVolume {
            namespace: "default".into(),
            id: "volume".to_owned(),
            name: "data".to_owned(),
            node_id: node_id(1),
            ..HostVolume::default()
        }],
    });
    assert_eq!(led.next(), Some(1));
}

#[test]
fn a_node_that_takes_work_again_wakes_who_waits() {
    let mut led = Led::new();
    led.cluster.register(service("web", 1));
    led.block(1, |_| {});
    let now = led.cluster.now;
    let mut became = |status| {
        led.apply(Command::UpdateNodeStatus {
            node: node_id(1),
            status,
            event: None,
            evals: Vec::new(),
            now,
        });
        led.next()
    };
    assert_eq!(became(NodeStatus::Down), None);
    assert_eq!(became(NodeStatus::Ready), Some(1));
}

/// They changed while the evaluation was judged, and nobody who waited then is there to be woken.
#[test]
fn rules_that_changed_before_an_evaluation_began_to_wait_are_not_missed() {
    for (missed, woken) in [(true, Some(1)), (false, None)] {
        let mut led = Led::new();
        led.cluster.register(service("web", 1));
        let before = led.cluster.state.index();
        led.apply(Command::SetSchedulerConfig {
            config: Box::default(),
            check_index: None,
        });
        led.block(1, |eval| {
            if missed {
                eval.snapshot_index = before;
            }
            no_node(eval);
        });
        assert_eq!(led.next(), woken, "missed: {missed}");
        led.lead_again();
        assert_eq!(led.next(), woken, "a new leader, missed: {missed}");
    }
}

/// That is what operators delete a claim for: the node that the group kept to may be gone for good.
#[test]
fn a_claim_that_is_deleted_wakes_the_job_that_kept_to_its_volume() {
    for heard in [true, false] {
        let mut led = Led::new();
        let mut node = Node::clone(led.cluster.state.node(&node_id(1)).expect("a node"));
        let shown = HostVolumeInfo {
            id: "volume".to_owned(),
            ..HostVolumeInfo::default()
        };
        node.host_volumes.insert("data".to_owned(), shown);
        led.cluster.apply(registered(node, led.cluster.now));
        let mut job = service("web", 1);
        let request = VolumeRequest {
            source: "data".to_owned(),
            sticky: true,
            ..VolumeRequest::default()
        };
        job.task_groups[0].volumes.insert("d".to_owned(), request);
        let job = led.cluster.register(job);
        led.cluster.place(1, &job, |_| {});
        led.block(1, no_node);
        assert_eq!(led.next(), None);
        let claims = led.cluster.state.volume_claims();
        let ids = claims.map(|claim| claim.id.clone()).collect();
        let deleted = Command::DeleteVolumeClaims { ids };
        led.apply_heard_or_found(heard, deleted);
        assert_eq!(led.next(), Some(1), "heard: {heard}");
    }
}

/// Of a job of the same name that comes later it would be the wrong one.
#[test]
fn what_waits_for_its_time_goes_with_its_job() {
    let mut led = Led::new();
    led.cluster.register(service("web", 1));
    led.write(Evaluation {
        wait_until: (led.cluster.now + Duration::from_secs(60)).into(),
        ..led.evaluation(1)
    });
    assert_eq!(led.queues.broker.stats().waiting, 1);
    led.apply(purged("web", led.cluster.now));
    assert_eq!(led.queues.broker.stats().waiting, 0);
}

/// Nothing else would ever wake it, and its job would never be over.
#[test]
fn what_waits_for_room_on_a_node_that_is_purged_is_looked_at_again() {
    for heard in [true, false] {
        let mut led = Led::new();
        led.cluster.add_node(2);
        led.cluster.register(Job {
            r#type: job_type::SYSBATCH.to_owned(),
            ..service("web", 1)
        });
        for number in [1, 2] {
            led.block(number, |eval| {
                eval.r#type = job_type::SYSBATCH.to_owned();
                eval.node_id = node_id(number);
            });
        }
        assert_eq!(led.next(), None);
        let purge = Command::DeregisterNodes {
            nodes: vec![node_id(2)],
            evals: Vec::new(),
        };
        if heard {
            led.apply(purge);
        } else {
            led.cluster.apply(purge);
            led.queues.revoke();
            led.queues.establish(&led.cluster.state, led.cluster.now);
        }
        assert_eq!((led.next(), led.next()), (Some(2), None), "heard: {heard}");
    }
}
