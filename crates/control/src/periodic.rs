//! Launching periodic jobs (server sheet §5).

mod launcher;
#[cfg(test)]
mod tests;

use crate::cron::{Cron, Zone};
use crate::dispatch::launched;
use caravan_model::*;

pub use launcher::PeriodicLauncher;

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
