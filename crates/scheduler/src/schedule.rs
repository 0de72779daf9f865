//! One attempt at an evaluation: chooses the scheduler of the job's type.

use crate::decision::Decision;
use crate::settings::Settings;
use crate::{generic, system};
use caravan_model::*;
use caravan_state::State;

/// Decides what to change so that the evaluation's job runs as declared.
#[must_use]
pub fn schedule(state: &State, eval: &Evaluation, settings: &Settings) -> Decision {
    match eval.r#type.as_str() {
        job_type::SYSTEM | job_type::SYSBATCH => system::schedule(state, eval, settings),
        _ => generic::schedule(state, eval, settings),
    }
}

/// Whether the scheduler of this type handles evaluations created for this reason (scheduler sheet §2.3).
pub(crate) fn accepts(r#type: &str, triggered_by: &str) -> bool {
    let system = matches!(
        triggered_by,
        trigger::JOB_REGISTER
            | trigger::NODE_UPDATE
            | trigger::FAILED_FOLLOW_UP
            | trigger::JOB_DEREGISTER
            | trigger::ROLLING_UPDATE
            | trigger::PREEMPTION
            | trigger::DEPLOYMENT_WATCHER
            | trigger::NODE_DRAIN
            | trigger::ALLOC_STOP
            | trigger::QUEUED_ALLOCS
            | trigger::JOB_SCALING
            | trigger::RECONNECT
            // Beyond the reference, whose system jobs fail such evaluations, or have none.
            | trigger::ALLOC_FAILURE
            | trigger::MAX_DISCONNECT_TIMEOUT
            | trigger::MAX_PLANS
    );
    match r#type {
        job_type::SYSTEM => system,
        job_type::SYSBATCH => system || triggered_by == trigger::PERIODIC_JOB,
        job_type::SERVICE | job_type::BATCH => triggered_by != trigger::SCHEDULED,
        _ => false,
    }
}
