//! One group of a service or batch job, in the order of work of scheduler sheet §12.2.

use super::canaries;
use super::classify::{Classes, classify};
use super::deploy::rolls_out;
use super::names::NameIndex;
use super::reschedule::{self, Context, Rescheduled};
use super::stops::Surplus;
use super::{AllocSet, Placement, Reconciler, Update, by_number, without};
use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known about a group once its surplus is stopped.
struct GroupWork<'a> {
    group: &'a TaskGroup,
    count: usize,
    untainted: AllocSet,
    migrate: AllocSet,
    lost: AllocSet,
    /// How many were lost or told to move before, and found no place then.
    owed: usize,
    /// Lost before, and perhaps still running where nobody sees it: their places are kept for later.
    kept: AllocSet,
    reschedule_now: AllocSet,
    disconnecting: AllocSet,
    canarying: bool,
    /// How many may still be placed or replaced in this round.
    allowance: usize,
    desired: DesiredUpdates,
}

/// What a failed allocation that has a successor says of why it is not wanted: nothing, its own status tells.
const RESCHEDULED: &str = "";

impl Reconciler<'_> {
    /// Decides for one group; whether nothing is left to do for it.
    pub(super) fn reconcile_group(
        &mut self,
        job: &Arc<Job>,
        name: &str,
        mut all: AllocSet,
    ) -> bool {
        let everything = all.clone();
        all.retain(|_, alloc| {
            !alloc.server_terminal()
                || (self.input.batch && !alloc.desired_transition.should_reschedule())
        });
        let Some(group) = job.lookup_task_group(name).filter(|group| group.count > 0) else {
            let desired = self.stop_all(&without_ended(&all));
            self.out.desired.insert(name.to_owned(), desired);
            return true;
        };
        let count = usize::try_from(group.count).unwrap_or(0);
        let mut desired = DesiredUpdates::default();
        let (mut state, existing) = self.deployment_state(group);
        if self.input.batch {
            self.set_old_terminal_aside(job, &mut all, &mut desired);
        }
        let (canary_allocs, all) = self.drop_canaries(all, &mut desired);
        let had_running = runs_version_of(&all, job);
        let classes = classify(&all, self.input.tainted, self.input.now);
        let Classes {
            untainted,
            migrate,
            mut lost,
            mut disconnecting,
            reconnecting,
            ignored,
            expiring,
        } = classes;
        desired.ignore += ignored.len() as u64;
        let Rescheduled {
            mut untainted,
            now: mut reschedule_now,
            later: mut reschedule_later,
        } = reschedule::filter(&untainted, self.context(false));
        let of_migrating = reschedule::filter(&migrate, self.context(false));
        let mut migrate = of_migrating.untainted;
        reschedule_now.extend(of_migrating.now);
        let (staying, stopped) = self.reconnect(&reconnecting, &everything, &mut desired);
        for set in [
            &mut untainted,
            &mut reschedule_now,
            &mut lost,
            &mut migrate,
            &mut disconnecting,
        ] {
            set.retain(|id, _| !stopped.contains_key(id));
        }
        reschedule_later.retain(|(alloc, _)| !stopped.contains_key(&alloc.id));
        untainted.extend(staying);
        lost.extend(expiring);
        if !disconnecting.is_empty() {
            let waiting = reschedule::filter(&disconnecting, self.context(true));
            untainted.extend(waiting.untainted);
            reschedule_now.extend(waiting.now);
            reschedule_later.extend(waiting.later);
            self.disconnect(&disconnecting, &mut desired);
        }
        let silent = set_replaced_aside(&mut untainted, &disconnecting, &everything);
        let lost_later = self.lost_later(&lost);
        desired.reschedule_later += reschedule_later.len() as u64;
        desired.reschedule_now += reschedule_now.len() as u64;
        self.reschedule_later(reschedule_later);
        let working = [&untainted, &migrate, &reschedule_now, &lost];
        let in_use = working.into_iter().flat_map(|set| set.values());
        let mut names = NameIndex::new(job.id.as_str(), name, count, in_use);
        let mut canarying = state.desired_canaries != 0 && !state.promoted;
        // One that is silent is not waited for, but it is beside the count like the others.
        let tried = if canarying {
            canaries::placed(&all, &state)
        } else {
            canary_allocs.clone()
        };
        let surplus = Surplus {
            count,
            canarying,
            canaries: &tried,
            lost: &lost,
            lost_later: &lost_later,
        };
        let stopped = self.stop_surplus(&surplus, &untainted, &mut migrate, &mut names);
        desired.stop += stopped.len() as u64;
        for alloc in silent.values() {
            // It goes with what stands in for it, unless that is merely lost.
            let next = &alloc.next_allocation;
            if stopped.contains_key(next) && !lost.contains_key(next) {
                self.stop(alloc, None, desired_description::NOT_NEEDED);
                desired.stop += 1;
            } else {
                desired.ignore += 1;
            }
        }
        let mut untainted = without(&untainted, &stopped);
        let filled = untainted.len() + migrate.len();
        let canaries = canarying.then_some(&tried);
        let unneeded = drop_unneeded(&mut reschedule_now, count.saturating_sub(filled), canaries);
        desired.reschedule_now -= unneeded.len() as u64;
        self.stop_unneeded(&unneeded, &disconnecting, &mut desired);
        let (in_place, destructive) = self.split_updates(job, group, &untainted, &mut desired);
        if !existing {
            state.desired_total += i64::try_from(destructive.len() + in_place).unwrap_or(0);
        }
        if canarying {
            untainted = without(&untainted, &tried);
        }
        let needs_canaries =
            canaries::are_needed(group, &state, destructive.len(), canary_allocs.len());
        if needs_canaries {
            let missing = self.missing_canaries(group, &mut state, canary_allocs.len());
            let names = names.next_canaries(missing, tried.values(), &destructive);
            self.place_canaries(group, names, &mut desired);
        }
        canarying = state.desired_canaries != 0 && !state.promoted;
        let alive = [&untainted, &migrate, &reschedule_now, &lost];
        let owed = owed(&everything, job, &alive);
        let kept = self.kept_for_later(&everything, job, &alive);
        names.reserve(kept.values());
        let mut work = GroupWork {
            group,
            count,
            untainted,
            migrate,
            lost,
            owed,
            kept,
            reschedule_now,
            disconnecting,
            canarying,
            allowance: 0,
            desired,
        };
        work.allowance = self.allowance(&work, destructive.len());
        let mut placed = 0;
        if lost_later.is_empty() {
            let list = placements(&work, &mut names);
            placed = list.len();
            if !existing {
                state.desired_total += i64::try_from(placed).unwrap_or(0);
            }
            self.place(&mut work, list);
        }
        self.replace_destructively(&mut work, &destructive);
        self.migrate(&mut work);
        let updating = !destructive.is_empty() || in_place > 0;
        // What is done for a group that the deployment is not about keeps nobody waiting.
        let aside = !existing && self.deployment.is_some() && !self.deployment_is_new;
        if !existing {
            self.join_deployment(job, group, state, had_running && !updating);
        }
        self.out.names.insert(name.to_owned(), names);
        self.out.desired.insert(name.to_owned(), work.desired);
        let quiet = destructive.is_empty()
            && in_place == 0
            && placed == 0
            && work.migrate.is_empty()
            && work.reschedule_now.is_empty()
            && work.desired.reschedule_later == 0
            && !needs_canaries;
        let over = quiet && self.is_healthy_and_promoted(group);
        aside || (over && !self.awaits_something(&work.untainted))
    }

    /// Whether something that the deployment has placed is still to become healthy, or has failed and is still to be
    /// told to go. What the deployment counts as healthy may have been stopped since.
    fn awaits_something(&self, untainted: &AllocSet) -> bool {
        let Some(deployment) = &self.deployment else {
            return false;
        };
        let mut mine = untainted.values().filter(|alloc| rolls(deployment, alloc));
        mine.any(|alloc| {
            let to_be_told = alloc.failed_unreplaced()
                && alloc.followup_eval_id.is_nil()
                && alloc.desired_transition.reschedule.is_none()
                && reschedule::next_attempt(alloc).is_some();
            alloc.awaits_health() || to_be_told
        })
    }

    fn context(&self, disconnecting: bool) -> Context<'_> {
        Context {
            batch: self.input.batch,
            disconnecting,
            now: self.input.now,
            eval: self.input.eval.id,
            deployment: self.deployment.as_ref(),
        }
    }

    /// Batch allocations of older versions that are over keep their result and give their slot up. So do failed
    /// ones when their job is registered anew: a user who runs a failed batch job again wants it to run.
    fn set_old_terminal_aside(&self, job: &Job, all: &mut AllocSet, desired: &mut DesiredUpdates) {
        let eval = self.input.eval;
        let registered = eval.triggered_by == trigger::JOB_REGISTER && !eval.create_time.is_zero();
        let before = all.len();
        all.retain(|_, alloc| {
            let old = alloc.job.as_ref().is_none_or(|mine| {
                mine.version < job.version || mine.create_index < job.create_index
            });
            let failed_before = registered
                && alloc.client_status == ClientStatus::Failed
                && alloc.modify_time < eval.create_time;
            !(alloc.terminal_status() && (old || failed_before))
        });
        desired.ignore += (before - all.len()) as u64;
    }

    fn reschedule_later(&mut self, later: Vec<(Arc<Allocation>, UnixNanos)>) {
        let allocs: Vec<Arc<Allocation>> = later.iter().map(|(alloc, _)| alloc.clone()).collect();
        let ids = self.follow_up(
            later,
            trigger::ALLOC_RESCHEDULE,
            trigger::ALLOC_FAILURE,
            eval_description::RESCHEDULE_LATER,
        );
        for alloc in allocs {
            let id = ids.get(&alloc.id).copied().unwrap_or_default();
            self.changed(&alloc).followup_eval_id = id;
        }
    }

    /// Stops failed allocations that are not replaced, since others fill the count. What is merely silent may yet
    /// come back.
    fn stop_unneeded(
        &mut self,
        unneeded: &AllocSet,
        disconnecting: &AllocSet,
        desired: &mut DesiredUpdates,
    ) {
        for alloc in without(unneeded, disconnecting).values() {
            if alloc.client_status != ClientStatus::Unknown && !alloc.server_terminal() {
                self.stop(alloc, None, desired_description::NOT_NEEDED);
                desired.stop += 1;
            }
        }
    }

    /// Updates in place what can be. Returns how many were, and what must be replaced.
    fn split_updates(
        &mut self,
        job: &Arc<Job>,
        group: &TaskGroup,
        untainted: &AllocSet,
        desired: &mut DesiredUpdates,
    ) -> (usize, Vec<Arc<Allocation>>) {
        let (mut in_place, mut destructive) = (0, AllocSet::new());
        for (id, alloc) in untainted {
            match self.updater.update(alloc, job, group) {
                Update::Ignore => desired.ignore += 1,
                Update::Destructive => {
                    destructive.insert(*id, alloc.clone());
                }
                Update::InPlace(updated) => {
                    in_place += 1;
                    self.out.in_place.push(*updated);
                }
            }
        }
        desired.in_place_update += in_place as u64;
        (in_place, by_number(&destructive))
    }

    /// How many may be placed or replaced in this round.
    fn allowance(&self, work: &GroupWork<'_>, destructive: usize) -> usize {
        let Some(update) = rolls_out(work.group) else {
            return work.count;
        };
        if destructive + work.migrate.len() == 0 {
            return work.count;
        }
        let most = usize::try_from(update.max_parallel).unwrap_or(0);
        let Some(deployment) = &self.deployment else {
            return most;
        };
        if self.deployment_is_paused() || self.deployment_is_failed() || work.canarying {
            return 0;
        }
        let mut left = most;
        for alloc in work
            .untainted
            .values()
            .filter(|a| a.deployment_id == deployment.id)
        {
            if alloc.is_unhealthy() {
                return 0;
            }
            if !alloc.is_healthy() {
                left = left.saturating_sub(1);
            }
        }
        left
    }

    /// Applies the list of placements as far as the deployment lets them be.
    fn place(&mut self, work: &mut GroupWork<'_>, list: Vec<Placement>) {
        let failed = |alloc: &Allocation, work: &GroupWork<'_>| {
            !work.disconnecting.contains_key(&alloc.id)
                && alloc.client_status != ClientStatus::Unknown
        };
        let free = !self.deployment_is_paused() && !self.deployment_is_failed() && !work.canarying;
        if free {
            work.allowance -= list.len().min(work.allowance);
            work.desired.place += list.len() as u64;
            let replaced: Vec<_> = work.reschedule_now.values().cloned().collect();
            for alloc in &replaced {
                if failed(alloc, work) {
                    self.stop(alloc, None, RESCHEDULED);
                    work.desired.stop += 1;
                }
            }
            self.out.place.extend(list);
            return;
        }
        let mut lost = work.lost.len() + work.owed;
        let current = self.deployment.as_ref().map(|deployment| deployment.id);
        let deployment_failed = self.deployment_is_failed();
        for placement in list {
            let previous = placement.previous.clone();
            let of_failed = deployment_failed
                && previous
                    .as_ref()
                    .is_some_and(|previous| Some(previous.deployment_id) == current);
            // What failed in a rollout that failed stays so; whatever was lost is replaced.
            let placed = if placement.reschedule {
                !of_failed
            } else {
                lost > 0
            };
            if !placed {
                continue;
            }
            if !placement.reschedule {
                lost -= 1;
            }
            if let Some(previous) =
                previous.filter(|previous| placement.reschedule && failed(previous, work))
            {
                self.stop(&previous, None, RESCHEDULED);
                work.desired.stop += 1;
            }
            work.desired.place += 1;
            self.out.place.push(placement);
        }
    }

    fn replace_destructively(&mut self, work: &mut GroupWork<'_>, destructive: &[Arc<Allocation>]) {
        let free = !self.deployment_is_paused() && !self.deployment_is_failed() && !work.canarying;
        let most = if free {
            work.allowance.min(destructive.len())
        } else {
            0
        };
        work.desired.destructive_update += most as u64;
        work.desired.ignore += (destructive.len() - most) as u64;
        for alloc in &destructive[..most] {
            self.out.destructive.push(Placement {
                name: alloc.name.clone(),
                group: work.group.name.clone(),
                previous: Some(alloc.clone()),
                destructive: true,
                ..Placement::default()
            });
        }
    }

    fn migrate(&mut self, work: &mut GroupWork<'_>) {
        work.desired.migrate += work.migrate.len() as u64;
        for alloc in by_number(&work.migrate) {
            self.stop(&alloc, None, desired_description::MIGRATING);
            let transition = &alloc.desired_transition;
            let elsewhere = self.input.batch && transition.should_reschedule();
            if elsewhere || transition.should_disable_migration_placement() {
                continue;
            }
            self.out.place.push(replacement(work, &alloc, false));
        }
    }
}

/// Whether something that is wanted runs in the place of an allocation: what replaced it, or what replaced that.
fn is_stood_in_for(alloc: &Allocation, all: &AllocSet) -> bool {
    let mut next = all.get(&alloc.next_allocation);
    for _ in 0..all.len() {
        match next {
            Some(one) if one.server_terminal() => next = all.get(&one.next_allocation),
            found => return found.is_some(),
        }
    }
    false
}

/// Takes those out that are silent while a replacement stands in for them: they neither count nor change until their
/// node is back or their time is over.
fn set_replaced_aside(
    untainted: &mut AllocSet,
    disconnecting: &AllocSet,
    all: &AllocSet,
) -> AllocSet {
    let replaced = untainted.iter().filter(|(id, alloc)| {
        let silent = alloc.client_status == ClientStatus::Unknown || disconnecting.contains_key(id);
        silent && is_stood_in_for(alloc, all)
    });
    let replaced: AllocSet = replaced
        .map(|(id, alloc)| (*id, Arc::clone(alloc)))
        .collect();
    *untainted = without(untainted, &replaced);
    replaced
}

/// Whether a deployment has to do with an allocation: it is a part of it, and so is its group. What is placed of other
/// groups meanwhile is judged as well, but nobody waits for it.
pub(super) fn rolls(deployment: &Deployment, alloc: &Allocation) -> bool {
    deployment.id == alloc.deployment_id && deployment.task_groups.contains_key(&alloc.task_group)
}

/// Whether some allocation is of this very version of the job.
fn runs_version_of(allocs: &AllocSet, job: &Job) -> bool {
    let mut jobs = allocs.values().filter_map(|alloc| alloc.job.as_ref());
    jobs.any(|mine| mine.version == job.version && mine.create_index == job.create_index)
}

/// How many allocations of the job were stopped to be replaced, without anything in their place yet: nothing that is
/// alive has their name.
fn owed(all: &AllocSet, job: &Job, alive: &[&AllocSet]) -> usize {
    let owed = all.values().filter(|alloc| {
        let of_job = |mine: &Arc<Job>| mine.create_index == job.create_index;
        alloc.stopped_unreplaced() && alloc.job.as_ref().is_some_and(of_job)
    });
    let mut names = owed.map(|alloc| &alloc.name).collect::<BTreeSet<_>>();
    for alloc in alive.iter().flat_map(|set| set.values()) {
        names.remove(&alloc.name);
    }
    names.len()
}

fn without_ended(all: &AllocSet) -> AllocSet {
    let live = all.iter().filter(|(_, alloc)| !alloc.terminal_status());
    live.map(|(id, alloc)| (*id, alloc.clone()))
        .collect::<BTreeMap<_, _>>()
}

fn replacement(work: &GroupWork<'_>, alloc: &Arc<Allocation>, reschedule: bool) -> Placement {
    let canary = alloc.is_canary();
    Placement {
        name: alloc.name.clone(),
        group: work.group.name.clone(),
        canary,
        previous: Some(alloc.clone()),
        reschedule,
        destructive: false,
        downgrade: work.canarying && !canary,
        min_job_version: alloc.job_version(),
    }
}

/// Takes those out of `due` that are more than `missing`, those with the highest numbers first. Canaries that are tried
/// out do not count.
fn drop_unneeded(due: &mut AllocSet, missing: usize, canaries: Option<&AllocSet>) -> AllocSet {
    let mut counted = by_number(due);
    counted.retain(|alloc| !canaries.is_some_and(|set| set.contains_key(&alloc.id)));
    let surplus = counted.split_off(missing.min(counted.len()));
    let ids = surplus.iter().map(|alloc| alloc.id);
    ids.filter_map(|id| due.remove_entry(&id)).collect()
}

/// What is to be placed: replacements of failed and lost ones, then what is short of the count.
fn placements(work: &GroupWork<'_>, names: &mut NameIndex) -> Vec<Placement> {
    let now = by_number(&work.reschedule_now);
    let mut list: Vec<Placement> = now
        .iter()
        .map(|alloc| replacement(work, alloc, true))
        .collect();
    let mut existing =
        work.untainted.len() + work.migrate.len() + work.reschedule_now.len() + work.kept.len();
    for alloc in by_number(&work.lost) {
        if existing >= work.count {
            break;
        }
        existing += 1;
        list.push(replacement(work, &alloc, false));
    }
    if existing < work.count {
        let short = work.count - existing;
        let next = if work.canarying {
            // Canaries have the names of those whose place they will take.
            let others = [
                &work.untainted,
                &work.migrate,
                &work.reschedule_now,
                &work.lost,
                &work.kept,
            ];
            let others = others.into_iter().flat_map(|set| set.values());
            names.among(others).next(short)
        } else {
            names.next(short)
        };
        for name in next {
            list.push(Placement {
                name,
                group: work.group.name.clone(),
                downgrade: work.canarying,
                ..Placement::default()
            });
        }
    }
    list
}
