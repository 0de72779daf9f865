//! How the whole cluster schedules.

use crate::query::QueryMeta;
use serde::{Deserialize, Serialize};

/// Ways to choose among nodes.
pub mod scheduler_algorithm {
    /// The fullest node first.
    pub const BINPACK: &str = "binpack";
    /// The emptiest node first.
    pub const SPREAD: &str = "spread";
}

/// How the whole cluster schedules.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfiguration {
    /// One of [`scheduler_algorithm`]; empty is binpack.
    pub scheduler_algorithm: String,
    /// Who may evict others.
    pub preemption_config: PreemptionConfig,
    /// Whether tasks may use more memory than they reserve.
    pub memory_oversubscription_enabled: bool,
    /// Whether only management may register, dispatch and scale jobs.
    pub reject_job_registration: bool,
    /// Whether evaluations wait.
    pub pause_eval_broker: bool,
    /// How many nodes are looked at when spreads or affinities matter; zero is 100.
    pub node_limit_for_feasibility_checks: u64,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl SchedulerConfiguration {
    /// What a cluster begins with.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            scheduler_algorithm: scheduler_algorithm::BINPACK.to_owned(),
            preemption_config: PreemptionConfig {
                system_scheduler_enabled: true,
                ..PreemptionConfig::default()
            },
            ..Self::default()
        }
    }

    /// Whether the emptiest node comes first.
    #[must_use]
    pub fn spreads(&self) -> bool {
        self.scheduler_algorithm == scheduler_algorithm::SPREAD
    }
}

/// Which types of jobs may evict others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PreemptionConfig {
    /// System jobs.
    pub system_scheduler_enabled: bool,
    /// System batch jobs.
    pub sys_batch_scheduler_enabled: bool,
    /// Batch jobs.
    pub batch_scheduler_enabled: bool,
    /// Service jobs.
    pub service_scheduler_enabled: bool,
}

/// Answer with the scheduler configuration.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfigurationResponse {
    /// The configuration.
    pub scheduler_config: Option<SchedulerConfiguration>,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}

/// Answer to a change of the scheduler configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SchedulerConfigurationUpdate {
    /// Whether it was changed: false when someone else was first.
    pub updated: bool,
    /// Index of the write.
    pub index: u64,
}
