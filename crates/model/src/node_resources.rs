//! What a node has and what of it is not for tasks.

use crate::network::NetworkResource;
use crate::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node has.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeResources {
    /// Processor, summed.
    pub cpu: NodeCpuResources,
    /// Processor, core by core.
    pub processors: NodeProcessorResources,
    /// Memory.
    pub memory: NodeMemoryResources,
    /// Disk.
    pub disk: NodeDiskResources,
    /// Device groups.
    #[serde(with = "shape::nullable")]
    pub devices: Vec<NodeDeviceResource>,
    /// Networks with every address.
    #[serde(with = "shape::nullable")]
    pub node_networks: Vec<NodeNetworkResource>,
    /// Networks in the older form, one per address.
    #[serde(with = "shape::nullable")]
    pub networks: Vec<NetworkResource>,
    /// First port of the dynamic range.
    pub min_dynamic_port: i64,
    /// Last port of the dynamic range.
    pub max_dynamic_port: i64,
}

/// Processor of a node, summed.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeCpuResources {
    /// MHz.
    pub cpu_shares: i64,
    /// How many cores there are.
    pub total_cpu_cores: u16,
    /// The cores that tasks may reserve.
    #[serde(with = "shape::nullable")]
    pub reservable_cpu_cores: Vec<u16>,
}

/// Processor of a node, core by core.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeProcessorResources {
    /// How cores lie on sockets and memory.
    pub topology: Option<CpuTopology>,
}

/// How cores lie on sockets and memory. Members are alphabetical, as in the public JSON.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CpuTopology {
    /// The cores.
    #[serde(with = "shape::nullable")]
    pub cores: Vec<CpuCore>,
    /// Distances between memory nodes, a row per node.
    pub distances: Option<serde_json::Value>,
    /// Ids of the memory nodes.
    #[serde(with = "shape::nullable")]
    pub nodes: Vec<u8>,
    /// MHz set by configuration instead of what was found; zero when unset.
    pub override_total_compute: u64,
    /// MHz withheld from tasks. The spelling is the reference's.
    pub override_withold_compute: u64,
}

/// One core.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CpuCore {
    /// MHz guaranteed.
    pub base_speed: u64,
    /// Whether it is not for tasks.
    pub disable: bool,
    /// Whether it is a performance core (else an efficiency core).
    pub grade: bool,
    /// MHz guessed, when nothing better is known.
    pub guess_speed: u64,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: u16,
    /// MHz at most.
    pub max_speed: u64,
    /// Its memory node.
    #[serde(rename = "NodeID")]
    pub node_id: u8,
    /// Its socket.
    #[serde(rename = "SocketID")]
    pub socket_id: u8,
}

/// Memory of a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeMemoryResources {
    /// MiB.
    #[serde(rename = "MemoryMB")]
    pub memory_mb: i64,
}

/// Disk of a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeDiskResources {
    /// MiB.
    #[serde(rename = "DiskMB")]
    pub disk_mb: i64,
}

/// A network of a node with its addresses.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeNetworkResource {
    /// `host`, `bridge` or `cni/<name>`.
    pub mode: String,
    /// The interface.
    pub device: String,
    /// Its hardware address.
    pub mac_address: String,
    /// Megabits per second.
    pub speed: i64,
    /// Its addresses.
    #[serde(with = "shape::nullable")]
    pub addresses: Vec<NodeNetworkAddress>,
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeNetworkAddress {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// The host network it belongs to; `default` when none is named.
    pub alias: String,
    /// The address.
    pub address: String,
    /// Ports that are not for tasks.
    pub reserved_ports: String,
    /// The gateway.
    pub gateway: String,
}

/// Devices of one kind.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDeviceResource {
    /// Who made it, such as `nvidia`.
    pub vendor: String,
    /// What it is, such as `gpu`.
    #[serde(rename = "Type")]
    pub r#type: String,
    /// Its model.
    pub name: String,
    /// The devices.
    #[serde(with = "shape::nullable")]
    pub instances: Vec<NodeDevice>,
    /// Facts that constraints can ask for.
    #[serde(with = "shape::nullable")]
    pub attributes: BTreeMap<String, Attribute>,
}

impl NodeDeviceResource {
    /// `<vendor>/<type>/<name>`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.vendor, self.r#type, self.name)
    }
}

/// One device.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDevice {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether it works.
    pub healthy: bool,
    /// Why.
    pub health_description: String,
    /// Where it is.
    pub locality: Option<NodeDeviceLocality>,
}

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeDeviceLocality {
    /// Its PCI bus id.
    #[serde(rename = "PciBusID")]
    pub pci_bus_id: String,
}

/// A typed fact with a unit: one of the four values is set.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Attribute {
    /// A number with a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float: Option<f64>,
    /// A whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub int: Option<i64>,
    /// A text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string: Option<String>,
    /// A truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bool: Option<bool>,
    /// The unit of a number, such as `MiB`.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub unit: String,
}

/// What of a node is not for tasks.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeReservedResources {
    /// Processor.
    pub cpu: NodeReservedCpuResources,
    /// Memory.
    pub memory: NodeMemoryResources,
    /// Disk.
    pub disk: NodeDiskResources,
    /// Ports.
    pub networks: NodeReservedNetworkResources,
}

/// Processor that is not for tasks.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeReservedCpuResources {
    /// MHz.
    pub cpu_shares: i64,
    /// Cores.
    #[serde(with = "shape::nullable")]
    pub reserved_cpu_cores: Vec<u16>,
}

/// Ports that are not for tasks.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeReservedNetworkResources {
    /// Such as `22,8000-8010`.
    pub reserved_host_ports: String,
}
