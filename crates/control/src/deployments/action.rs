//! What users do to a deployment: each gives the one command that does it.

use super::revert;
use crate::Ids;
use crate::follow_up::evaluation;
use caravan_model::*;
use caravan_state::{Command, JobKey, State};
use std::sync::Arc;

/// Why a deployment was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeploymentError {
    /// No such deployment.
    #[error("deployment not found")]
    NotFound,
    /// It has ended.
    #[error("can't {0} terminal deployment")]
    Terminal(&'static str),
    /// No such allocation.
    #[error("unknown alloc \"{0}\"")]
    UnknownAlloc(AllocId),
    /// An allocation is not one of its.
    #[error("alloc \"{alloc}\" is not part of deployment \"{deployment}\"")]
    NotItsAlloc {
        /// Which allocation.
        alloc: AllocId,
        /// Which deployment.
        deployment: DeploymentId,
    },
}

/// A deployment that goes on, and its job.
fn active<'a>(
    state: &'a State,
    id: DeploymentId,
    action: &'static str,
) -> Result<(&'a Arc<Deployment>, &'a Arc<Job>), DeploymentError> {
    let deployment = state.deployment(&id).ok_or(DeploymentError::NotFound)?;
    if !deployment.is_active() {
        return Err(DeploymentError::Terminal(action));
    }
    let key = JobKey::new(deployment.namespace.clone(), deployment.job_id.clone());
    let job = state.job(&key).ok_or(DeploymentError::NotFound)?;
    Ok((deployment, job))
}

/// Whether a job is still what a deployment rolls out.
pub(super) fn belongs(deployment: &Deployment, job: &Job) -> bool {
    job.version == deployment.job_version && job.create_index == deployment.job_create_index
}

/// The evaluation that carries a deployment on.
pub(super) fn watcher_eval(
    deployment: &Deployment,
    job: &Job,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> Evaluation {
    let mut eval = evaluation(job, trigger::DEPLOYMENT_WATCHER, ids.eval(), now);
    // It is about the deployment, whatever the version of the job.
    eval.job_modify_index = 0;
    eval.deployment_id = deployment.id;
    if deployment.eval_priority > 0 {
        eval.priority = deployment.eval_priority;
    }
    eval
}

/// Fails a deployment. The job goes back to its last stable version when some group wants that.
///
/// # Errors
/// When there is no such deployment or it has ended.
pub fn fail(
    state: &State,
    id: DeploymentId,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> Result<Command, DeploymentError> {
    let (deployment, job) = active(state, id, "fail")?;
    let wants_back = belongs(deployment, job)
        && deployment
            .task_groups
            .values()
            .any(|group| group.auto_revert);
    let failure = revert::fail(
        state,
        deployment,
        job,
        deployment_description::FAILED_BY_USER,
        wants_back,
        now,
    );
    Ok(Command::UpdateDeploymentStatus {
        update: failure.update,
        job: failure.job,
        eval: Some(watcher_eval(deployment, job, now, ids)),
        now,
    })
}

/// Stops a deployment for now, or lets it go on.
///
/// # Errors
/// When there is no such deployment or it has ended.
pub fn pause(
    state: &State,
    id: DeploymentId,
    pause: bool,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> Result<Command, DeploymentError> {
    let (deployment, job) = active(state, id, if pause { "pause" } else { "resume" })?;
    let (status, description, eval) = if pause {
        (
            DeploymentStatus::Paused,
            deployment_description::PAUSED,
            None,
        )
    } else {
        let eval = watcher_eval(deployment, job, now, ids);
        (
            DeploymentStatus::Running,
            deployment_description::RUNNING,
            Some(eval),
        )
    };
    let update = DeploymentStatusUpdate {
        deployment_id: id,
        status,
        status_description: description.to_owned(),
        updated_at: now,
    };
    Ok(Command::UpdateDeploymentStatus {
        update,
        job: None,
        eval,
        now,
    })
}

/// Promotes the canaries of groups, of all when none is named. Whether they are healthy is checked when it is
/// applied, against the state of then.
///
/// # Errors
/// When there is no such deployment or it has ended.
pub fn promote(
    state: &State,
    id: DeploymentId,
    groups: Vec<String>,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> Result<Command, DeploymentError> {
    let (deployment, job) = active(state, id, "promote")?;
    let eval = Some(watcher_eval(deployment, job, now, ids));
    Ok(Command::PromoteDeployment {
        deployment: id,
        groups,
        eval,
        now,
    })
}

/// Says which allocations are healthy. An unhealthy one fails the deployment, and rolls back when its group
/// wants that.
///
/// # Errors
/// When there is no such deployment, it has ended, or an allocation is not one of its.
pub fn set_health(
    state: &State,
    id: DeploymentId,
    healthy: Vec<AllocId>,
    unhealthy: Vec<AllocId>,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> Result<Command, DeploymentError> {
    let (deployment, job) = active(state, id, "set health of allocations for a")?;
    let mut wants_back = false;
    let current = belongs(deployment, job);
    for (alloc, is_bad) in healthy
        .iter()
        .map(|id| (id, false))
        .chain(unhealthy.iter().map(|id| (id, true)))
    {
        let row = state
            .alloc(alloc)
            .ok_or(DeploymentError::UnknownAlloc(*alloc))?;
        if row.deployment_id != id {
            return Err(DeploymentError::NotItsAlloc {
                alloc: *alloc,
                deployment: id,
            });
        }
        let group = deployment.task_groups.get(&row.task_group);
        wants_back |= current && is_bad && group.is_some_and(|group| group.auto_revert);
    }
    let failure = (!unhealthy.is_empty()).then(|| {
        revert::fail(
            state,
            deployment,
            job,
            deployment_description::FAILED_ALLOCATIONS,
            wants_back,
            now,
        )
    });
    let (update, reverted) =
        failure.map_or((None, None), |failure| (Some(failure.update), failure.job));
    Ok(Command::SetAllocHealth {
        deployment: id,
        healthy,
        unhealthy,
        update,
        job: reverted,
        eval: Some(watcher_eval(deployment, job, now, ids)),
        now,
    })
}
