//! The leader's launching of periodic jobs when they are due.

use super::{child, next_launch};
use crate::follow_up::{evaluation, key_of};
use crate::{Controller, Ids, Step};
use caravan_model::*;
use caravan_state::{Change, Command, JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Launches every active periodic job at its times.
///
/// When each was launched last, or passed over because a child was alive, is in the state. What is remembered here are
/// due times that need not be computed again.
#[derive(Debug, Default)]
pub struct PeriodicLauncher {
    jobs: BTreeMap<JobKey, Tracked>,
    /// Whether this leadership has looked once: what is due then was missed while nobody led.
    looked: bool,
}

/// What is remembered of a job.
#[derive(Debug, Clone, PartialEq)]
struct Tracked {
    /// The version of the job that `due` is for.
    job_modify_index: u64,
    /// What `due` is counted from.
    since: UnixNanos,
    due: Option<UnixNanos>,
}

impl Controller for PeriodicLauncher {
    fn name(&self) -> &'static str {
        "periodic"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Job(job) | Change::JobRemoved(job) => job.is_periodic(),
            Change::PeriodicLaunch(..) => true,
            _ => false,
        }
    }

    fn step(&mut self, state: &State, now: UnixNanos, ids: &mut Ids<'_>) -> Step {
        let mut step = Step::default();
        let mut before = std::mem::take(&mut self.jobs);
        for job in state.jobs().filter(|job| job.is_periodic_active()) {
            let key = key_of(job);
            let Some(tracked) = track(state, job, &key, before.remove(&key)) else {
                step.commands.push(record(key, now));
                continue;
            };
            if let Some(due) = tracked.due.filter(|due| *due <= now) {
                let launch = if self.looked {
                    self.launch_time(job, due, now)
                } else {
                    now
                };
                step.commands.push(match is_overlap(state, job, &key) {
                    true => record(key.clone(), launch),
                    false => launch_command(job, launch, now, ids),
                });
            }
            if let Some(due) = tracked.due.filter(|due| *due > now) {
                step.wake_at = Some(step.wake_at.map_or(due, |earliest| earliest.min(due)));
            }
            self.jobs.insert(key, tracked);
        }
        self.looked = true;
        step
    }
}

impl PeriodicLauncher {
    /// The time of a launch that is due: the planned one, or now when several were missed, of which one is made up.
    fn launch_time(&self, job: &Job, due: UnixNanos, now: UnixNanos) -> UnixNanos {
        match next_launch(job, due) {
            Some(following) if following <= now => now,
            _ => due,
        }
    }
}

/// What is known of a job; none when the state does not say since when it counts.
fn track(state: &State, job: &Job, key: &JobKey, known: Option<Tracked>) -> Option<Tracked> {
    // A schedule counts from when it was given, whatever an older one did.
    let since = state.periodic_launch(key)?.max(job.submit_time);
    if let Some(known) = known
        && known.job_modify_index == job.job_modify_index
        && known.since == since
    {
        return Some(known);
    }
    let due = next_launch(job, since);
    Some(Tracked {
        job_modify_index: job.job_modify_index,
        since,
        due,
    })
}

/// Whether a job that must not overlap has a child alive.
fn is_overlap(state: &State, job: &Job, key: &JobKey) -> bool {
    let prohibits = job
        .periodic
        .as_ref()
        .is_some_and(|periodic| periodic.prohibit_overlap);
    let prefix = format!("{}{}", job.id, launch_suffix::PERIODIC);
    prohibits
        && state
            .job_children(key)
            .filter(|child| child.id.starts_with(&prefix))
            .any(|child| {
                let child = key_of(child);
                state.open_evals_of_job(&child).next().is_some()
                    || state.live_alloc_count(&child) > 0
            })
}

/// Notes that the launches up to this one are dealt with.
fn record(job: JobKey, launch: UnixNanos) -> Command {
    Command::RecordPeriodicLaunch { job, launch }
}

fn launch_command(job: &Arc<Job>, launch: UnixNanos, now: UnixNanos, ids: &mut Ids<'_>) -> Command {
    let child = child(job, launch);
    let eval = evaluation(&child, trigger::PERIODIC_JOB, ids.eval(), now);
    let policies = child
        .task_groups
        .iter()
        .filter(|group| group.scaling.is_some());
    let policy_ids = policies.map(|_| ids.eval().to_string()).collect();
    Command::RegisterJob {
        job: Arc::new(child),
        submission: None,
        eval: Some(eval),
        policy_ids,
        now,
    }
}
