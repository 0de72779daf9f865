//! Networks and ports, as asked for by a job and as given to an allocation.

use crate::{StringMap, shape};
use serde::{Deserialize, Serialize};

/// Network modes with a meaning of their own; others belong to drivers.
pub mod network_mode {
    /// The host's network; the empty text means the same.
    pub const HOST: &str = "host";
    /// A namespace behind the client's bridge.
    pub const BRIDGE: &str = "bridge";
    /// A namespace with loopback only.
    pub const NONE: &str = "none";
    /// What the names of CNI networks start with.
    pub const CNI_PREFIX: &str = "cni/";
}

/// A network asked for, or given. Members with zero values are absent in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkResource {
    /// See [`network_mode`]; empty means host.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub mode: String,
    /// The host's interface.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub device: String,
    #[serde(rename = "CIDR", skip_serializing_if = "shape::is_default")]
    pub cidr: String,
    /// The address the ports are reserved on.
    #[serde(rename = "IP", skip_serializing_if = "shape::is_default")]
    pub ip: String,
    /// Bridge mode: the name inside the namespace; may be interpolated.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub hostname: String,
    /// Deprecated bandwidth.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub m_bits: i64,
    #[serde(rename = "DNS", skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsConfig>,
    /// Ports with a number from the job.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub reserved_ports: Vec<Port>,
    /// Ports whose number is chosen at placement.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub dynamic_ports: Vec<Port>,
    #[serde(rename = "CNI", skip_serializing_if = "Option::is_none")]
    pub cni: Option<CniConfig>,
}

impl NetworkResource {
    /// All ports with their labels: the fixed ones first.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.reserved_ports.iter().chain(&self.dynamic_ports)
    }

    /// Whether tasks share the host's network.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.mode.is_empty() || self.mode == network_mode::HOST
    }
}

/// A labelled port. Members with zero values are absent in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Port {
    /// Names the port; unique within the group.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub label: String,
    /// The port on the host; 0 until it is chosen.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub value: i64,
    /// The port inside the namespace: 0 leaves it to the mode, −1 means the same as on the host.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub to: i64,
    /// The client's host network it is bound on; `default` after registration.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub host_network: String,
    /// May be given to several allocations of a node (host mode, fixed ports).
    #[serde(skip_serializing_if = "shape::is_default")]
    pub ignore_collision: bool,
}

/// Name resolution inside the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DnsConfig {
    #[serde(with = "shape::nullable")]
    pub servers: Vec<String>,
    #[serde(with = "shape::nullable")]
    pub searches: Vec<String>,
    #[serde(with = "shape::nullable")]
    pub options: Vec<String>,
}

/// Arguments for the CNI plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CniConfig {
    #[serde(with = "shape::nullable")]
    pub args: StringMap,
}
