//! Volumes and plugins of the container storage interface.

use crate::alloc_stub::AllocationListStub;
use crate::id::{AllocId, NamespaceName, NodeId};
use crate::shape;
use crate::time::{Timestamp, UnixNanos};
use crate::volume_request::MountOptions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A plugin as fingerprinted on a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiInfo {
    /// Which plugin.
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    /// The allocation that runs it.
    #[serde(rename = "AllocID")]
    pub alloc_id: AllocId,
    /// Whether it works.
    pub healthy: bool,
    /// Why.
    pub health_description: String,
    /// When it was last looked at.
    pub update_time: Timestamp,
    /// Its name for itself.
    pub provider: String,
    /// Its version.
    pub provider_version: String,
    /// Whether volumes need a controller.
    pub requires_controller_plugin: bool,
    /// Whether volumes are bound to places.
    pub requires_topologies: bool,
    /// What it can do as a controller.
    pub controller_info: Option<CsiControllerInfo>,
    /// What it can do on a node.
    pub node_info: Option<CsiNodeInfo>,
}

/// What a plugin can do as a controller.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each names a capability of the interface")]
pub struct CsiControllerInfo {
    pub supports_create_delete: bool,
    pub supports_attach_detach: bool,
    pub supports_list_volumes: bool,
    pub supports_get_capacity: bool,
    pub supports_create_delete_snapshot: bool,
    pub supports_list_snapshots: bool,
    pub supports_clone: bool,
    pub supports_read_only_attach: bool,
    pub supports_expand: bool,
    pub supports_list_volumes_attached_nodes: bool,
    pub supports_condition: bool,
    pub supports_get: bool,
}

/// What a plugin can do on a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each names a capability of the interface")]
pub struct CsiNodeInfo {
    /// The node's name for the provider.
    #[serde(rename = "ID")]
    pub id: String,
    /// How many volumes at most; zero is without limit.
    pub max_volumes: i64,
    /// Where the node is.
    pub accessible_topology: Option<CsiTopology>,
    pub requires_node_stage_volume: bool,
    pub supports_stats: bool,
    pub supports_expand: bool,
    pub supports_condition: bool,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiTopology {
    /// Its coordinates.
    #[serde(with = "shape::nullable")]
    pub segments: BTreeMap<String, String>,
}

/// Places a volume is wanted at.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiTopologyRequest {
    /// One of these.
    #[serde(with = "shape::nullable")]
    pub required: Vec<CsiTopology>,
    /// Rather these.
    #[serde(with = "shape::nullable")]
    pub preferred: Vec<CsiTopology>,
}

/// A way to use a volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiVolumeCapability {
    /// Such as `single-node-writer`.
    pub access_mode: String,
    /// `file-system` or `block-device`.
    pub attachment_mode: String,
}

/// A claim on a volume; stored only.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiVolumeClaim {
    /// By which allocation.
    #[serde(rename = "AllocationID")]
    pub allocation_id: AllocId,
    /// On which node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// The node's name for the provider.
    #[serde(rename = "ExternalNodeID")]
    pub external_node_id: String,
    /// `read`, `write` or `gc`.
    pub mode: String,
    /// How it is used.
    pub access_mode: String,
    /// How it is attached.
    pub attachment_mode: String,
    /// `taken`, `node-detached`, `controller-detached`, `ready-to-free` or `unpublishing`.
    pub state: String,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiVolume {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The provider's id for it.
    #[serde(rename = "ExternalID")]
    pub external_id: String,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Where it is wanted.
    pub requested_topologies: Option<CsiTopologyRequest>,
    /// Where it is.
    #[serde(with = "shape::nullable")]
    pub topologies: Vec<CsiTopology>,
    /// How it is used now.
    pub access_mode: String,
    /// How it is attached now.
    pub attachment_mode: String,
    /// How it is mounted.
    pub mount_options: Option<MountOptions>,
    /// For the plugin: never shown.
    #[serde(with = "shape::nullable")]
    pub secrets: BTreeMap<String, String>,
    /// For creation.
    #[serde(with = "shape::nullable")]
    pub parameters: BTreeMap<String, String>,
    /// The provider's notes.
    #[serde(with = "shape::nullable")]
    pub context: BTreeMap<String, String>,
    /// Bytes.
    pub capacity: i64,
    /// Bytes at least.
    pub requested_capacity_min: i64,
    /// Bytes at most.
    pub requested_capacity_max: i64,
    /// Ways it is to be usable.
    #[serde(with = "shape::nullable")]
    pub requested_capabilities: Vec<CsiVolumeCapability>,
    /// The volume it is a copy of.
    #[serde(rename = "CloneID")]
    pub clone_id: String,
    /// The snapshot it is a copy of.
    #[serde(rename = "SnapshotID")]
    pub snapshot_id: String,
    /// Readers; values are null.
    #[serde(deserialize_with = "shape::null_default")]
    pub read_allocs: BTreeMap<String, Option<serde_json::Value>>,
    /// Writers; values are null.
    #[serde(deserialize_with = "shape::null_default")]
    pub write_allocs: BTreeMap<String, Option<serde_json::Value>>,
    /// Readers and writers as lists show them.
    #[serde(deserialize_with = "shape::null_default")]
    pub allocations: Vec<AllocationListStub>,
    /// Whether it can be claimed.
    pub schedulable: bool,
    /// Its plugin.
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    /// The plugin's name for itself.
    pub provider: String,
    /// The plugin's version.
    pub provider_version: String,
    /// Whether a controller is needed.
    pub controller_required: bool,
    /// Controllers that work.
    pub controllers_healthy: i64,
    /// Controllers there should be.
    pub controllers_expected: i64,
    /// Nodes where the plugin works.
    pub nodes_healthy: i64,
    /// Nodes where it should.
    pub nodes_expected: i64,
    /// Until when the provider has no room.
    pub resource_exhausted: Timestamp,
    /// Index of the registration.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it was registered.
    pub create_time: UnixNanos,
    /// When it last changed.
    pub modify_time: UnixNanos,
    /// Claims that read, by allocation id; stored only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub read_claims: BTreeMap<AllocId, CsiVolumeClaim>,
    /// Claims that write, by allocation id; stored only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write_claims: BTreeMap<AllocId, CsiVolumeClaim>,
    /// Claims being given back, by allocation id; stored only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub past_claims: BTreeMap<AllocId, CsiVolumeClaim>,
}

/// A volume as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in CsiVolume")]
pub struct CsiVolumeListStub {
    #[serde(rename = "ID")]
    pub id: String,
    pub namespace: NamespaceName,
    pub name: String,
    #[serde(rename = "ExternalID")]
    pub external_id: String,
    #[serde(with = "shape::nullable")]
    pub topologies: Vec<CsiTopology>,
    pub access_mode: String,
    pub attachment_mode: String,
    pub current_readers: i64,
    pub current_writers: i64,
    pub schedulable: bool,
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    pub provider: String,
    pub controller_required: bool,
    pub controllers_healthy: i64,
    pub controllers_expected: i64,
    pub nodes_healthy: i64,
    pub nodes_expected: i64,
    pub resource_exhausted: Timestamp,
    pub create_index: u64,
    pub modify_index: u64,
    pub create_time: UnixNanos,
    pub modify_time: UnixNanos,
}

/// A plugin.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiPlugin {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name for itself.
    pub provider: String,
    /// Its version.
    pub version: String,
    /// Whether volumes need a controller.
    pub controller_required: bool,
    /// Controllers by node id.
    #[serde(deserialize_with = "shape::null_default")]
    pub controllers: BTreeMap<String, CsiInfo>,
    /// Node plugins by node id.
    #[serde(deserialize_with = "shape::null_default")]
    pub nodes: BTreeMap<String, CsiInfo>,
    /// The allocations that run it.
    #[serde(deserialize_with = "shape::null_default")]
    pub allocations: Vec<AllocationListStub>,
    /// Jobs that run controllers, by namespace and id.
    #[serde(deserialize_with = "shape::null_default")]
    pub controller_jobs: serde_json::Map<String, serde_json::Value>,
    /// Jobs that run node plugins, by namespace and id.
    #[serde(deserialize_with = "shape::null_default")]
    pub node_jobs: serde_json::Map<String, serde_json::Value>,
    /// Controllers that work.
    pub controllers_healthy: i64,
    /// Controllers there should be.
    pub controllers_expected: i64,
    /// Nodes where it works.
    pub nodes_healthy: i64,
    /// Nodes where it should.
    pub nodes_expected: i64,
    /// Index of the first fingerprint.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it was first seen.
    pub create_time: UnixNanos,
    /// When it last changed.
    pub modify_time: UnixNanos,
}

/// A plugin as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in CsiPlugin")]
pub struct CsiPluginListStub {
    #[serde(rename = "ID")]
    pub id: String,
    pub provider: String,
    pub controller_required: bool,
    pub controllers_healthy: i64,
    pub controllers_expected: i64,
    pub nodes_healthy: i64,
    pub nodes_expected: i64,
    pub create_index: u64,
    pub modify_index: u64,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiSnapshot {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// The provider's id of the volume.
    #[serde(rename = "ExternalSourceVolumeID")]
    pub external_source_volume_id: String,
    /// Bytes.
    pub size_bytes: i64,
    /// Seconds since 1970.
    pub create_time: i64,
    /// Whether it can be used.
    pub is_ready: bool,
    /// The volume.
    #[serde(rename = "SourceVolumeID")]
    pub source_volume_id: String,
    /// The plugin.
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    /// Its name.
    pub name: String,
    /// For the plugin: never shown.
    #[serde(with = "shape::nullable")]
    pub secrets: BTreeMap<String, String>,
    /// For the plugin.
    #[serde(with = "shape::nullable")]
    pub parameters: BTreeMap<String, String>,
}

/// A volume as the provider knows it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiVolumeExternalStub {
    /// The provider's id.
    #[serde(rename = "ExternalID")]
    pub external_id: String,
    /// Bytes.
    pub capacity_bytes: i64,
    /// The provider's notes.
    #[serde(with = "shape::nullable")]
    pub volume_context: BTreeMap<String, String>,
    /// The volume it is a copy of.
    #[serde(rename = "CloneID")]
    pub clone_id: String,
    /// The snapshot it is a copy of.
    #[serde(rename = "SnapshotID")]
    pub snapshot_id: String,
    /// Nodes it is attached to.
    #[serde(rename = "PublishedExternalNodeIDs", with = "shape::nullable")]
    pub published_external_node_ids: Vec<String>,
    /// Whether something is wrong.
    pub is_abnormal: bool,
    /// What.
    pub status: String,
}
