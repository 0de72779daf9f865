//! What can be forgotten (server sheet §9): evaluations, allocations, jobs, deployments, nodes and ACL tokens that
//! have been over for long enough.

mod collect;
mod rules;
#[cfg(test)]
mod tests;

use crate::{Controller, Ids, Step};
use caravan_model::*;
use caravan_state::{Change, Command, State};

/// How long things stay after they are over, and how often it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcThresholds {
    /// Evaluations of jobs that are no batch jobs.
    pub eval: Duration,
    /// Evaluations of batch jobs.
    pub batch_eval: Duration,
    /// Dead jobs, since they were submitted.
    pub job: Duration,
    /// Nodes that are down.
    pub node: Duration,
    /// Deployments.
    pub deployment: Duration,
    /// Expired ACL tokens.
    pub acl_token: Duration,
    /// How often it is looked.
    pub interval: Duration,
}

impl Default for GcThresholds {
    fn default() -> Self {
        let hours = |count: i64| Duration::from_secs(count * 3600);
        Self {
            eval: hours(1),
            batch_eval: hours(24),
            job: hours(4),
            node: hours(24),
            deployment: hours(1),
            acl_token: hours(1),
            interval: Duration::from_secs(300),
        }
    }
}

impl GcThresholds {
    /// What an operator's wish to collect garbage now comes to.
    fn none() -> Self {
        let moment = Duration::from_millis(1);
        Self {
            eval: moment,
            batch_eval: moment,
            job: moment,
            node: moment,
            deployment: moment,
            acl_token: moment,
            interval: moment,
        }
    }
}

/// Collects garbage from time to time; for the first time one interval after a leadership began.
#[derive(Debug)]
pub struct GarbageCollector {
    thresholds: GcThresholds,
    next: Option<UnixNanos>,
}

impl GarbageCollector {
    /// A collector that has just begun.
    #[must_use]
    pub fn new(thresholds: GcThresholds) -> Self {
        Self {
            thresholds,
            next: None,
        }
    }
}

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage collection"
    }

    fn concerns(&self, _: &Change) -> bool {
        false
    }

    fn step(&mut self, state: &State, now: UnixNanos, _: &mut Ids<'_>) -> Step {
        let due = self.next.is_some_and(|next| next <= now);
        let commands = if due {
            collect::collect(state, &self.thresholds, now)
        } else {
            Vec::new()
        };
        if due || self.next.is_none() {
            self.next = Some(now + self.thresholds.interval);
        }
        Step {
            commands,
            wake_at: self.next,
        }
    }
}

/// Forgets all that is over, however short a time.
#[must_use]
pub fn force_gc(state: &State, now: UnixNanos) -> Vec<Command> {
    collect::collect(state, &GcThresholds::none(), now)
}
