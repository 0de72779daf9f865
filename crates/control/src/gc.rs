//! What can be forgotten (server sheet §9).

use caravan_model::*;

/// How long things stay after they are over, and how often it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcThresholds {
    /// Evaluations of jobs that are no batch jobs.
    pub eval: Duration,
    /// Evaluations of batch jobs.
    pub batch_eval: Duration,
    /// Dead jobs.
    pub job: Duration,
    /// Nodes that are down.
    pub node: Duration,
    /// Deployments.
    pub deployment: Duration,
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
            interval: Duration::from_secs(300),
        }
    }
}
