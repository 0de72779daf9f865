//! Tests of garbage collection, in plain values.

use super::*;
use crate::cluster::*;
use crate::follow_up::evaluation;
use caravan_state::{JobRemoval, PlanApply};

const HOUR: i64 = 3600;

fn eval_id(number: u128) -> EvalId {
    EvalId::from_u128(number)
}

/// Gives a job a complete evaluation of this number.
fn evaluated(cluster: &mut Cluster, job: &Job, number: u128) -> EvalId {
    let eval = evaluation(job, trigger::JOB_REGISTER, eval_id(number), cluster.now);
    cluster.upsert_eval(Evaluation {
        status: EvalStatus::Complete,
        ..eval
    });
    eval_id(number)
}

/// Places an allocation by an evaluation and has its client say how it ended.
fn ran(
    cluster: &mut Cluster,
    job: &Job,
    number: u128,
    eval: EvalId,
    status: ClientStatus,
) -> AllocId {
    let alloc = cluster.place(number, job, |alloc| alloc.eval_id = eval);
    cluster.tell(alloc, status, None);
    alloc
}

fn batch(id: &str) -> Job {
    Job {
        r#type: job_type::BATCH.to_owned(),
        ..service(id, 1)
    }
}

fn stop(cluster: &mut Cluster, id: &str) {
    let removal = JobRemoval {
        job: key(id),
        purge: false,
        no_shutdown_delay: false,
        only_if_dead: false,
    };
    cluster.apply(Command::DeregisterJobs {
        jobs: vec![removal],
        evals: Vec::new(),
        now: cluster.now,
    });
}

/// Collects with the usual thresholds; a second collection must find nothing.
fn collect(cluster: &mut Cluster) -> usize {
    let wanted =
        |cluster: &Cluster| collect::collect(&cluster.state, &GcThresholds::default(), cluster.now);
    carry_out(cluster, wanted)
}

fn force(cluster: &mut Cluster) -> usize {
    carry_out(cluster, |cluster| force_gc(&cluster.state, cluster.now))
}

fn carry_out(cluster: &mut Cluster, wanted: impl Fn(&Cluster) -> Vec<Command>) -> usize {
    let commands = wanted(cluster);
    let count = commands.len();
    for command in commands {
        cluster.apply(command);
    }
    assert_eq!(wanted(cluster), [], "a second collection");
    count
}

#[test]
fn it_is_looked_once_an_interval() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 1));
    evaluated(&mut cluster, &job, 1);
    let mut collector = GarbageCollector::new(GcThresholds::default());
    cluster.pass(2 * HOUR);
    assert_eq!(
        cluster.settle(&mut collector),
        (vec![], Some(at(2 * HOUR + 300))),
        "not at once"
    );
    cluster.pass(300);
    let (commands, wake) = cluster.settle(&mut collector);
    assert_eq!((commands.len(), wake), (1, Some(at(2 * HOUR + 600))));
    assert!(cluster.state.eval(&eval_id(1)).is_none());
}

#[test]
fn evaluations_stay_their_hour_and_while_they_are_open() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 1));
    let done = evaluated(&mut cluster, &job, 1);
    cluster.upsert_eval(evaluation(
        &job,
        trigger::JOB_REGISTER,
        eval_id(2),
        cluster.now,
    ));
    cluster.pass(HOUR);
    collect(&mut cluster);
    assert!(cluster.state.eval(&done).is_some());
    cluster.pass(1);
    collect(&mut cluster);
    assert!(cluster.state.eval(&done).is_none());
    assert!(cluster.state.eval(&eval_id(2)).is_some());
}

#[test]
fn what_can_go_goes_even_when_its_evaluation_must_stay() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 2));
    let eval = evaluated(&mut cluster, &job, 1);
    let ended = ran(&mut cluster, &job, 1, eval, ClientStatus::Complete);
    let running = ran(&mut cluster, &job, 2, eval, ClientStatus::Running);
    cluster.pass(2 * HOUR);
    collect(&mut cluster);
    assert!(cluster.state.alloc(&ended).is_none());
    assert!(cluster.state.alloc(&running).is_some() && cluster.state.eval(&eval).is_some());
}

#[test]
fn allocations_go_when_no_replacement_will_ask_about_them() {
    let now = at(100 * HOUR);
    let cutoff = at(99 * HOUR);
    let failed = Allocation {
        task_group: "web".to_owned(),
        client_status: ClientStatus::Failed,
        modify_time: at(0),
        ..Allocation::default()
    };
    let rescheduled = |hours: i64| {
        let event = RescheduleEvent {
            reschedule_time: at(hours * HOUR),
            ..RescheduleEvent::default()
        };
        Some(Box::new(RescheduleTracker {
            events: vec![event],
            ..RescheduleTracker::default()
        }))
    };
    let limited = |attempts: i64| {
        let mut job = service("web", 1);
        let interval = Duration::from_secs(24 * HOUR);
        job.task_groups[0].reschedule_policy = Some(ReschedulePolicy {
            attempts,
            interval,
            ..ReschedulePolicy::default()
        });
        job
    };
    let unlimited = service("web", 1);
    let stopped = Job {
        stop: true,
        ..service("web", 1)
    };
    let dead = Job {
        status: job_status::DEAD.to_owned(),
        ..service("web", 1)
    };
    let table: [(&str, Allocation, Option<&Job>, bool); 13] = [
        ("its job is gone", failed.clone(), None, true),
        ("its job is stopped", failed.clone(), Some(&stopped), true),
        ("its job is dead", failed.clone(), Some(&dead), true),
        (
            "it may be rescheduled for ever",
            failed.clone(),
            Some(&unlimited),
            false,
        ),
        (
            "it was replaced",
            Allocation {
                next_allocation: alloc_id(9),
                ..failed.clone()
            },
            Some(&unlimited),
            true,
        ),
        (
            "it was stopped",
            Allocation {
                desired_status: DesiredStatus::Stop,
                ..failed.clone()
            },
            Some(&unlimited),
            true,
        ),
        (
            "it ended well",
            Allocation {
                client_status: ClientStatus::Complete,
                ..failed.clone()
            },
            Some(&unlimited),
            true,
        ),
        (
            "nothing reschedules it",
            failed.clone(),
            Some(&limited(0)),
            true,
        ),
        (
            "it was never rescheduled",
            failed.clone(),
            Some(&limited(1)),
            false,
        ),
        (
            "its attempts still count",
            Allocation {
                reschedule_tracker: rescheduled(80),
                ..failed.clone()
            },
            Some(&limited(1)),
            false,
        ),
        (
            "its attempts are forgotten",
            Allocation {
                reschedule_tracker: rescheduled(10),
                ..failed.clone()
            },
            Some(&limited(1)),
            true,
        ),
        (
            "it ended just now",
            Allocation {
                modify_time: cutoff,
                ..failed.clone()
            },
            None,
            false,
        ),
        (
            "its client still runs it",
            Allocation {
                desired_status: DesiredStatus::Stop,
                client_status: ClientStatus::Running,
                ..failed
            },
            None,
            false,
        ),
    ];
    for (why, alloc, job, expected) in table {
        assert_eq!(
            rules::may_forget_alloc(&alloc, job, cutoff, now),
            expected,
            "{why}"
        );
    }
}

#[test]
fn the_last_run_of_a_batch_job_is_remembered() {
    let mut cluster = Cluster::new();
    let job = cluster.register(batch("sum"));
    let first = evaluated(&mut cluster, &job, 1);
    let first_run = ran(&mut cluster, &job, 1, first, ClientStatus::Complete);
    let mut changed = Job::clone(&job);
    changed.priority = 60;
    changed.submit_time = at(30 * HOUR);
    let job = cluster.register(changed);
    let second = evaluated(&mut cluster, &job, 2);
    let second_run = ran(&mut cluster, &job, 2, second, ClientStatus::Complete);
    cluster.pass(23 * HOUR);
    assert_eq!(collect(&mut cluster), 0, "batch evaluations stay a day");
    cluster.pass(2 * HOUR);
    collect(&mut cluster);
    assert!(cluster.state.alloc(&first_run).is_none() && cluster.state.eval(&first).is_none());
    assert!(cluster.state.alloc(&second_run).is_some() && cluster.state.eval(&second).is_some());
    stop(&mut cluster, "sum");
    cluster.pass(1);
    collect(&mut cluster);
    assert!(cluster.state.alloc(&second_run).is_none() && cluster.state.eval(&second).is_none());
}

#[test]
fn dead_jobs_go_with_all_that_is_theirs() {
    let mut cluster = Cluster::new();
    let job = cluster.register(batch("sum"));
    let eval = evaluated(&mut cluster, &job, 1);
    let run = ran(&mut cluster, &job, 1, eval, ClientStatus::Complete);
    assert_eq!(cluster.job("sum").status, job_status::DEAD);
    cluster.pass(4 * HOUR);
    assert_eq!(collect(&mut cluster), 0);
    cluster.pass(1);
    collect(&mut cluster);
    assert!(cluster.state.job(&key("sum")).is_none());
    assert!(cluster.state.alloc(&run).is_none() && cluster.state.eval(&eval).is_none());
}

#[test]
fn jobs_stay_that_run_are_tagged_or_may_come_back() {
    let mut cluster = Cluster::new();
    let running = cluster.register(batch("running"));
    let eval = evaluated(&mut cluster, &running, 1);
    ran(&mut cluster, &running, 1, eval, ClientStatus::Running);
    let tagged = cluster.register(batch("tagged"));
    let tag = JobVersionTag {
        name: "golden".to_owned(),
        ..JobVersionTag::default()
    };
    cluster.apply(Command::TagJobVersion {
        job: key("tagged"),
        version: 0,
        tag: Some(tag),
        name: "golden".to_owned(),
    });
    evaluated(&mut cluster, &tagged, 2);
    let idle = cluster.register(service("idle", 1));
    evaluated(&mut cluster, &idle, 3);
    let stopped = cluster.register(service("stopped", 1));
    evaluated(&mut cluster, &stopped, 4);
    stop(&mut cluster, "stopped");
    cluster.pass(1);
    force(&mut cluster);
    let left: Vec<&str> = cluster.state.jobs().map(|job| job.id.as_str()).collect();
    assert_eq!(left, ["idle", "running", "tagged"]);
}

#[test]
fn deployments_go_once_they_are_over_and_nothing_of_theirs_runs() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 1));
    for (number, status) in [
        (1, DeploymentStatus::Successful),
        (2, DeploymentStatus::Failed),
        (3, DeploymentStatus::Running),
    ] {
        let deployment = Deployment {
            id: deployment_id(number),
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            status,
            ..Deployment::default()
        };
        cluster.plan(PlanApply {
            deployment: Some(Box::new(deployment)),
            ..PlanApply::default()
        });
    }
    let alloc = cluster.place(1, &job, |alloc| alloc.deployment_id = deployment_id(2));
    let left = |cluster: &Cluster| {
        cluster
            .state
            .deployments()
            .map(|row| row.id)
            .collect::<Vec<_>>()
    };
    cluster.pass(HOUR);
    assert_eq!(collect(&mut cluster), 0);
    cluster.pass(1);
    collect(&mut cluster);
    assert_eq!(left(&cluster), [deployment_id(2), deployment_id(3)]);
    cluster.tell(alloc, ClientStatus::Complete, None);
    collect(&mut cluster);
    assert_eq!(left(&cluster), [deployment_id(3)]);
}

#[test]
fn nodes_go_after_a_day_down_with_nothing_left_on_them() {
    let mut cluster = Cluster::new();
    for number in [1, 2, 3] {
        cluster.add_node(number);
    }
    let job = cluster.register(service("web", 1));
    cluster.place(1, &job, |alloc| alloc.node_id = node_id(2));
    for node in [1, 2].map(node_id) {
        cluster.apply(Command::UpdateNodeStatus {
            node,
            status: NodeStatus::Down,
            event: None,
            evals: Vec::new(),
            now: cluster.now,
        });
    }
    let left = |cluster: &Cluster| {
        cluster
            .state
            .nodes()
            .map(|node| node.id)
            .collect::<Vec<_>>()
    };
    cluster.pass(24 * HOUR);
    assert_eq!(collect(&mut cluster), 0);
    cluster.pass(1);
    collect(&mut cluster);
    assert_eq!(left(&cluster), [2, 3].map(node_id));
}

#[test]
fn expired_tokens_go() {
    let mut cluster = Cluster::new();
    let token = |name: &str, expires: Timestamp| AclToken {
        accessor_id: name.to_owned(),
        secret_id: format!("secret of {name}"),
        expiration_time: expires,
        ..AclToken::default()
    };
    let tokens = vec![
        token("lasting", Timestamp::ZERO),
        token("short", at(60).into()),
    ];
    cluster.apply(Command::UpsertAclTokens { tokens });
    cluster.pass(HOUR + 60);
    assert_eq!(collect(&mut cluster), 0);
    cluster.pass(1);
    assert_eq!(collect(&mut cluster), 1);
    let left: Vec<&str> = cluster
        .state
        .acl_tokens()
        .map(|token| token.accessor_id.as_str())
        .collect();
    assert_eq!(left, ["lasting"]);
}

#[test]
fn large_collections_come_in_pieces() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 1));
    let evals = (1..=7300)
        .map(|number| Evaluation {
            status: EvalStatus::Complete,
            ..evaluation(&job, trigger::JOB_REGISTER, eval_id(number), at(0))
        })
        .collect();
    cluster.apply(Command::UpsertEvals { evals, now: at(0) });
    cluster.pass(1);
    assert_eq!(force(&mut cluster), 2);
    assert_eq!(cluster.state.evals().count(), 0);
}

/// A user may run a job again in the very moment in which it is found to be long over.
#[test]
fn a_job_that_is_run_again_meanwhile_stays() {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 1));
    evaluated(&mut cluster, &job, 1);
    stop(&mut cluster, "web");
    cluster.pass(5 * HOUR);
    let commands = collect::collect(&cluster.state, &GcThresholds::default(), cluster.now);
    let job = cluster.register(service("web", 1));
    let again = evaluation(&job, trigger::JOB_REGISTER, eval_id(2), cluster.now);
    cluster.upsert_eval(again);
    for command in commands {
        cluster.apply(command);
    }
    assert_eq!(cluster.job("web").status, job_status::PENDING);
}

/// A rollout that is held up gives back what was lost, and only rows tell of that.
#[test]
fn what_is_owed_a_replacement_stays_while_a_rollout_is_held_up() {
    let mut cluster = Cluster::new();
    cluster.add_node(1);
    let job = cluster.register(service("web", 2));
    let rollout = |status| Deployment {
        id: deployment_id(1),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        status,
        ..Deployment::default()
    };
    let deploy = |cluster: &mut Cluster, status| {
        cluster.plan(PlanApply {
            deployment: Some(Box::new(rollout(status))),
            ..PlanApply::default()
        });
    };
    deploy(&mut cluster, DeploymentStatus::Failed);
    let eval = evaluated(&mut cluster, &job, 1);
    let place = |cluster: &mut Cluster, number: u128, name: usize| {
        let name = Allocation::make_name(&job.id, "web", name);
        cluster.place(number, &job, |alloc| {
            (alloc.eval_id, alloc.name) = (eval, name);
            alloc.deployment_id = deployment_id(1);
        })
    };
    let lost = [(1, 0), (2, 1)].map(|(number, name)| {
        let alloc = place(&mut cluster, number, name);
        lose(&mut cluster, alloc);
        alloc
    });
    place(&mut cluster, 3, 1);
    cluster.pass(2 * HOUR);
    collect(&mut cluster);
    let left = |cluster: &Cluster| lost.map(|id| cluster.state.alloc(&id).is_some());
    assert_eq!(
        left(&cluster),
        [true, false],
        "another one has the name of the second"
    );
    deploy(&mut cluster, DeploymentStatus::Successful);
    collect(&mut cluster);
    assert_eq!(
        left(&cluster),
        [false, false],
        "nothing is held up any more"
    );
}

fn lose(cluster: &mut Cluster, id: AllocId) {
    let stop = caravan_state::AllocStop {
        id,
        desired_status: DesiredStatus::Stop,
        desired_description: desired_description::LOST.into(),
        client_status: Some(ClientStatus::Lost),
        ..caravan_state::AllocStop::default()
    };
    cluster.plan(PlanApply {
        stops: vec![stop],
        ..PlanApply::default()
    });
}
