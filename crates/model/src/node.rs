//! A node: a machine that runs allocations, as registered by its client agent.

use crate::csi::CsiInfo;
use crate::id::{KeyId, NodeId};
use crate::node_resources::{NodeReservedResources, NodeResources};
use crate::shape;
use crate::text_enum::text_enum;
use crate::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

text_enum! {
    /// Whether a node is there.
    NodeStatus as "node status" {
        Initializing = "initializing",
        Ready = "ready",
        Down = "down",
        Disconnected = "disconnected",
    }
}

text_enum! {
    /// Whether the scheduler may place new allocations on a node.
    Eligibility as "scheduling eligibility" {
        Eligible = "eligible",
        Ineligible = "ineligible",
    }
}

text_enum! {
    /// How the last drain of a node stands.
    DrainStatus as "drain status" {
        Draining = "draining",
        Complete = "complete",
        Canceled = "canceled",
    }
}

/// The part of the cluster a node event came from.
pub mod subsystem {
    /// Registration and liveness.
    pub const CLUSTER: &str = "Cluster";
    /// Draining.
    pub const DRAIN: &str = "Drain";
    /// A task driver's health.
    pub const DRIVER: &str = "Driver";
    /// Heartbeats.
    pub const HEARTBEAT: &str = "Heartbeat";
    /// Scheduling eligibility.
    pub const SCHEDULER: &str = "Scheduler";
    /// Volumes.
    pub const STORAGE: &str = "Storage";
}

/// The texts of node events.
pub mod node_event {
    /// First registration.
    pub const REGISTERED: &str = "Node registered";
    /// Registered again after having been down.
    pub const RE_REGISTERED: &str = "Node re-registered";
    /// Came back by a heartbeat.
    pub const REREGISTERED_BY_HEARTBEAT: &str = "Node reregistered by heartbeat";
    /// Went silent.
    pub const HEARTBEAT_MISSED: &str = "Node heartbeat missed";
    /// A drain began.
    pub const DRAIN_SET: &str = "Node drain strategy set";
    /// A running drain was changed.
    pub const DRAIN_UPDATED: &str = "Node drain strategy updated";
    /// A drain was called off.
    pub const DRAIN_DISABLED: &str = "Node drain disabled";
    /// A drain ended by itself.
    pub const DRAIN_COMPLETE: &str = "Node drain complete";
    /// Made eligible.
    pub const ELIGIBLE: &str = "Node marked as eligible for scheduling";
    /// Made ineligible.
    pub const INELIGIBLE: &str = "Node marked as ineligible for scheduling";
    /// How many events a node keeps.
    pub const KEPT: usize = 10;
}

/// A machine that runs allocations. Members are alphabetical, as in the public JSON.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Node {
    /// Facts found by fingerprints, such as `kernel.name`; names under `unique.` are left out of the computed class.
    #[serde(deserialize_with = "shape::null_default")]
    pub attributes: BTreeMap<String, String>,
    /// Controller plugins by plugin id.
    #[serde(
        rename = "CSIControllerPlugins",
        deserialize_with = "shape::null_default"
    )]
    pub csi_controller_plugins: BTreeMap<String, CsiInfo>,
    /// Node plugins by plugin id.
    #[serde(rename = "CSINodePlugins", deserialize_with = "shape::null_default")]
    pub csi_node_plugins: BTreeMap<String, CsiInfo>,
    /// The cgroup under which tasks live.
    pub cgroup_parent: String,
    /// `v1:<number>`: nodes with equal class are alike to the scheduler.
    pub computed_class: String,
    /// Index of the registration.
    pub create_index: u64,
    /// Datacenter.
    pub datacenter: String,
    /// Whether a drain runs; always `drain_strategy.is_some()`.
    pub drain: bool,
    /// The running drain.
    pub drain_strategy: Option<DrainStrategy>,
    /// Task drivers by name.
    #[serde(deserialize_with = "shape::null_default")]
    pub drivers: BTreeMap<String, DriverInfo>,
    /// The last ten events, oldest first.
    #[serde(with = "shape::nullable")]
    pub events: Vec<NodeEvent>,
    /// Whether garbage collection of the node also deletes its volumes.
    #[serde(rename = "GCVolumesOnNodeGC")]
    pub gc_volumes_on_node_gc: bool,
    /// `ip:port` of the agent's HTTP server.
    #[serde(rename = "HTTPAddr")]
    pub http_addr: String,
    /// Networks named in the client's configuration.
    #[serde(with = "shape::nullable")]
    pub host_networks: BTreeMap<String, HostNetwork>,
    /// Host volumes by name.
    #[serde(deserialize_with = "shape::null_default")]
    pub host_volumes: BTreeMap<String, HostVolumeInfo>,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: NodeId,
    /// The key that signed the node's identity.
    #[serde(rename = "IdentitySigningKeyID")]
    pub identity_signing_key_id: KeyId,
    /// Index of the last update of allocations by the client.
    pub last_alloc_update_index: u64,
    /// The last drain, running or over.
    pub last_drain: Option<DrainMetadata>,
    /// Index at which the node was last found silent; zero when it never was or has caught up since.
    pub last_missed_heartbeat_index: u64,
    /// Links to other systems.
    #[serde(deserialize_with = "shape::null_default")]
    pub links: BTreeMap<String, String>,
    /// Metadata from configuration and from `node meta apply`.
    #[serde(deserialize_with = "shape::null_default")]
    pub meta: BTreeMap<String, String>,
    /// Index of the last change.
    pub modify_index: u64,
    /// Its name.
    pub name: String,
    /// A free label used in constraints.
    pub node_class: String,
    /// How many allocations it takes at most; zero is without limit.
    pub node_max_allocs: i64,
    /// Its pool.
    pub node_pool: String,
    /// What it has.
    pub node_resources: Option<NodeResources>,
    /// What of it is not for tasks.
    pub reserved_resources: Option<NodeReservedResources>,
    /// Whether new allocations may be placed on it.
    pub scheduling_eligibility: Eligibility,
    /// The secret that the client proves itself by: never shown.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// Whether it is there.
    pub status: NodeStatus,
    /// Why.
    pub status_description: String,
    /// Seconds since 1970 of the last change of status.
    pub status_updated_at: i64,
    /// Whether the agent's HTTP server wants TLS.
    #[serde(rename = "TLSEnabled")]
    pub tls_enabled: bool,
}

impl Node {
    /// Whether new allocations may be placed on it: ready, not draining, eligible.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status == NodeStatus::Ready
            && self.drain_strategy.is_none()
            && self.scheduling_eligibility == Eligibility::Eligible
    }

    /// Whether allocations cannot run there for now: it is down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.status == NodeStatus::Down
    }

    /// Adds an event and drops the oldest beyond what is kept.
    pub fn add_event(&mut self, event: NodeEvent) {
        // Of most nodes one is kept.
        self.events.reserve_exact(1);
        self.events.push(event);
        let surplus = self.events.len().saturating_sub(node_event::KEPT);
        self.events.drain(..surplus);
    }

    /// The host part of the HTTP address.
    #[must_use]
    pub fn address(&self) -> &str {
        let host = self.http_addr.rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// What a client knows about one task driver.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DriverInfo {
    /// Facts such as `driver.docker.version`.
    #[serde(deserialize_with = "shape::null_default")]
    pub attributes: BTreeMap<String, String>,
    /// Whether it is installed.
    pub detected: bool,
    /// Whether it works.
    pub healthy: bool,
    /// Why.
    pub health_description: String,
    /// When it was last looked at.
    pub update_time: Timestamp,
}

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeEvent {
    /// What happened.
    pub message: String,
    /// Where it came from: one of [`subsystem`].
    pub subsystem: String,
    /// More, such as `deadline_reached`.
    #[serde(with = "shape::nullable")]
    pub details: BTreeMap<String, String>,
    /// When, in whole seconds.
    pub timestamp: Timestamp,
    /// The index of the write; zero for the event of the first registration.
    pub create_index: u64,
}

/// What an operator asks of a drain.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DrainSpec {
    /// How long allocations may take to move; zero: as long as they need; negative: at once.
    pub deadline: Duration,
    /// Whether allocations of system jobs stay.
    pub ignore_system_jobs: bool,
}

/// A running drain: the [`DrainSpec`] flattened, and its clock.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DrainStrategy {
    /// How long allocations may take to move; zero: as long as they need; negative: at once.
    pub deadline: Duration,
    /// Whether allocations of system jobs stay.
    pub ignore_system_jobs: bool,
    /// When whatever is left is stopped; never when there is no deadline.
    pub force_deadline: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
}

/// Who drained a node, when and how it went.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DrainMetadata {
    /// When it began.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How it stands.
    pub status: DrainStatus,
    /// The accessor of the token that asked for it.
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// What the operator noted.
    #[serde(with = "shape::nullable")]
    pub meta: BTreeMap<String, String>,
}

/// A host volume as a client offers it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostVolumeInfo {
    /// Its name.
    pub name: String,
    /// Where it is on the host.
    pub path: String,
    /// Whether it can only be read.
    pub read_only: bool,
    /// The id of a dynamic host volume; empty for one from configuration.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A network named in a client's configuration.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostNetwork {
    /// Its name, used as alias of addresses.
    pub name: String,
    /// The addresses that belong to it.
    #[serde(rename = "CIDR")]
    pub cidr: String,
    /// The interface whose addresses belong to it.
    pub interface: String,
    /// Ports that are not for tasks, such as `22,8000-8010`.
    pub reserved_ports: String,
}
