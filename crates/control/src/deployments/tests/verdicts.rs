//! When a verdict on an allocation has the job looked at, and when a rollout is left alone.

use super::*;
use caravan_state::AllocStop;

#[test]
fn nothing_is_wanted_of_an_unjudged_rollout_but_to_wait_for_its_deadline() {
    let mut cluster = rollout(|_| {});
    assert_eq!(settle(&mut cluster), (vec![], None));
    place(&mut cluster, 1, |_| {});
    assert_eq!(settle(&mut cluster), (vec![], Some(at(600))));
}

#[test]
fn a_healthy_verdict_has_the_job_looked_at_once() {
    let mut cluster = rollout(|_| {});
    let alloc = place(&mut cluster, 1, |_| {});
    cluster.pass(5);
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    let (commands, wake) = settle(&mut cluster);
    let [Command::UpsertEvals { evals, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(evals[0].triggered_by, trigger::DEPLOYMENT_WATCHER);
    assert_eq!(
        (evals[0].deployment_id, evals[0].priority),
        (deployment_id(WATCHED), 60)
    );
    assert_eq!(evals[0].job_modify_index, 0, "whatever the job's version");
    assert_eq!(
        wake,
        Some(at(605)),
        "each healthy one gives the next its own time"
    );
    cluster.finish_evals("web");
    assert_eq!(settle(&mut cluster).0, []);
}

#[test]
fn verdicts_on_what_is_placed_whole_have_the_job_looked_at_once_for_all() {
    let mut cluster = rollout(|_| {});
    let allocs: Vec<AllocId> = (1..=3)
        .map(|number| place(&mut cluster, number, |_| {}))
        .collect();
    for alloc in &allocs[..2] {
        cluster.pass(5);
        cluster.tell(*alloc, ClientStatus::Running, Some(true));
        assert_eq!(settle(&mut cluster).0, [], "the third is not yet judged");
    }
    let mut patient = DeploymentWatcher::default();
    for _ in 0..2 {
        assert_eq!(cluster.settle(&mut patient).0, [], "however long it takes");
        cluster.pass(5);
    }
    cluster.tell(allocs[2], ClientStatus::Running, Some(true));
    let mut watcher = DeploymentWatcher::default();
    assert_eq!(
        cluster.settle(&mut watcher),
        (vec![], Some(at(21))),
        "that it is done is said a moment later"
    );
    cluster.pass(1);
    let (commands, _) = cluster.settle(&mut watcher);
    assert!(
        matches!(commands[..], [Command::UpsertEvals { .. }]),
        "{commands:?}"
    );
}

#[test]
fn a_verdict_that_came_during_scheduling_is_not_missed() {
    let mut cluster = rollout(|_| {});
    let alloc = place(&mut cluster, 1, |_| {});
    let job = cluster.job("web").clone();
    let eval =
        crate::follow_up::evaluation(&job, trigger::JOB_REGISTER, EvalId::from_u128(5), at(0));
    let seen = cluster.state.index();
    cluster.upsert_eval(eval.clone());
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    assert_eq!(
        settle(&mut cluster).0,
        [],
        "an open evaluation will see it or say that it did not"
    );
    cluster.upsert_eval(Evaluation {
        status: EvalStatus::Complete,
        snapshot_index: seen,
        ..eval
    });
    assert_eq!(settle(&mut cluster).0.len(), 1);
}

#[test]
fn verdicts_that_come_together_are_seen_by_one_evaluation() {
    let mut cluster = rollout(|state| state.desired_total = 3);
    let first = place(&mut cluster, 1, |_| {});
    let second = place(&mut cluster, 2, |_| {});
    let mut watcher = DeploymentWatcher::default();
    cluster.tell(first, ClientStatus::Running, Some(true));
    assert_eq!(
        cluster.settle(&mut watcher),
        (vec![], Some(at(1))),
        "the other one may be judged in a moment"
    );
    cluster.tell(second, ClientStatus::Running, Some(true));
    assert_eq!(cluster.settle(&mut watcher).0.len(), 1);
    cluster.finish_evals("web");
    assert_eq!(cluster.settle(&mut watcher).0, []);
}

#[test]
fn a_verdict_is_not_kept_waiting_for_one_that_does_not_come() {
    let mut cluster = rollout(|state| state.desired_total = 3);
    let first = place(&mut cluster, 1, |_| {});
    place(&mut cluster, 2, |_| {});
    let mut watcher = DeploymentWatcher::default();
    cluster.tell(first, ClientStatus::Running, Some(true));
    assert_eq!(cluster.settle(&mut watcher).0, []);
    cluster.pass(1);
    assert_eq!(cluster.settle(&mut watcher).0.len(), 1);
}

#[test]
fn evaluations_that_wait_or_were_canceled_do_not_count_as_looks() {
    let mut cluster = rollout(|_| {});
    let alloc = place(&mut cluster, 1, |_| {});
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    let job = cluster.job("web").clone();
    let eval = |number| {
        crate::follow_up::evaluation(
            &job,
            trigger::ALLOC_RESCHEDULE,
            EvalId::from_u128(number),
            at(0),
        )
    };
    cluster.upsert_eval(Evaluation {
        wait_until: at(60).into(),
        ..eval(5)
    });
    cluster.upsert_eval(Evaluation {
        status: EvalStatus::Canceled,
        ..eval(6)
    });
    cluster.upsert_eval(Evaluation {
        status: EvalStatus::Blocked,
        snapshot_index: 3,
        ..eval(7)
    });
    assert_eq!(settle(&mut cluster).0.len(), 1);
}

#[test]
fn a_rollout_of_an_older_version_is_left_to_the_scheduler() {
    let mut cluster = rollout(|group| group.auto_revert = true);
    place(&mut cluster, 1, |_| {});
    let mut newer = cluster.job("web").clone();
    newer.priority = 70;
    cluster.register(newer);
    cluster.pass(10_000);
    assert_eq!(settle(&mut cluster), (vec![], None));
}

#[test]
fn a_verdict_is_news_though_some_of_what_was_placed_has_been_replaced() {
    let mut cluster = rollout(|_| {});
    let unhealthy = place(&mut cluster, 1, |_| {});
    cluster.tell(unhealthy, ClientStatus::Failed, Some(false));
    settle(&mut cluster);
    cluster.finish_evals("web");
    cluster.plan(PlanApply {
        stops: vec![AllocStop {
            id: unhealthy,
            desired_status: DesiredStatus::Stop,
            ..AllocStop::default()
        }],
        ..PlanApply::default()
    });
    for number in [2, 3] {
        let alloc = place(&mut cluster, number, |_| {});
        cluster.tell(alloc, ClientStatus::Running, Some(true));
        let (commands, _) = settle(&mut cluster);
        assert!(
            matches!(commands[..], [Command::UpsertEvals { .. }]),
            "the third is still to be placed: {commands:?}"
        );
        cluster.finish_evals("web");
    }
}

/// A job that was purged and registered anew begins with version 0 again: a deployment from before is none of its.
#[test]
fn a_rollout_of_a_job_of_the_same_name_is_left_alone() {
    let mut cluster = rollout(|_| {});
    place(&mut cluster, 1, |_| {});
    let mut stale = row(&cluster).clone();
    stale.job_create_index += 1;
    cluster.plan(PlanApply {
        deployment: Some(Box::new(stale)),
        ..PlanApply::default()
    });
    cluster.pass(10_000);
    assert_eq!(settle(&mut cluster), (vec![], None));
}
