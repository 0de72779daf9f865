//! Launching periodic jobs (server sheet §5).

use crate::dispatch::launched;
use caravan_model::*;

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
