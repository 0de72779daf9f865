//! What a task asks of a node.

use crate::{Affinity, Constraint, NetworkResource, shape};
use serde::{Deserialize, Serialize};

/// The resources of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Resources {
    /// MHz; 0 when `cores` is given.
    #[serde(rename = "CPU")]
    pub cpu: i64,
    /// Whole cores of its own; excludes `cpu`.
    pub cores: i64,
    /// What is reserved, in MiB.
    #[serde(rename = "MemoryMB")]
    pub memory_mb: i64,
    /// The hard limit in MiB: 0 means `memory_mb`, −1 no limit.
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mb: i64,
    /// Stays 0 in jobs: disk is asked for by the group's ephemeral disk.
    #[serde(rename = "DiskMB")]
    pub disk_mb: i64,
    /// Deprecated.
    #[serde(rename = "IOPS")]
    pub iops: i64,
    /// Task-level networks of old jobs.
    #[serde(with = "shape::nullable")]
    pub networks: Vec<NetworkResource>,
    #[serde(with = "shape::nullable")]
    pub devices: Vec<RequestedDevice>,
    #[serde(rename = "NUMA")]
    pub numa: Option<Numa>,
    /// Size of the secrets directory in MiB: 0 means 1; counted within memory.
    #[serde(rename = "SecretsMB")]
    pub secrets_mb: i64,
}

impl Resources {
    /// The most memory the task may use, in MiB; `None` when unlimited.
    #[must_use]
    pub fn memory_limit_mb(&self) -> Option<i64> {
        match self.memory_max_mb {
            -1 => None,
            0 => Some(self.memory_mb),
            max => Some(max),
        }
    }
}

/// Devices asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RequestedDevice {
    /// `type`, `vendor/type` or `vendor/type/model`.
    pub name: String,
    pub count: u64,
    #[serde(with = "shape::nullable")]
    pub constraints: Vec<Constraint>,
    #[serde(with = "shape::nullable")]
    pub affinities: Vec<Affinity>,
}

/// How cores should sit on memory nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Numa {
    /// `none`, `prefer` or `require`.
    pub affinity: String,
    /// Requested devices that must be on the same memory node.
    #[serde(with = "shape::nullable")]
    pub devices: Vec<String>,
}
