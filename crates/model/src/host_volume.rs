//! Dynamic host volumes: directories of nodes that jobs can claim.

use crate::alloc_stub::AllocationListStub;
use crate::constraint::Constraint;
use crate::id::{AllocId, JobId, NamespaceName, NodeId};
use crate::shape;
use crate::text_enum::text_enum;
use crate::time::UnixNanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

text_enum! {
    /// Whether a host volume is there.
    HostVolumeState as "host volume state" {
        /// The node has not reported it yet.
        Pending = "pending",
        Ready = "ready",
        Unavailable = "unavailable",
    }
}

/// A directory of a node that jobs can claim.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostVolume {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its id: a UUID.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The plugin that made it.
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    /// Its node's pool.
    pub node_pool: String,
    /// Its node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// What the node must be like.
    #[serde(with = "shape::nullable")]
    pub constraints: Vec<Constraint>,
    /// Bytes at least.
    pub requested_capacity_min_bytes: i64,
    /// Bytes at most.
    pub requested_capacity_max_bytes: i64,
    /// Bytes it has.
    pub capacity_bytes: i64,
    /// Ways it is to be usable.
    #[serde(with = "shape::nullable")]
    pub requested_capabilities: Vec<HostVolumeCapability>,
    /// For the plugin.
    #[serde(with = "shape::nullable")]
    pub parameters: BTreeMap<String, String>,
    /// Where it is on the node.
    pub host_path: String,
    /// Whether it is there.
    pub state: HostVolumeState,
    /// Index of the creation.
    pub create_index: u64,
    /// When it was created.
    pub create_time: UnixNanos,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it last changed.
    pub modify_time: UnixNanos,
    /// Who uses it; null in answers to writes, never stored.
    pub allocations: Option<Vec<AllocationListStub>>,
}

impl HostVolume {
    /// The volume as lists show it.
    #[must_use]
    pub fn stub(&self) -> HostVolumeListStub {
        HostVolumeListStub {
            namespace: self.namespace.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
            plugin_id: self.plugin_id.clone(),
            node_pool: self.node_pool.clone(),
            node_id: self.node_id,
            capacity_bytes: self.capacity_bytes,
            state: self.state,
            create_index: self.create_index,
            create_time: self.create_time,
            modify_index: self.modify_index,
            modify_time: self.modify_time,
        }
    }
}

/// A way to use a host volume.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostVolumeCapability {
    /// `file-system` or `block-device`.
    pub attachment_mode: String,
    /// Such as `single-node-writer`.
    pub access_mode: String,
}

/// A host volume as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in HostVolume")]
pub struct HostVolumeListStub {
    pub namespace: NamespaceName,
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    #[serde(rename = "PluginID")]
    pub plugin_id: String,
    pub node_pool: String,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    pub capacity_bytes: i64,
    pub state: HostVolumeState,
    pub create_index: u64,
    pub create_time: UnixNanos,
    pub modify_index: u64,
    pub modify_time: UnixNanos,
}

/// Body of creating or registering a host volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "HostVolumeCreateRequest", rename_all = "PascalCase")]
pub struct HostVolumeRequest {
    /// The volume.
    pub volume: Option<HostVolume>,
    /// Kept, without effect.
    pub policy_override: bool,
}

/// Answer to creating or registering a host volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostVolumeResponse {
    /// The volume.
    pub volume: Option<HostVolume>,
    /// Warnings.
    pub warnings: String,
    /// Index of the write.
    pub index: u64,
}

/// A sticky claim of a group on a host volume.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupHostVolumeClaim {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// The job's namespace.
    pub namespace: NamespaceName,
    /// The job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// The group.
    pub task_group_name: String,
    /// The allocation that made it.
    #[serde(rename = "AllocID")]
    pub alloc_id: AllocId,
    /// The volume.
    #[serde(rename = "VolumeID")]
    pub volume_id: String,
    /// The volume's name.
    pub volume_name: String,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}
