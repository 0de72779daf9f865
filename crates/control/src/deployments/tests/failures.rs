//! Which failures are replaced, which fail the rollout, and how far it is rolled back.

use super::*;

/// Nothing may take its place.
fn irreplaceable(alloc: &mut Allocation) {
    let mut job = Job::clone(alloc.job.as_ref().expect("its job"));
    job.task_groups[0].reschedule_policy = Some(ReschedulePolicy::default());
    // Of another version, so that the row keeps this job.
    job.version = 9;
    alloc.job = Some(Arc::new(job));
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
        let alloc = place(&mut cluster, 1, irreplaceable);
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

    let (mut cluster, job) = stable();
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
    let alloc = place(&mut cluster, 1, irreplaceable);
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    settle(&mut cluster);
    cluster.finish_evals("web");
    cluster.tell(alloc, ClientStatus::Failed, Some(true));
    assert_eq!(settle(&mut cluster).0, []);
    assert!(row(&cluster).is_active());
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
