//! What a failing rollout leaves behind: the failed deployment, and the last stable version when asked for.

use crate::follow_up::key_of;
use caravan_model::*;
use caravan_state::State;
use std::sync::Arc;

/// A decision to fail a deployment.
pub(super) struct Failure {
    pub(super) update: DeploymentStatusUpdate,
    pub(super) job: Option<Arc<Job>>,
}

/// Fails a deployment for a reason, and rolls its job back when asked.
pub(super) fn fail(
    state: &State,
    deployment: &Deployment,
    job: &Job,
    reason: &str,
    revert: bool,
    now: UnixNanos,
) -> Failure {
    let (suffix, job) = if revert {
        roll_back(state, job, now)
    } else {
        (String::new(), None)
    };
    let update = DeploymentStatusUpdate {
        deployment_id: deployment.id,
        status: DeploymentStatus::Failed,
        status_description: format!("{reason}{suffix}"),
        updated_at: now,
    };
    Failure { update, job }
}

/// How the description goes on, and the job to register.
fn roll_back(state: &State, job: &Job, now: UnixNanos) -> (String, Option<Arc<Job>>) {
    let stable = state
        .job_versions(&key_of(job))
        .find(|version| version.stable);
    let Some(stable) = stable else {
        return (
            " - no stable job version to auto revert to".to_owned(),
            None,
        );
    };
    let version = stable.version;
    if stable.same_spec(job) {
        let text = format!(
            " - not rolling back to stable job version {version} as current job has same specification"
        );
        return (text, None);
    }
    let reverted = Job {
        stable: false,
        version_tag: None,
        submit_time: now,
        ..Job::clone(stable)
    };
    (
        format!(" - rolling back to job version {version}"),
        Some(Arc::new(reverted)),
    )
}
