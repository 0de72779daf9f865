//! Deployments of system jobs (scheduler sheet §15.5).

use super::buckets::Buckets;
use super::{Outcome, SystemRun};
use caravan_model::*;

/// How many canaries there should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Canaries {
    pub(super) desired: i64,
}

fn strategy<'j>(job: &'j Job, group: &'j TaskGroup) -> Option<&'j UpdateStrategy> {
    let of_job = Some(&job.update).filter(|update| update.max_parallel > 0);
    group.update.as_ref().or(of_job)
}

impl SystemRun<'_> {
    fn update_deployment(&mut self, id: DeploymentId, status: DeploymentStatus, description: &str) {
        self.draft
            .plan
            .deployment_updates
            .push(DeploymentStatusUpdate {
                deployment_id: id,
                status,
                status_description: description.to_owned(),
                updated_at: self.now,
            });
    }

    /// Finds the deployment of this version and gives others up.
    pub(super) fn settle_deployment(&mut self) {
        if self.batch {
            return;
        }
        let Some(deployment) = self.state.latest_deployment(&self.key).cloned() else {
            return;
        };
        let current = self.job.as_ref().is_some_and(|job| {
            deployment.job_create_index == job.create_index && deployment.job_version == job.version
        });
        if current {
            self.failed_deployment = deployment.status == DeploymentStatus::Failed;
            self.paused_deployment = matches!(
                deployment.status,
                DeploymentStatus::Paused
                    | DeploymentStatus::Pending
                    | DeploymentStatus::Initializing
            );
            if deployment.status != DeploymentStatus::Cancelled {
                self.deployment = Some(Deployment::clone(&deployment));
            }
            return;
        }
        if deployment.is_active() {
            let why = match self.job {
                Some(_) => deployment_description::NEWER_JOB,
                None => deployment_description::STOPPED_JOB,
            };
            self.update_deployment(deployment.id, DeploymentStatus::Cancelled, why);
        }
    }

    pub(super) fn part_of(&self, group: &TaskGroup) -> Option<&DeploymentState> {
        self.deployment.as_ref()?.task_groups.get(&group.name)
    }

    /// How many running allocations may be replaced now, and whether they try the new version out.
    pub(super) fn allowance(
        &self,
        job: &Job,
        group: &TaskGroup,
        buckets: &Buckets,
        destructive: usize,
    ) -> (usize, Option<Canaries>) {
        let Some(update) = strategy(job, group).filter(|update| update.max_parallel > 0) else {
            return (destructive, None);
        };
        if self.batch {
            return (destructive, None);
        }
        if self.failed_deployment || self.paused_deployment {
            return (0, None);
        }
        let mut limit = usize::try_from(update.max_parallel).unwrap_or(0);
        let current = self.deployment.as_ref().map(|deployment| deployment.id);
        let mine = || {
            buckets
                .ignore
                .iter()
                .filter(|alloc| Some(alloc.deployment_id) == current)
        };
        let waiting = mine()
            .filter(|alloc| !alloc.is_healthy() && !alloc.is_unhealthy())
            .count();
        let part = self.part_of(group);
        let placed = mine().filter(|alloc| alloc.is_canary()).count();
        // One that began without canaries, when there was nothing to replace, never waits for them.
        let tried = part.is_some_and(|part| part.promoted || part.desired_canaries == 0);
        if update.canary > 0 && !tried && job.version != 0 && destructive > 0 {
            let all = i64::try_from(destructive + placed).unwrap_or(0);
            let wanted = (update.canary * all + 99) / 100;
            let desired = part.map_or(wanted.min(update.max_parallel), |part| {
                part.desired_canaries
            });
            let missing = usize::try_from(desired).unwrap_or(0).saturating_sub(placed);
            return (missing.min(destructive), Some(Canaries { desired }));
        }
        limit = limit.saturating_sub(waiting);
        (limit.min(destructive), None)
    }

    /// How many canaries the deployment waits for beyond those that run and those that `replaced` others now. What is
    /// placed next takes their part: when one was lost there may be nothing older left to replace by another.
    pub(super) fn lacking_canaries(
        &self,
        group: &TaskGroup,
        buckets: &Buckets,
        replaced: usize,
    ) -> usize {
        let id = self.joined(group);
        let part = self.part_of(group).filter(|part| !part.promoted);
        let Some(part) = part.filter(|_| !id.is_nil()) else {
            return 0;
        };
        let running = buckets.ignore.iter();
        let running = running
            .filter(|alloc| alloc.deployment_id == id && alloc.is_canary())
            .count();
        let desired = usize::try_from(part.desired_canaries).unwrap_or(0);
        desired.saturating_sub(running + replaced)
    }

    /// Makes the deployment before allocations join it.
    pub(super) fn prepare_deployment(&mut self, job: &Job, group: &TaskGroup, outcome: &Outcome) {
        let Some(update) = strategy(job, group).filter(|update| update.max_parallel > 0) else {
            return;
        };
        let changes = outcome.place + outcome.destructive + outcome.in_place > 0;
        if self.batch || self.part_of(group).is_some() || !changes {
            return;
        }
        let had_running = self.allocs.iter().any(|alloc| {
            alloc.task_group == group.name
                && alloc.job.as_ref().is_some_and(|mine| {
                    mine.version == job.version && mine.create_index == job.create_index
                })
        });
        let over = self
            .deployment
            .as_ref()
            .is_some_and(|deployment| !deployment.is_active());
        if over || (had_running && !outcome.updating) {
            return;
        }
        let state = DeploymentState {
            auto_revert: update.auto_revert,
            auto_promote: update.auto_promote,
            progress_deadline: update.progress_deadline,
            desired_canaries: outcome.canaries.unwrap_or(0),
            ..DeploymentState::default()
        };
        if self.deployment.is_none() {
            self.new_deployment = true;
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
                eval_priority: job.priority,
                create_time: self.now,
                modify_time: self.now,
                ..Deployment::default()
            });
        }
        if let Some(deployment) = self.deployment.as_mut().filter(|_| self.new_deployment) {
            deployment.task_groups.insert(group.name.clone(), state);
        }
    }

    /// Whether all that the deployment has placed of a group and that is still there is healthy: what it waits for
    /// beyond that has left with its nodes. With none there it waits for a node that may take one.
    pub(super) fn is_all_healthy(
        &self,
        group: &TaskGroup,
        buckets: &Buckets,
        outcome: &Outcome,
    ) -> bool {
        let id = self.joined(group);
        let part = self.part_of(group);
        let mut there = buckets.ignore.iter().chain(&buckets.disconnecting);
        part.is_some_and(|part| part.healthy_allocs > 0 || outcome.nowhere)
            && outcome.in_place == 0
            && there.all(|alloc| alloc.deployment_id != id || alloc.is_healthy())
    }

    /// Sets how many allocations the deployment waits for. Whether the group has them all, and has `tried` the version
    /// as far as it could or was promoted.
    pub(super) fn join_deployment(
        &mut self,
        job: &Job,
        group: &TaskGroup,
        outcome: &Outcome,
        desired: &mut DesiredUpdates,
        all_healthy: bool,
        tried: bool,
    ) -> bool {
        if self.batch || strategy(job, group).is_none_or(|update| update.max_parallel == 0) {
            return true;
        }
        let all = outcome.place + outcome.in_place + outcome.ignored + outcome.destructive;
        let feasible = all.saturating_sub(outcome.infeasible);
        desired.place = feasible;
        let total = i64::try_from(feasible).unwrap_or(i64::MAX);
        let new = self.new_deployment;
        let Some(deployment) = &mut self.deployment else {
            return true;
        };
        if new && feasible < 1 {
            deployment.task_groups.remove(&group.name);
            return true;
        }
        let Some(part) = deployment.task_groups.get_mut(&group.name) else {
            return true;
        };
        if new {
            part.desired_total = total;
        }
        (all_healthy || part.healthy_allocs >= part.desired_total)
            && (part.desired_canaries == 0 || part.promoted || tried)
    }

    /// Completes the deployment when every group is, and hands a new one over.
    pub(super) fn finish_deployment(&mut self, complete: bool) {
        let Some(mut deployment) = self.deployment.clone() else {
            return;
        };
        if deployment.is_active() {
            self.decision.deployment_id = deployment.id;
        }
        if self.new_deployment {
            if deployment.task_groups.is_empty() {
                self.decision.deployment_id = DeploymentId::NIL;
                return;
            }
            if deployment.requires_promotion() {
                let text = crate::reconcile::promotion_text(&deployment);
                text.clone_into(&mut deployment.status_description);
            }
            self.draft.plan.deployment = Some(deployment);
        } else if complete && deployment.is_active() {
            self.update_deployment(
                deployment.id,
                DeploymentStatus::Successful,
                deployment_description::SUCCESSFUL,
            );
        }
    }
}
