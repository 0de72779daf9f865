//! A task group: tasks placed together, and the policies of their placement.

use crate::{
    Affinity, Constraint, Duration, NetworkResource, Object, Service, Spread, StringMap, Task,
    VolumeRequest, shape,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod reschedule;

/// What a client does when a task has used up its restarts.
pub mod restart_mode {
    /// The task fails.
    pub const FAIL: &str = "fail";
    /// It waits for the next interval.
    pub const DELAY: &str = "delay";
}

/// How delays grow between replacements of failed allocations.
pub mod delay_function {
    /// Always the same.
    pub const CONSTANT: &str = "constant";
    /// Doubled each time.
    pub const EXPONENTIAL: &str = "exponential";
    /// Growing as the Fibonacci numbers.
    pub const FIBONACCI: &str = "fibonacci";
}

/// What makes an allocation healthy.
pub mod health_check {
    /// Tasks run and checks pass.
    pub const CHECKS: &str = "checks";
    /// Tasks run.
    pub const TASK_STATES: &str = "task_states";
    /// An operator says so.
    pub const MANUAL: &str = "manual";
}

/// Which allocation stays when a node comes back.
pub mod reconcile {
    /// The one with the better placement score.
    pub const BEST_SCORE: &str = "best_score";
    /// The original.
    pub const KEEP_ORIGINAL: &str = "keep_original";
    /// The replacement.
    pub const KEEP_REPLACEMENT: &str = "keep_replacement";
    /// The one that has run longest.
    pub const LONGEST_RUNNING: &str = "longest_running";
}

/// Kinds of scaling policies.
pub mod scaling_type {
    /// The group's count.
    pub const HORIZONTAL: &str = "horizontal";
    /// A task's CPU.
    pub const VERTICAL_CPU: &str = "vertical_cpu";
    /// A task's memory.
    pub const VERTICAL_MEM: &str = "vertical_mem";
}

/// Tasks that are placed together on one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroup {
    pub name: String,
    /// How many allocations are wanted.
    pub count: i64,
    /// Service and system jobs.
    pub update: Option<UpdateStrategy>,
    /// Service jobs.
    pub migrate: Option<MigrateStrategy>,
    #[serde(with = "shape::nullable")]
    pub constraints: Vec<Constraint>,
    pub scaling: Option<ScalingPolicy>,
    #[serde(deserialize_with = "shape::null_default")]
    pub restart_policy: RestartPolicy,
    pub disconnect: Option<DisconnectStrategy>,
    #[serde(with = "shape::nullable")]
    pub tasks: Vec<Task>,
    #[serde(deserialize_with = "shape::null_default")]
    pub ephemeral_disk: EphemeralDisk,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    /// Service and batch jobs.
    pub reschedule_policy: Option<ReschedulePolicy>,
    #[serde(with = "shape::nullable")]
    pub affinities: Vec<Affinity>,
    #[serde(with = "shape::nullable")]
    pub spreads: Vec<Spread>,
    /// Only the first is used.
    #[serde(with = "shape::nullable")]
    pub networks: Vec<NetworkResource>,
    pub consul: Option<Consul>,
    #[serde(with = "shape::nullable")]
    pub services: Vec<Service>,
    /// By alias.
    #[serde(with = "shape::nullable")]
    pub volumes: BTreeMap<String, VolumeRequest>,
    /// Between leaving the catalogue and stopping the tasks.
    pub shutdown_delay: Option<Duration>,
    /// Batch jobs: the allocation is killed when it runs longer.
    pub max_run_duration: Option<Duration>,
    /// Deprecated: see `disconnect`.
    pub stop_after_client_disconnect: Option<Duration>,
    /// Deprecated: see `disconnect`.
    pub max_client_disconnect: Option<Duration>,
    /// Deprecated: see `disconnect`.
    pub prevent_reschedule_on_lost: bool,
}

impl TaskGroup {
    /// The task with this name.
    #[must_use]
    pub fn lookup_task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// Services of the group and of its tasks.
    pub fn all_services(&self) -> impl Iterator<Item = &Service> {
        let of_tasks = self.tasks.iter().flat_map(|task| &task.services);
        self.services.iter().chain(of_tasks)
    }

    /// How long a silent node keeps its allocations as unknown before they are lost.
    #[must_use]
    pub fn disconnect_lost_after(&self) -> Option<Duration> {
        match &self.disconnect {
            Some(strategy) if !strategy.lost_after.is_zero() => Some(strategy.lost_after),
            _ => self.max_client_disconnect,
        }
    }

    /// How long a client that hears from no server waits before it stops the allocation.
    #[must_use]
    pub fn disconnect_stop_after(&self) -> Option<Duration> {
        match &self.disconnect {
            Some(strategy) if strategy.stop_on_client_after.is_some() => {
                strategy.stop_on_client_after
            }
            _ => self.stop_after_client_disconnect,
        }
    }

    /// Whether allocations on a silent node are replaced elsewhere.
    #[must_use]
    pub fn replaces_on_disconnect(&self) -> bool {
        match self
            .disconnect
            .as_ref()
            .and_then(|strategy| strategy.replace)
        {
            Some(replace) => replace,
            None => !self.prevent_reschedule_on_lost,
        }
    }
}

/// How often a client restarts failing tasks in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// Restarts within `interval`.
    pub attempts: i64,
    pub interval: Duration,
    /// Between the failure and the restart.
    pub delay: Duration,
    /// One of [`restart_mode`].
    pub mode: String,
    /// Templates are rendered again on every restart.
    pub render_templates: bool,
}

/// How failed allocations are replaced elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ReschedulePolicy {
    /// Replacements within `interval`.
    pub attempts: i64,
    pub interval: Duration,
    /// Before the first replacement.
    pub delay: Duration,
    /// One of [`delay_function`].
    pub delay_function: String,
    /// Where growing delays stop.
    pub max_delay: Duration,
    /// `attempts` and `interval` do not count.
    pub unlimited: bool,
}

impl ReschedulePolicy {
    /// Whether failed allocations are replaced at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.unlimited || (self.attempts > 0 && self.interval.0 > 0)
    }
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UpdateStrategy {
    /// Between batches of system jobs; old.
    pub stagger: Duration,
    /// Allocations replaced at a time; 0: all at once, without a deployment.
    pub max_parallel: i64,
    /// One of [`health_check`].
    pub health_check: String,
    pub min_healthy_time: Duration,
    /// For an allocation to become healthy.
    pub healthy_deadline: Duration,
    /// For any allocation to become healthy; 0: the first failure fails the deployment.
    pub progress_deadline: Duration,
    pub auto_revert: bool,
    pub auto_promote: bool,
    /// New allocations beside the old ones until promotion (system jobs: percent of nodes).
    pub canary: i64,
}

impl UpdateStrategy {
    /// Whether updates are rolled out in steps.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.max_parallel > 0
    }
}

/// How allocations leave a draining node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MigrateStrategy {
    pub max_parallel: i64,
    /// `checks` or `task_states`.
    pub health_check: String,
    pub min_healthy_time: Duration,
    pub healthy_deadline: Duration,
}

/// What happens when a node falls silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DisconnectStrategy {
    /// How long its allocations are unknown before they are lost; 0: at once.
    pub lost_after: Duration,
    /// The client stops the allocation itself after this.
    pub stop_on_client_after: Option<Duration>,
    /// Whether unknown allocations are replaced meanwhile; absent means yes.
    pub replace: Option<bool>,
    /// One of [`reconcile`].
    pub reconcile: String,
}

/// The directory that the tasks of an allocation share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EphemeralDisk {
    /// Replacements prefer the same node and take the data over.
    pub sticky: bool,
    #[serde(rename = "SizeMB")]
    pub size_mb: i64,
    /// The data is copied from another node.
    pub migrate: bool,
}

/// External scaling of a group or task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ScalingPolicy {
    /// A UUID; empty until registered.
    #[serde(rename = "ID")]
    pub id: String,
    /// One of [`scaling_type`].
    pub r#type: String,
    /// `Namespace`, `Job`, `Group` and, for vertical ones, `Task`.
    #[serde(with = "shape::nullable")]
    pub target: StringMap,
    /// For the scaler; not interpreted.
    #[serde(with = "shape::nullable")]
    pub policy: Object,
    pub min: i64,
    pub max: i64,
    pub enabled: bool,
    pub create_index: u64,
    pub modify_index: u64,
}

/// Settings of the external catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Consul {
    pub namespace: String,
    pub cluster: String,
    pub partition: String,
}
