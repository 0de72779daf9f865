//! Launching periodic jobs (server sheet §5).

mod launcher;
#[cfg(test)]
mod tests;

use crate::cron::{Cron, Zone};
use crate::dispatch::launched;
use crate::follow_up::key_of;
use caravan_model::*;
use caravan_state::State;

pub use launcher::PeriodicLauncher;

/// In nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The child that a periodic job launches at a time.
#[must_use]
pub fn child(job: &Job, launch: UnixNanos) -> Job {
    let id = format!("{}{}{}", job.id, launch_suffix::PERIODIC, launch.seconds());
    Job {
        name: id.clone(),
        periodic: None,
        submit_time: launch,
        ..launched(job, id)
    }
}

/// The child of a launch that somebody wants now. The id tells launches apart by the second: where this one is taken,
/// the next one that is free stands for it, so that no launch is lost.
#[must_use]
pub fn forced_child(state: &State, job: &Job, now: UnixNanos) -> Job {
    let mut launch = now;
    loop {
        let child = child(job, launch);
        if state.job(&key_of(&child)).is_none() {
            return Job {
                submit_time: now,
                ..child
            };
        }
        launch.0 += SECOND;
    }
}

/// When a periodic job is due next, strictly after a time: the earliest of its expressions. Never when it has
/// none that is understood.
#[must_use]
pub fn next_launch(job: &Job, after: UnixNanos) -> Option<UnixNanos> {
    let config = job.periodic.as_ref()?;
    let zone = Zone::find(&config.time_zone).ok()?;
    config
        .expressions()
        .filter_map(|text| Cron::parse(text).ok()?.next(&zone, after))
        .min()
}
