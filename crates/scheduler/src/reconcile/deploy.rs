//! Deployments: giving old ones up, making new ones, completing them (scheduler sheet §§12.1, 12.17, 12.18).

use super::Reconciler;
use caravan_model::*;

/// Whether updates of the group are rolled out by a deployment.
pub(crate) fn rolls_out(group: &TaskGroup) -> Option<&UpdateStrategy> {
    group
        .update
        .as_ref()
        .filter(|update| update.max_parallel > 0)
}

/// A change of a deployment's status.
pub(crate) fn status_update(
    id: DeploymentId,
    status: DeploymentStatus,
    description: &str,
    now: UnixNanos,
) -> DeploymentStatusUpdate {
    DeploymentStatusUpdate {
        deployment_id: id,
        status,
        status_description: description.to_owned(),
        updated_at: now,
    }
}

impl Reconciler<'_> {
    fn update_deployment(&mut self, id: DeploymentId, status: DeploymentStatus, description: &str) {
        let update = status_update(id, status, description, self.input.now);
        self.out.deployment_updates.push(update);
    }

    /// Gives up a deployment that is not of this version.
    pub(super) fn settle_old_deployment(&mut self) {
        let Some(deployment) = self.deployment.clone() else {
            return;
        };
        let Some(job) = self.input.job.clone() else {
            if deployment.is_active() {
                self.update_deployment(
                    deployment.id,
                    DeploymentStatus::Cancelled,
                    deployment_description::STOPPED_JOB,
                );
            }
            self.deployment = None;
            return;
        };
        let other = deployment.job_create_index != job.create_index
            || deployment.job_version != job.version;
        if other && deployment.is_active() {
            self.update_deployment(
                deployment.id,
                DeploymentStatus::Cancelled,
                deployment_description::NEWER_JOB,
            );
        }
        if other || deployment.status == DeploymentStatus::Successful {
            self.old_deployment = self.input.deployment.clone();
            self.deployment = None;
        }
    }

    pub(super) fn deployment_is_paused(&self) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| {
            matches!(
                deployment.status,
                DeploymentStatus::Paused
                    | DeploymentStatus::Pending
                    | DeploymentStatus::Initializing
            )
        })
    }

    pub(super) fn deployment_is_failed(&self) -> bool {
        self.deployment
            .as_ref()
            .is_some_and(|deployment| deployment.status == DeploymentStatus::Failed)
    }

    /// The group's part of the current deployment, or a new one; and whether it existed.
    pub(super) fn deployment_state(&self, group: &TaskGroup) -> (DeploymentState, bool) {
        let existing = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.task_groups.get(&group.name));
        if let Some(existing) = existing {
            return (existing.clone(), true);
        }
        let mut state = DeploymentState::default();
        if let Some(update) = rolls_out(group) {
            state.auto_revert = update.auto_revert;
            state.auto_promote = update.auto_promote;
            state.progress_deadline = update.progress_deadline;
        }
        (state, false)
    }

    /// Adds the group to the deployment, which is made when there is none. A group that is `rolled_out` only gets back
    /// what it has lost.
    pub(super) fn join_deployment(
        &mut self,
        job: &Job,
        group: &TaskGroup,
        mut state: DeploymentState,
        rolled_out: bool,
    ) {
        // What is silent may be replaced beside what stands in for it: there are never more than the count in the end.
        state.desired_total = state.desired_total.min(group.count);
        if rolls_out(group).is_none() || state.desired_total == 0 || rolled_out {
            return;
        }
        if self.deployment.is_none() {
            self.deployment_is_new = true;
            self.deployment = Some(Deployment {
                id: DeploymentId(self.rng.uuid()),
                namespace: job.namespace.clone(),
                job_id: job.id.clone(),
                job_version: job.version,
                job_modify_index: job.modify_index,
                job_spec_modify_index: job.job_modify_index,
                job_create_index: job.create_index,
                status: DeploymentStatus::Running,
                status_description: deployment_description::RUNNING.to_owned(),
                eval_priority: self.input.eval.priority,
                create_time: self.input.now,
                modify_time: self.input.now,
                ..Deployment::default()
            });
        }
        if let Some(deployment) = &mut self.deployment {
            deployment.task_groups.insert(group.name.clone(), state);
        }
    }

    /// Completes the deployment when every group is, and hands a new one over.
    pub(super) fn finish_deployment(&mut self, complete: bool) {
        let Some(deployment) = self.deployment.clone() else {
            return;
        };
        if complete && deployment.is_active() && !self.deployment_is_new {
            self.update_deployment(
                deployment.id,
                DeploymentStatus::Successful,
                deployment_description::SUCCESSFUL,
            );
        }
        if deployment.is_active() {
            self.out.deployment_id = deployment.id;
        }
        if self.deployment_is_new {
            let mut deployment = deployment;
            if deployment.requires_promotion() {
                deployment.status_description = promotion_text(&deployment).to_owned();
            }
            self.out.deployment = Some(deployment);
        } else if deployment.status == DeploymentStatus::Initializing {
            self.out.deployment = Some(deployment);
        }
    }

    /// Whether nothing is left to do for the group in its deployment.
    pub(super) fn is_healthy_and_promoted(&self, group: &TaskGroup) -> bool {
        let Some(deployment) = &self.deployment else {
            return false;
        };
        let Some(state) = deployment.task_groups.get(&group.name) else {
            return true;
        };
        state.healthy_allocs >= state.desired_total.max(state.desired_canaries)
            && (state.desired_canaries == 0 || state.promoted)
    }
}

/// What a deployment with canaries says while they wait.
pub(crate) fn promotion_text(deployment: &Deployment) -> &'static str {
    let automatic = deployment
        .task_groups
        .values()
        .filter(|group| group.desired_canaries > 0 && !group.promoted)
        .all(|group| group.auto_promote);
    if automatic {
        deployment_description::AUTO_PROMOTION
    } else {
        deployment_description::NEEDS_PROMOTION
    }
}
