//! Tests of rollouts, in plain values.

use super::*;
use crate::cluster::*;
use caravan_model::*;
use caravan_state::{Command, PlanApply};
use std::sync::Arc;

mod canaries;
mod failures;
mod users;
mod verdicts;

const WATCHED: u128 = 1;

/// A cluster with a stable version 0.
fn stable() -> (Cluster, Arc<Job>) {
    let mut cluster = Cluster::new();
    let job = cluster.register(service("web", 2));
    cluster.apply(Command::SetJobStability {
        job: key("web"),
        version: 0,
        stable: true,
    });
    (cluster, job)
}

/// The same, and version 1 being rolled out by a deployment.
fn rollout(change: impl FnOnce(&mut DeploymentState)) -> Cluster {
    let (mut cluster, first) = stable();
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
