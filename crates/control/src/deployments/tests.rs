//! Tests of rollouts, in plain values.

use super::*;
use crate::Ids;
use crate::cluster::*;
use caravan_model::*;
use caravan_state::{AllocStop, Command, PlanApply, State};

const WATCHED: u128 = 1;

/// A cluster with a stable version 0 and version 1 being rolled out by a deployment.
fn rollout(change: impl FnOnce(&mut DeploymentState)) -> Cluster {
    let mut cluster = Cluster::new();
    let first = cluster.register(service("web", 2));
    cluster.apply(Command::SetJobStability {
        job: key("web"),
        version: 0,
        stable: true,
    });
    let mut second = Job::clone(&first);
    second.task_groups[0].count = 3;
    second.stable = false;
    begin(&mut cluster, second, change);
    cluster
}

fn begin(cluster: &mut Cluster, job: Job, change: impl FnOnce(&mut DeploymentState)) {
    let job = cluster.register(job);
    let mut group = DeploymentState {
        progress_deadline: Duration::from_secs(600),
        desired_total: 3,
        ..DeploymentState::default()
    };
    change(&mut group);
    let deployment = Deployment {
        id: deployment_id(WATCHED),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        job_version: job.version,
        job_create_index: job.create_index,
        task_groups: [("web".to_owned(), group)].into(),
        status: DeploymentStatus::Running,
        status_description: deployment_description::RUNNING.to_owned(),
        eval_priority: 60,
        ..Deployment::default()
    };
    cluster.plan(PlanApply {
        deployment: Some(Box::new(deployment)),
        ..PlanApply::default()
    });
}

fn place(cluster: &mut Cluster, number: u128, change: impl FnOnce(&mut Allocation)) -> AllocId {
    let job = cluster.job("web").clone();
    cluster.place(number, &job, |alloc| {
        alloc.deployment_id = deployment_id(WATCHED);
        change(alloc);
    })
}

fn canary(alloc: &mut Allocation) {
    let status = AllocDeploymentStatus {
        canary: true,
        ..AllocDeploymentStatus::default()
    };
    alloc.deployment_status = Some(status);
}

fn row(cluster: &Cluster) -> &Deployment {
    cluster
        .state
        .deployment(&deployment_id(WATCHED))
        .expect("the deployment")
}

fn settle(cluster: &mut Cluster) -> (Vec<Command>, Option<UnixNanos>) {
    cluster.settle(&mut DeploymentWatcher::default())
}

fn without_rescheduling(job: &mut Job) {
    job.task_groups[0].reschedule_policy = Some(ReschedulePolicy::default());
}

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

/// The rollout goes on, and its next step is one evaluation that may replace the allocation.
fn assert_rescheduled(cluster: &mut Cluster, alloc: AllocId) {
    let (commands, _) = settle(cluster);
    let [
        Command::UpdateDesiredTransitions {
            transitions, evals, ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert!(transitions[&alloc].should_reschedule());
    assert_eq!(evals.len(), 1);
    assert!(row(cluster).is_active());
}

#[test]
fn an_unhealthy_allocation_is_rescheduled_while_its_policy_allows() {
    let mut cluster = rollout(|group| group.auto_revert = true);
    let alloc = place(&mut cluster, 1, |_| {});
    cluster.tell(alloc, ClientStatus::Failed, Some(false));
    assert_rescheduled(&mut cluster, alloc);
}

#[test]
fn an_unhealthy_allocation_fails_the_rollout_when_nothing_may_replace_it() {
    for (auto_revert, description) in [
        (false, "Failed due to unhealthy allocations"),
        (
            true,
            "Failed due to unhealthy allocations - rolling back to job version 0",
        ),
    ] {
        let mut cluster = rollout(|group| group.auto_revert = auto_revert);
        let alloc = place(&mut cluster, 1, |alloc| {
            let mut job = Job::clone(alloc.job.as_ref().expect("its job"));
            without_rescheduling(&mut job);
            // Of another version, so that the row keeps this job.
            job.version = 9;
            alloc.job = Some(std::sync::Arc::new(job));
        });
        cluster.tell(alloc, ClientStatus::Failed, Some(false));
        let (commands, wake) = settle(&mut cluster);
        assert_eq!((commands.len(), wake), (1, None));
        assert_eq!(row(&cluster).status, DeploymentStatus::Failed);
        assert_eq!(row(&cluster).status_description, description);
        let job = cluster.job("web");
        let expected = if auto_revert { (2, 2) } else { (1, 3) };
        assert_eq!((job.version, job.task_groups[0].count), expected);
        assert!(!job.stable);
        assert_eq!(cluster.finish_evals("web"), 1);
    }
}

#[test]
fn without_a_progress_deadline_the_first_failure_fails_the_rollout() {
    let mut cluster = rollout(|group| group.progress_deadline = Duration::ZERO);
    let alloc = place(&mut cluster, 1, |_| {});
    assert_eq!(settle(&mut cluster), (vec![], None));
    cluster.tell(alloc, ClientStatus::Failed, Some(false));
    settle(&mut cluster);
    assert_eq!(
        row(&cluster).status_description,
        deployment_description::FAILED_ALLOCATIONS
    );
}

#[test]
fn the_progress_deadline_fails_a_rollout_that_stands_still() {
    let mut cluster = rollout(|group| group.auto_revert = true);
    place(&mut cluster, 1, |_| {});
    cluster.pass(599);
    assert_eq!(settle(&mut cluster).0, []);
    cluster.pass(1);
    settle(&mut cluster);
    assert_eq!(
        row(&cluster).status_description,
        "Failed due to progress deadline - rolling back to job version 0"
    );
    assert_eq!(cluster.job("web").version, 2);
}

#[test]
fn the_progress_deadline_is_no_matter_while_paused_finished_or_awaiting_promotion() {
    let mut paused = rollout(|_| {});
    place(&mut paused, 1, |_| {});
    let command =
        paused.with_ids(|state, now, ids| pause(state, deployment_id(WATCHED), true, now, ids));
    paused.apply(command.expect("it goes on"));
    let mut finished = rollout(|group| group.desired_total = 1);
    let alloc = place(&mut finished, 1, |_| {});
    finished.tell(alloc, ClientStatus::Running, Some(true));
    let mut waiting = rollout(|group| group.desired_canaries = 1);
    let alloc = place(&mut waiting, 1, canary);
    waiting.tell(alloc, ClientStatus::Running, Some(true));
    for mut cluster in [paused, finished, waiting] {
        let mut watcher = DeploymentWatcher::default();
        cluster.settle(&mut watcher);
        cluster.pass(1);
        cluster.settle(&mut watcher);
        cluster.finish_evals("web");
        cluster.pass(10_000);
        assert_eq!(cluster.settle(&mut watcher), (vec![], None));
    }
}

#[test]
fn suffixes_say_how_far_the_roll_back_came() {
    let mut cluster = Cluster::new();
    begin(&mut cluster, service("web", 2), |group| {
        group.auto_revert = true
    });
    place(&mut cluster, 1, |_| {});
    cluster.pass(600);
    settle(&mut cluster);
    assert_eq!(
        row(&cluster).status_description,
        "Failed due to progress deadline - no stable job version to auto revert to"
    );

    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 2));
    cluster.apply(Command::SetJobStability {
        job: key("web"),
        version: 0,
        stable: true,
    });
    begin(
        &mut cluster,
        Job {
            stable: false,
            ..Job::clone(&job)
        },
        |group| group.auto_revert = true,
    );
    place(&mut cluster, 1, |_| {});
    cluster.pass(600);
    settle(&mut cluster);
    assert_eq!(
        row(&cluster).status_description,
        "Failed due to progress deadline - not rolling back to stable job version 0 as current job has same specification"
    );
    assert_eq!(cluster.job("web").version, 1);
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
fn canaries_are_promoted_once_all_are_healthy() {
    let promoting = |group: &mut DeploymentState| {
        group.auto_promote = true;
        group.desired_canaries = 2;
    };
    let mut cluster = rollout(promoting);
    let canaries = [1, 2].map(|number| place(&mut cluster, number, canary));
    cluster.tell(canaries[0], ClientStatus::Running, Some(true));
    settle(&mut cluster);
    cluster.finish_evals("web");
    assert!(!row(&cluster).task_groups["web"].promoted);
    cluster.tell(canaries[1], ClientStatus::Running, Some(true));
    let (commands, _) = settle(&mut cluster);
    assert!(
        matches!(
            &commands[..],
            [Command::PromoteDeployment { eval: Some(_), .. }]
        ),
        "{commands:?}"
    );
    assert!(row(&cluster).task_groups["web"].promoted);
}

#[test]
fn canaries_wait_for_users_who_did_not_ask_for_auto_promotion() {
    let mut cluster = rollout(|group| group.desired_canaries = 1);
    let alloc = place(&mut cluster, 1, canary);
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    assert!(!row(&cluster).task_groups["web"].promoted);
    let command = cluster
        .with_ids(|state, now, ids| promote(state, deployment_id(WATCHED), Vec::new(), now, ids));
    cluster.apply(command.expect("it goes on"));
    assert!(row(&cluster).task_groups["web"].promoted);
}

#[test]
fn a_user_fails_pauses_and_resumes() {
    let id = deployment_id(WATCHED);
    let mut cluster = rollout(|group| group.auto_revert = true);
    place(&mut cluster, 1, |_| {});
    let command = cluster
        .with_ids(|state, now, ids| pause(state, id, true, now, ids))
        .expect("it goes on");
    assert!(matches!(
        &command,
        Command::UpdateDeploymentStatus { eval: None, .. }
    ));
    cluster.apply(command);
    assert_eq!(row(&cluster).status_description, "Deployment is paused");
    cluster.pass(50);
    let command = cluster
        .with_ids(|state, now, ids| pause(state, id, false, now, ids))
        .expect("it goes on");
    cluster.apply(command);
    assert_eq!(row(&cluster).status_description, "Deployment is running");
    assert_eq!(
        row(&cluster).task_groups["web"].require_progress_by,
        at(650).into()
    );
    let command = cluster
        .with_ids(|state, now, ids| fail(state, id, now, ids))
        .expect("it goes on");
    cluster.apply(command);
    assert_eq!(
        row(&cluster).status_description,
        "Deployment marked as failed - rolling back to job version 0"
    );
    assert_eq!(cluster.job("web").version, 2);
}

#[test]
fn a_user_judges_allocations() {
    let id = deployment_id(WATCHED);
    let mut cluster = rollout(|group| group.auto_revert = true);
    let allocs = [1, 2].map(|number| place(&mut cluster, number, |_| {}));
    let judge = |cluster: &mut Cluster, good: Vec<AllocId>, bad: Vec<AllocId>| {
        cluster.with_ids(|state, now, ids| set_health(state, id, good, bad, now, ids))
    };
    let command = judge(&mut cluster, vec![allocs[0]], vec![]).expect("its own");
    cluster.apply(command);
    assert!(row(&cluster).is_active());
    assert_eq!(row(&cluster).task_groups["web"].healthy_allocs, 1);
    let stranger = judge(&mut cluster, vec![alloc_id(99)], vec![])
        .map(|_| ())
        .unwrap_err();
    assert_eq!(stranger, DeploymentError::UnknownAlloc(alloc_id(99)));
    let command = judge(&mut cluster, vec![], vec![allocs[1]]).expect("its own");
    cluster.apply(command);
    assert_eq!(
        row(&cluster).status_description,
        "Failed due to unhealthy allocations - rolling back to job version 0"
    );
}

#[test]
fn what_has_ended_is_not_changed() {
    type Action =
        fn(&State, DeploymentId, UnixNanos, &mut Ids<'_>) -> Result<Command, DeploymentError>;
    let actions: [(Action, &str); 5] = [
        (fail, "can't fail terminal deployment"),
        (
            |state, id, now, ids| pause(state, id, true, now, ids),
            "can't pause terminal deployment",
        ),
        (
            |state, id, now, ids| pause(state, id, false, now, ids),
            "can't resume terminal deployment",
        ),
        (
            |state, id, now, ids| promote(state, id, Vec::new(), now, ids),
            "can't promote terminal deployment",
        ),
        (
            |state, id, now, ids| set_health(state, id, Vec::new(), Vec::new(), now, ids),
            "can't set health of allocations for a terminal deployment",
        ),
    ];
    let mut cluster = rollout(|_| {});
    let ended = cluster.with_ids(|state, now, ids| fail(state, deployment_id(WATCHED), now, ids));
    cluster.apply(ended.expect("it goes on"));
    for (action, text) in actions {
        let refused =
            cluster.with_ids(|state, now, ids| action(state, deployment_id(WATCHED), now, ids));
        assert_eq!(refused.map(|_| ()).unwrap_err().to_string(), text);
        let unknown = cluster.with_ids(|state, now, ids| action(state, deployment_id(8), now, ids));
        assert_eq!(
            unknown.map(|_| ()).unwrap_err().to_string(),
            "deployment not found"
        );
    }
}

#[test]
fn what_failed_after_it_was_healthy_is_replaced_while_its_policy_allows() {
    let mut cluster = rollout(|_| {});
    let alloc = place(&mut cluster, 1, |_| {});
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    cluster.finish_evals("web");
    cluster.tell(alloc, ClientStatus::Failed, Some(true));
    assert_rescheduled(&mut cluster, alloc);
}

#[test]
fn what_failed_after_it_was_healthy_does_not_fail_the_rollout_where_nothing_may_replace_it() {
    let mut cluster = rollout(|_| {});
    let alloc = place(&mut cluster, 1, |alloc| {
        let mut job = Job::clone(alloc.job.as_ref().expect("its job"));
        without_rescheduling(&mut job);
        job.version = 9;
        alloc.job = Some(std::sync::Arc::new(job));
    });
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    cluster.finish_evals("web");
    cluster.tell(alloc, ClientStatus::Failed, Some(true));
    assert_eq!(settle(&mut cluster).0, []);
    assert!(row(&cluster).is_active());
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

#[test]
fn the_progress_deadline_lies_on_what_replaces_a_healthy_one() {
    let mut cluster = rollout(|group| group.desired_total = 1);
    let first = place(&mut cluster, 1, |_| {});
    cluster.tell(first, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    cluster.finish_evals("web");
    place(&mut cluster, 2, |_| {});
    cluster.pass(600);
    settle(&mut cluster);
    assert_eq!(
        row(&cluster).status_description,
        deployment_description::PROGRESS_DEADLINE
    );
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

#[test]
fn a_verdict_on_an_older_rollout_takes_no_job_back() {
    let mut cluster = rollout(|group| group.auto_revert = true);
    let alloc = place(&mut cluster, 1, |_| {});
    let mut newer = cluster.job("web").clone();
    newer.priority = 70;
    let newer = cluster.register(newer);
    let id = deployment_id(WATCHED);
    let command =
        cluster.with_ids(|state, now, ids| set_health(state, id, vec![], vec![alloc], now, ids));
    cluster.apply(command.expect("its own"));
    assert_eq!(row(&cluster).status, DeploymentStatus::Failed);
    assert_eq!(cluster.job("web").version, newer.version);
}

#[test]
fn canaries_that_were_healthy_and_are_gone_are_not_promoted() {
    let promoting = |group: &mut DeploymentState| {
        group.auto_promote = true;
        group.desired_canaries = 1;
    };
    let mut cluster = rollout(promoting);
    let alloc = place(&mut cluster, 1, canary);
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    cluster.tell(alloc, ClientStatus::Complete, Some(true));
    settle(&mut cluster);
    assert!(!row(&cluster).task_groups["web"].promoted);
}
