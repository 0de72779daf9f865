//! Canaries: who promotes them.

use super::*;

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
fn a_paused_rollout_is_called_paused_also_when_its_canaries_are_promoted() {
    let id = deployment_id(WATCHED);
    let mut cluster = rollout(|group| group.desired_canaries = 1);
    let alloc = place(&mut cluster, 1, canary);
    cluster.tell(alloc, ClientStatus::Running, Some(true));
    let command = cluster.with_ids(|state, now, ids| pause(state, id, true, now, ids));
    cluster.apply(command.expect("it goes on"));
    let command = cluster.with_ids(|state, now, ids| promote(state, id, Vec::new(), now, ids));
    cluster.apply(command.expect("it is paused, not ended"));
    assert!(row(&cluster).task_groups["web"].promoted);
    assert_eq!(row(&cluster).status_description, "Deployment is paused");
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
