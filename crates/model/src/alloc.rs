//! An allocation: an instance of a task group on a node.

use crate::alloc_resources::AllocatedResources;
use crate::id::{AllocId, DeploymentId, EvalId, JobId, KeyId, NamespaceName, NodeId};
use crate::job::Job;
use crate::metrics::AllocMetric;
use crate::network::DnsConfig;
use crate::shape;
use crate::task_state::{TaskState, TaskStates};
use crate::text_enum::text_enum;
use crate::time::{Duration, Timestamp, UnixNanos};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thin_vec::ThinVec;

mod description;
mod json;
mod predicates;
#[cfg(test)]
mod tests;

pub use description::{Description, client_description, desired_description};
pub use json::WithoutJob;

text_enum! {
    /// What the servers want of an allocation.
    DesiredStatus as "desired status" {
        Run = "run",
        Stop = "stop",
        /// Stopped to make room for one of higher priority.
        Evict = "evict",
    }
}

text_enum! {
    /// How an allocation stands on its node.
    ClientStatus as "client status" {
        Pending = "pending",
        Running = "running",
        Complete = "complete",
        Failed = "failed",
        /// Its node is gone.
        Lost = "lost",
        /// Its node is disconnected and may come back.
        Unknown = "unknown",
    }
}

/// An instance of a task group on a node.
///
/// JSON leaves zero members out. The older `Resources`, `SharedResources` and `TaskResources` are made from
/// [`Self::allocated_resources`] when written as JSON and ignored when read.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Allocation {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: AllocId,
    /// The job's namespace.
    pub namespace: NamespaceName,
    /// The evaluation that last placed or changed it.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// `<job>.<group>[<index>]`.
    pub name: String,
    /// Its node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// Its node's name.
    pub node_name: String,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// The version of the job it runs; stripped in plans and events.
    pub job: Option<Arc<Job>>,
    /// Its task group.
    pub task_group: String,
    /// What it was given.
    pub allocated_resources: Option<Arc<AllocatedResources>>,
    /// What the scheduler saw.
    pub metrics: Option<Arc<AllocMetric>>,
    /// What the servers want.
    pub desired_status: DesiredStatus,
    /// Why: see [`desired_description`].
    pub desired_description: Description,
    /// What the servers ask the scheduler to do with it.
    #[serde(deserialize_with = "shape::null_default")]
    pub desired_transition: DesiredTransition,
    /// How it stands on its node.
    pub client_status: ClientStatus,
    /// Why: see [`client_description`].
    pub client_description: Description,
    /// How its tasks stand.
    #[serde(deserialize_with = "shape::null_default")]
    pub task_states: TaskStates,
    /// Past client statuses that disconnection depends on.
    #[serde(deserialize_with = "shape::null_default")]
    pub alloc_states: ThinVec<AllocState>,
    /// The one it replaces.
    pub previous_allocation: AllocId,
    /// The one that replaces it.
    pub next_allocation: AllocId,
    /// The deployment it belongs to.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: DeploymentId,
    /// How it does in that deployment.
    pub deployment_status: Option<AllocDeploymentStatus>,
    /// Past attempts on other nodes.
    pub reschedule_tracker: Option<Box<RescheduleTracker>>,
    /// Its network as found by the client.
    pub network_status: Option<Box<AllocNetworkStatus>>,
    /// The evaluation that will reschedule it later.
    #[serde(rename = "FollowupEvalID")]
    pub followup_eval_id: EvalId,
    /// Those evicted to make room for it.
    #[serde(deserialize_with = "shape::null_default")]
    pub preempted_allocations: ThinVec<AllocId>,
    /// The one it was evicted for.
    pub preempted_by_allocation: AllocId,
    /// The key that signed its tasks' identities.
    #[serde(rename = "SigningKeyID")]
    pub signing_key_id: KeyId,
    /// Index of the placement.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// Index of the last change by servers, by which clients know what to fetch.
    pub alloc_modify_index: u64,
    /// When it was placed.
    pub create_time: UnixNanos,
    /// When it last changed.
    pub modify_time: UnixNanos,
}

/// What the servers ask the scheduler to do with an allocation; each is unset, true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DesiredTransition {
    /// Move it off its node.
    pub migrate: Option<bool>,
    /// Reschedule it if its policy allows.
    pub reschedule: Option<bool>,
    /// Reschedule it whatever its policy says.
    pub force_reschedule: Option<bool>,
    /// Pass the shutdown delay over when it stops.
    pub no_shutdown_delay: Option<bool>,
    /// When migrating, place no replacement.
    pub migrate_disable_placement: Option<bool>,
}

impl DesiredTransition {
    /// Whether it is to move.
    #[must_use]
    pub fn should_migrate(&self) -> bool {
        self.migrate == Some(true)
    }

    /// Whether it is to be rescheduled if its policy allows.
    #[must_use]
    pub fn should_reschedule(&self) -> bool {
        self.reschedule == Some(true)
    }

    /// Whether it is to be rescheduled whatever its policy says.
    #[must_use]
    pub fn should_force_reschedule(&self) -> bool {
        self.force_reschedule == Some(true)
    }

    /// Whether the shutdown delay is passed over.
    #[must_use]
    pub fn should_ignore_shutdown_delay(&self) -> bool {
        self.no_shutdown_delay == Some(true)
    }

    /// Whether no replacement is placed when it moves.
    #[must_use]
    pub fn should_disable_migration_placement(&self) -> bool {
        self.migrate_disable_placement == Some(true)
    }

    /// Takes over what `other` sets.
    pub fn merge(&mut self, other: &Self) {
        // exhaustive
        let Self {
            migrate,
            reschedule,
            force_reschedule,
            no_shutdown_delay,
            migrate_disable_placement,
        } = *other;
        self.migrate = migrate.or(self.migrate);
        self.reschedule = reschedule.or(self.reschedule);
        self.force_reschedule = force_reschedule.or(self.force_reschedule);
        self.no_shutdown_delay = no_shutdown_delay.or(self.no_shutdown_delay);
        self.migrate_disable_placement =
            migrate_disable_placement.or(self.migrate_disable_placement);
    }
}

/// A past client status.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocState {
    /// Always `ClientStatus`.
    pub field: String,
    /// The status.
    pub value: String,
    /// Since when.
    pub time: Timestamp,
}

impl AllocState {
    /// The only field that is recorded.
    pub const CLIENT_STATUS: &'static str = "ClientStatus";
}

/// How an allocation does in its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocDeploymentStatus {
    /// The verdict; none yet while it is watched.
    pub healthy: Option<bool>,
    /// When the verdict fell.
    pub timestamp: Timestamp,
    /// Whether it tries the new version out.
    pub canary: bool,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AllocDeploymentStatus {
    /// Whether the verdict is good.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy == Some(true)
    }

    /// Whether the verdict is bad.
    #[must_use]
    pub fn is_unhealthy(&self) -> bool {
        self.healthy == Some(false)
    }
}

/// Past attempts on other nodes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RescheduleTracker {
    /// The attempts, oldest first.
    #[serde(with = "shape::nullable")]
    pub events: Vec<RescheduleEvent>,
    /// How the last attempt went: empty, [`Self::OK`] or [`Self::NO_PLACEMENT`].
    pub last_reschedule: String,
}

impl RescheduleTracker {
    /// The last attempt found a node.
    pub const OK: &'static str = "ok";
    /// The last attempt found no node.
    pub const NO_PLACEMENT: &'static str = "no placement";
}

/// An attempt on another node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RescheduleEvent {
    /// When.
    pub reschedule_time: UnixNanos,
    /// The allocation that failed.
    #[serde(rename = "PrevAllocID")]
    pub prev_alloc_id: AllocId,
    /// Its node, which is avoided.
    #[serde(rename = "PrevNodeID")]
    pub prev_node_id: NodeId,
    /// How long it waited.
    pub delay: Duration,
}

/// An allocation's network as found by its client.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocNetworkStatus {
    /// The interface inside its namespace.
    pub interface_name: String,
    /// Its address.
    pub address: String,
    /// Its IPv6 address.
    #[serde(rename = "AddressIPv6")]
    pub address_ipv6: String,
    /// Its name servers.
    #[serde(rename = "DNS")]
    pub dns: Option<DnsConfig>,
}

impl Allocation {
    /// `<job>.<group>[<index>]`.
    #[must_use]
    pub fn make_name(job: &str, group: &str, index: usize) -> String {
        format!("{job}.{group}[{index}]")
    }

    /// The state of a task.
    #[must_use]
    pub fn task_state(&self, task: &str) -> Option<&TaskState> {
        self.task_states.get(task)
    }
}
