//! Nodes that fell silent and nodes that came back (scheduler sheet §§12.7 to 12.9).

use super::classify::{group_of, lost_after};
use super::{AllocSet, Input, Reconciler, names_of};
use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The least time a client is given to stop its tasks by itself.
const LEAST_STOP_TIME: Duration = Duration::from_secs(5);

impl Reconciler<'_> {
    /// Decides between allocations that came back and their replacements. Returns those that stay, and all that
    /// were stopped.
    pub(super) fn reconnect(
        &mut self,
        reconnecting: &AllocSet,
        all: &AllocSet,
        desired: &mut DesiredUpdates,
    ) -> (AllocSet, AllocSet) {
        let (mut staying, mut stopped) = (AllocSet::new(), AllocSet::new());
        for alloc in reconnecting.values() {
            if alloc.client_status == ClientStatus::Failed && !alloc.server_terminal() {
                self.stop(
                    alloc,
                    Some(ClientStatus::Failed),
                    desired_description::RESCHEDULED,
                );
                stopped.insert(alloc.id, alloc.clone());
                continue;
            }
            if self.is_outdated(alloc) {
                self.stop(alloc, None, desired_description::NOT_NEEDED);
                stopped.insert(alloc.id, alloc.clone());
                continue;
            }
            let mut stays = true;
            for replacement in replacements(alloc, all) {
                if replacement.server_terminal() {
                    continue;
                }
                if replacement_wins(alloc, &replacement) {
                    stays = false;
                } else if stopped
                    .insert(replacement.id, replacement.clone())
                    .is_none()
                {
                    self.stop(&replacement, None, desired_description::RECONNECTED);
                }
            }
            if stays {
                staying.insert(alloc.id, alloc.clone());
            } else {
                self.stop(alloc, None, desired_description::NOT_NEEDED);
                stopped.insert(alloc.id, alloc.clone());
            }
        }
        desired.stop += stopped.len() as u64;
        desired.reconnect += staying.len() as u64;
        for alloc in staying
            .values()
            .filter(|a| a.client_status == ClientStatus::Running)
        {
            let now = self.input.now.into();
            self.changed(alloc)
                .push_client_state(ClientStatus::Running, now);
        }
        (staying, stopped)
    }

    fn is_outdated(&self, alloc: &Allocation) -> bool {
        let transition = &alloc.desired_transition;
        let old = match (&self.input.job, &alloc.job) {
            (Some(job), Some(mine)) => {
                mine.version < job.version || mine.create_index < job.create_index
            }
            _ => false,
        };
        alloc.desired_status != DesiredStatus::Run
            || transition.should_migrate()
            || transition.should_reschedule()
            || transition.should_force_reschedule()
            || old
    }

    /// Notes allocations on silent nodes as unknown, to be looked at when the time is over.
    pub(super) fn disconnect(&mut self, disconnecting: &AllocSet, desired: &mut DesiredUpdates) {
        let times = disconnecting
            .values()
            .map(|alloc| {
                let after = lost_after(alloc).unwrap_or(Duration::ZERO);
                (alloc.clone(), self.input.now + after)
            })
            .collect();
        let trigger = trigger::MAX_DISCONNECT_TIMEOUT;
        let ids = self.follow_up(
            times,
            trigger,
            trigger,
            eval_description::DISCONNECT_TIMEOUT,
        );
        let now = self.input.now;
        for alloc in disconnecting.values() {
            let changed = self.changed(alloc);
            changed.client_status = ClientStatus::Unknown;
            changed.client_description = desired_description::UNKNOWN.into();
            changed.push_client_state(ClientStatus::Unknown, now.into());
            changed.followup_eval_id = ids.get(&alloc.id).copied().unwrap_or_default();
        }
        desired.disconnect += disconnecting.len() as u64;
    }

    /// Lost allocations that their clients stop by themselves: replaced only once that must have happened.
    pub(super) fn lost_later(&mut self, lost: &AllocSet) -> BTreeMap<AllocId, EvalId> {
        let now = self.input.now;
        let times: Vec<_> = lost
            .values()
            .filter_map(|alloc| Some((alloc.clone(), stopped_by_client(alloc, now)?)))
            .filter(|(_, time)| *time > now)
            .collect();
        let trigger = trigger::ALLOC_FAILURE;
        self.follow_up(times, trigger, trigger, eval_description::RESCHEDULE_LATER)
    }
}

impl Reconciler<'_> {
    /// What was lost before and is replaced only by the evaluation that follows it, once its client must have stopped it:
    /// whatever else has the job looked at meanwhile. Where one that is alive has its name, it is replaced already.
    pub(super) fn kept_for_later(
        &self,
        all: &AllocSet,
        job: &Job,
        alive: &[&AllocSet],
    ) -> AllocSet {
        let Input { eval, now, .. } = &self.input;
        let names: BTreeSet<&str> = alive.iter().flat_map(|set| names_of(set)).collect();
        let of_job = |mine: &Arc<Job>| mine.create_index == job.create_index;
        let kept = all.iter().filter(|(_, alloc)| {
            alloc.client_status == ClientStatus::Lost
                && alloc.stopped_unreplaced()
                && alloc.followup_eval_id != eval.id
                && alloc.job.as_ref().is_some_and(of_job)
                && stopped_by_client(alloc, *now).is_some_and(|time| time > *now)
                && !names.contains(alloc.name.as_str())
        });
        kept.map(|(id, alloc)| (*id, Arc::clone(alloc))).collect()
    }
}

/// When a client that hears from no server must have stopped the allocation.
fn stopped_by_client(alloc: &Allocation, now: UnixNanos) -> Option<UnixNanos> {
    let group = group_of(alloc)?;
    let after = group
        .disconnect_stop_after()
        .filter(|after| !after.is_zero())?;
    let kill = group
        .tasks
        .iter()
        .map(|task| task.kill_timeout.0)
        .max()
        .unwrap_or(0);
    let since = alloc.first_lost().map_or(now, UnixNanos::from);
    Some(since + after + Duration(kill.max(LEAST_STOP_TIME.0)))
}

/// What replaced an allocation, and what replaced that.
fn replacements(alloc: &Allocation, all: &AllocSet) -> Vec<Arc<Allocation>> {
    let mut found: Vec<Arc<Allocation>> = Vec::new();
    let mut next = alloc.next_allocation;
    while let Some(replacement) = all.get(&next) {
        if found.len() > all.len() {
            break;
        }
        next = replacement.next_allocation;
        found.push(replacement.clone());
    }
    let direct = all
        .values()
        .filter(|other| other.previous_allocation == alloc.id);
    for other in direct {
        if !found.iter().any(|have| have.id == other.id) {
            found.push(other.clone());
        }
    }
    found
}

fn replacement_wins(original: &Allocation, replacement: &Allocation) -> bool {
    if replacement.job_version() > original.job_version() {
        return true;
    }
    let strategy = group_of(original).and_then(|group| group.disconnect.as_ref());
    match strategy.map_or("", |strategy| strategy.reconcile.as_str()) {
        reconcile::KEEP_ORIGINAL => false,
        reconcile::KEEP_REPLACEMENT => true,
        reconcile::LONGEST_RUNNING => match (started(original), started(replacement)) {
            (Some(original), Some(replacement)) => replacement < original,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (None, None) => has_better_score(original, replacement),
        },
        _ => has_better_score(original, replacement),
    }
}

fn has_better_score(original: &Allocation, replacement: &Allocation) -> bool {
    let score = |alloc: &Allocation| {
        let metric = alloc.metrics.as_ref()?;
        metric
            .score_meta_data
            .iter()
            .map(|node| node.norm_score)
            .reduce(f64::max)
    };
    let better = match (score(original), score(replacement)) {
        (Some(original), Some(replacement)) => replacement > original,
        (None, Some(_)) => true,
        _ => false,
    };
    better
        && (replacement.client_status == ClientStatus::Running
            || original.client_status != ClientStatus::Running)
}

/// Since when the leader, or the task started first, runs.
fn started(alloc: &Allocation) -> Option<Timestamp> {
    let leader = group_of(alloc).and_then(|group| group.tasks.iter().find(|task| task.leader));
    let started = |state: &TaskState| {
        (state.state == TaskPhase::Running && !state.started_at.is_zero())
            .then_some(state.started_at)
    };
    match leader {
        Some(leader) => alloc.task_state(&leader.name).and_then(started),
        None => alloc.task_states.values().filter_map(started).min(),
    }
}
