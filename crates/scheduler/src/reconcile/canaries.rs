//! Canaries: those to drop, those that are needed (scheduler sheet §§12.4, 12.12).

use super::classify::classify;
use super::{AllocSet, Placement, Reconciler, without};
use caravan_model::*;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Reconciler<'_> {
    /// Stops canaries that no deployment waits for. Returns the canaries that stay, and all that is left.
    pub(super) fn drop_canaries(
        &mut self,
        all: AllocSet,
        desired: &mut DesiredUpdates,
    ) -> (AllocSet, AllocSet) {
        let unpromoted = |deployment: &Deployment| {
            let groups = deployment
                .task_groups
                .values()
                .filter(|group| !group.promoted);
            groups
                .flat_map(|group| group.placed_canaries.clone())
                .collect::<Vec<_>>()
        };
        let mut unneeded: BTreeSet<AllocId> = BTreeSet::new();
        if let Some(old) = &self.old_deployment {
            unneeded.extend(unpromoted(old));
        }
        if let Some(failed) = self
            .deployment
            .as_ref()
            .filter(|d| d.status == DeploymentStatus::Failed)
        {
            unneeded.extend(unpromoted(failed));
        }
        let mut stopped = pick(&all, &unneeded);
        stopped.extend(self.canaries_left_behind(&all));
        for alloc in stopped.values() {
            self.stop(alloc, None, desired_description::NOT_NEEDED);
        }
        desired.stop += stopped.len() as u64;
        let mut all = without(&all, &stopped);
        let placed: BTreeSet<AllocId> = self
            .deployment
            .iter()
            .flat_map(|deployment| deployment.task_groups.values())
            .flat_map(|group| group.placed_canaries.clone())
            .collect();
        let canaries = pick(&all, &placed);
        let classes = classify(&canaries, self.input.tainted, self.input.now);
        for alloc in classes.migrate.values() {
            self.stop(alloc, None, desired_description::MIGRATING);
        }
        for alloc in classes.lost.values() {
            self.stop(alloc, Some(ClientStatus::Lost), desired_description::LOST);
        }
        all = without(&without(&all, &classes.migrate), &classes.lost);
        (classes.untainted, all)
    }

    /// Canaries of rollouts before the last one, whose stop was refused with a node's part of a plan.
    fn canaries_left_behind(&self, all: &AllocSet) -> AllocSet {
        let left = all.iter().filter(|(_, alloc)| {
            let of = |older: &&Arc<Deployment>| older.id == alloc.deployment_id;
            let older = self.input.older.iter().find(of);
            let group = older.and_then(|older| older.task_groups.get(&alloc.task_group));
            alloc.is_canary() && group.is_some_and(|group| !group.promoted)
        });
        left.map(|(id, alloc)| (*id, Arc::clone(alloc))).collect()
    }

    /// How many canaries are missing beside those that are waited for; none while the rollout does not go on.
    pub(super) fn missing_canaries(
        &self,
        group: &TaskGroup,
        state: &mut DeploymentState,
        awaited: usize,
    ) -> usize {
        state.desired_canaries = group.update.as_ref().map_or(0, |update| update.canary);
        if self.deployment_is_paused() || self.deployment_is_failed() {
            return 0;
        }
        let wanted = usize::try_from(state.desired_canaries).unwrap_or(0);
        wanted.saturating_sub(awaited)
    }

    /// Plans canaries with these names.
    pub(super) fn place_canaries(
        &mut self,
        group: &TaskGroup,
        names: Vec<String>,
        desired: &mut DesiredUpdates,
    ) {
        desired.canary += names.len() as u64;
        for name in names {
            self.out.place.push(Placement {
                name,
                group: group.name.clone(),
                canary: true,
                ..Placement::default()
            });
        }
    }
}

/// The canaries of a group that its deployment has placed and that are not gone, silent ones too.
pub(super) fn placed(all: &AllocSet, state: &DeploymentState) -> AllocSet {
    pick(all, &state.placed_canaries.iter().copied().collect())
}

fn pick(set: &AllocSet, ids: &BTreeSet<AllocId>) -> AllocSet {
    let kept = set.iter().filter(|(id, _)| ids.contains(id));
    kept.map(|(id, alloc)| (*id, Arc::clone(alloc))).collect()
}

/// Whether the group needs canaries before anything else is replaced. A rollout that began with canaries goes on
/// wanting them, even when what they are to replace is gone meanwhile: without them it would wait for ever.
pub(super) fn are_needed(
    group: &TaskGroup,
    state: &DeploymentState,
    destructive: usize,
    canaries: usize,
) -> bool {
    let wanted = group.update.as_ref().map_or(0, |update| update.canary);
    let begun = destructive > 0 || state.desired_canaries > 0;
    begun && i64::try_from(canaries).unwrap_or(i64::MAX) < wanted && !state.promoted
}
