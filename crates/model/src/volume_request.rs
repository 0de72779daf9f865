//! Volumes a group asks for and how its tasks mount them.

use crate::shape;
use serde::{Deserialize, Serialize};

/// Kinds of volumes.
pub mod volume_type {
    /// A directory offered by the client, or a dynamic host volume.
    pub const HOST: &str = "host";
    /// A volume of a container storage plugin.
    pub const CSI: &str = "csi";
}

/// A volume that a group asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeRequest {
    /// The alias that mounts refer to.
    pub name: String,
    /// One of [`volume_type`].
    pub r#type: String,
    /// The volume's name or id.
    pub source: String,
    pub read_only: bool,
    /// Replacements get the same dynamic host volume.
    pub sticky: bool,
    /// Such as `single-node-writer`.
    pub access_mode: String,
    /// `file-system` or `block-device`.
    pub attachment_mode: String,
    pub mount_options: Option<MountOptions>,
    /// `source` gets the allocation's index as suffix: `data[0]`.
    pub per_alloc: bool,
}

impl VolumeRequest {
    /// The source's name for the allocation with this name (`job.group[3]`).
    #[must_use]
    pub fn source_for(&self, alloc_name: &str) -> String {
        match alloc_name.rfind('[') {
            Some(at) if self.per_alloc => format!("{}{}", self.source, &alloc_name[at..]),
            _ => self.source.clone(),
        }
    }
}

/// How a storage plugin mounts a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MountOptions {
    #[serde(rename = "FSType")]
    pub fs_type: String,
    #[serde(with = "shape::nullable")]
    pub mount_flags: Vec<String>,
}

/// Where a task sees a volume of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeMount {
    /// Alias of the group's volume.
    pub volume: String,
    /// Path inside the task.
    pub destination: String,
    pub read_only: bool,
    /// `private`, `host-to-task` or `bidirectional`.
    pub propagation_mode: String,
    /// Empty, `z` or `Z`.
    #[serde(rename = "SELinuxLabel")]
    pub selinux_label: String,
}
