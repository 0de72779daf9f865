//! What users do to a rollout.

use super::*;
use crate::Ids;
use caravan_state::State;

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
    assert!(
        matches!(&command, Command::UpdateDeploymentStatus { job: Some(job), .. } if job.version == 0),
        "callers are told the version that the description names"
    );
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
