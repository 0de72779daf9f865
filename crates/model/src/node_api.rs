//! Requests and answers about nodes.

use crate::id::NodeId;
use crate::node::{
    DrainMetadata, DrainSpec, DriverInfo, Eligibility, HostVolumeInfo, Node, NodeStatus,
};
use crate::node_resources::{NodeReservedResources, NodeResources};
use crate::query::QueryMeta;
use crate::shape;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A node as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeListStub {
    /// Host part of the HTTP address.
    pub address: String,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: NodeId,
    /// Only `os.name`, and only when asked for.
    #[serde(with = "shape::nullable")]
    pub attributes: BTreeMap<String, String>,
    /// Datacenter.
    pub datacenter: String,
    /// Its name.
    pub name: String,
    /// Its pool.
    pub node_pool: String,
    /// Its class.
    pub node_class: String,
    /// The agent's version.
    pub version: String,
    /// Whether a drain runs.
    pub drain: bool,
    /// Whether new allocations may be placed on it.
    pub scheduling_eligibility: Eligibility,
    /// Whether it is there.
    pub status: NodeStatus,
    /// Why.
    pub status_description: String,
    /// Task drivers by name.
    #[serde(deserialize_with = "shape::null_default")]
    pub drivers: BTreeMap<String, DriverInfo>,
    /// Host volumes by name.
    #[serde(deserialize_with = "shape::null_default")]
    pub host_volumes: BTreeMap<String, HostVolumeInfo>,
    /// What it has, when asked for.
    pub node_resources: Option<NodeResources>,
    /// What of it is not for tasks, when asked for.
    pub reserved_resources: Option<NodeReservedResources>,
    /// The last drain.
    pub last_drain: Option<DrainMetadata>,
    /// Index of the registration.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl Node {
    /// The node as lists show it, without what must be asked for.
    #[must_use]
    pub fn stub(&self, resources: bool, os: bool) -> NodeListStub {
        let attribute = |name: &str| self.attributes.get(name).cloned();
        NodeListStub {
            address: self.address().to_owned(),
            id: self.id,
            attributes: os
                .then(|| attribute("os.name").map(|value| ("os.name".to_owned(), value)))
                .flatten()
                .into_iter()
                .collect(),
            datacenter: self.datacenter.clone(),
            name: self.name.clone(),
            node_pool: self.node_pool.clone(),
            node_class: self.node_class.clone(),
            version: attribute("nomad.version").unwrap_or_default(),
            drain: self.drain_strategy.is_some(),
            scheduling_eligibility: self.scheduling_eligibility,
            status: self.status,
            status_description: self.status_description.clone(),
            drivers: self.drivers.clone(),
            host_volumes: self.host_volumes.clone(),
            node_resources: resources.then(|| self.node_resources.clone()).flatten(),
            reserved_resources: resources.then(|| self.reserved_resources.clone()).flatten(),
            last_drain: self.last_drain.clone(),
            create_index: self.create_index,
            modify_index: self.modify_index,
        }
    }
}

/// Body of `POST /v1/node/:id/drain`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "NodeUpdateDrainRequest", rename_all = "PascalCase")]
pub struct NodeDrainRequest {
    /// The node; the path wins.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// The drain to begin; absent calls a running one off.
    pub drain_spec: Option<DrainSpec>,
    /// When calling off: make the node eligible again.
    pub mark_eligible: bool,
    /// What to note with the drain.
    #[serde(with = "shape::nullable")]
    pub meta: BTreeMap<String, String>,
}

/// Body of `POST /v1/node/:id/eligibility`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    default,
    rename = "NodeUpdateEligibilityRequest",
    rename_all = "PascalCase"
)]
pub struct NodeEligibilityRequest {
    /// The node; wins over the path.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// `eligible` or `ineligible`.
    pub eligibility: String,
}

/// Answer to a change of drain or eligibility.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeChangeResponse {
    /// Index of the node's change.
    pub node_modify_index: u64,
    /// Evaluations it caused.
    #[serde(rename = "EvalIDs", with = "shape::nullable")]
    pub eval_ids: Vec<String>,
    /// Index of these evaluations.
    pub eval_create_index: u64,
    /// Index of the write.
    pub index: u64,
}

/// Answer to an evaluation, a purge, and a client's heartbeat.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeUpdateResponse {
    /// How soon the next heartbeat is due.
    #[serde(rename = "HeartbeatTTL")]
    pub heartbeat_ttl: Duration,
    /// Evaluations it caused.
    #[serde(rename = "EvalIDs", with = "shape::nullable")]
    pub eval_ids: Vec<String>,
    /// Index of these evaluations.
    pub eval_create_index: u64,
    /// Index of the node's change.
    pub node_modify_index: u64,
    /// Unused bit set.
    pub features: u64,
    /// Address of the leader for calls between agents.
    #[serde(rename = "LeaderRPCAddr")]
    pub leader_rpc_addr: String,
    /// How many nodes there are.
    pub num_nodes: i64,
    /// The servers that can be called.
    #[serde(with = "shape::nullable")]
    pub servers: Vec<NodeServerInfo>,
    /// The node's eligibility, which the client keeps.
    pub scheduling_eligibility: Eligibility,
    /// A fresh identity for the node, when one is due.
    pub signed_identity: Option<String>,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}

/// A server as told to clients.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeServerInfo {
    /// Its address for calls between agents.
    #[serde(rename = "RPCAdvertiseAddr")]
    pub rpc_advertise_addr: String,
    /// Always zero.
    #[serde(rename = "RPCMajorVersion")]
    pub rpc_major_version: i32,
    /// Always zero.
    #[serde(rename = "RPCMinorVersion")]
    pub rpc_minor_version: i32,
    /// Datacenter.
    pub datacenter: String,
}

/// A node's metadata, by where it comes from.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeMetaResponse {
    /// What is in force.
    #[serde(deserialize_with = "shape::null_default")]
    pub meta: BTreeMap<String, String>,
    /// Set while running; null unsets what configuration set.
    #[serde(deserialize_with = "shape::null_default")]
    pub dynamic: BTreeMap<String, Option<String>>,
    /// Set by configuration.
    #[serde(rename = "Static", deserialize_with = "shape::null_default")]
    pub static_meta: BTreeMap<String, String>,
}

/// Body of `POST /v1/client/metadata`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeMetaApplyRequest {
    /// The node, when not the one asked.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// What to set; null unsets.
    #[serde(deserialize_with = "shape::null_default")]
    pub meta: BTreeMap<String, Option<String>>,
}
