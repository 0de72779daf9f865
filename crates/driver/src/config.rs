//! Everything a driver is told about the task it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One task to run. Environment and `config` are already interpolated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskConfig {
    /// Unique on the node and for each start: `<alloc id>/<task name>/<short random>`.
    pub task_id: String,
    pub alloc_id: String,
    pub name: String,
    pub job_id: String,
    pub job_name: String,
    pub parent_job_id: String,
    pub group_name: String,
    pub namespace: String,
    pub node_id: String,
    pub node_name: String,
    /// Shared: with that of thousands of tasks nothing else that is kept of them is as large.
    pub env: Arc<BTreeMap<String, String>>,
    /// Empty: the driver's default.
    pub user: String,
    pub resources: TaskResources,
    /// The group's allocated ports.
    pub ports: Vec<PortMapping>,
    /// The task's own (legacy) network.
    pub task_network: Option<TaskNetwork>,
    pub dirs: TaskDirs,
    pub logs: LogConfig,
    /// The `config` block as written, after interpolation.
    pub driver_config: Value,
    pub dns: Option<DnsConfig>,
    pub network: Option<NetworkIsolation>,
    pub mounts: Vec<MountConfig>,
    pub devices: Vec<DeviceConfig>,
    /// The task's `kill_signal`; empty: the driver's default.
    pub kill_signal: String,
    /// The parent of the task's cgroup; empty: `nomad.slice` (v2) or `nomad` (v1).
    pub cgroup_parent: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskResources {
    pub cpu_mhz: i64,
    /// Exclusive cores; empty: shared.
    pub cores: Vec<u16>,
    pub memory_mb: i64,
    /// 0: not set, -1: no limit.
    pub memory_max_mb: i64,
    /// The task's share of the whole node, 0..=1.
    pub percent_ticks: f64,
    /// The usable compute of the node in MHz.
    pub node_cpu_mhz: u64,
    /// What one core of the node is worth in MHz, for tick statistics; 0: unknown.
    pub core_mhz: f64,
    pub devices: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortMapping {
    pub label: String,
    pub host_ip: String,
    pub value: u16,
    /// The port inside the task's network; 0: the same as `value`.
    pub to: u16,
    pub ignore_collision: bool,
}

impl PortMapping {
    #[must_use]
    pub fn inner(&self) -> u16 {
        if self.to == 0 { self.value } else { self.to }
    }
}

/// A network asked for by the task itself instead of its group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskNetwork {
    pub ip: String,
    pub device: String,
    pub mbits: i64,
    /// Reserved and dynamic ports together.
    pub ports: Vec<PortMapping>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskDirs {
    /// `<alloc_dir>/<alloc id>`.
    pub alloc_root: PathBuf,
    /// `…/alloc`, shared by the tasks.
    pub shared: PathBuf,
    /// `…/<task>`, the task's root.
    pub task: PathBuf,
    pub local: PathBuf,
    pub secrets: PathBuf,
    /// The agent's own directory of the task (`…/<task>/private`); never seen by the task.
    pub private: PathBuf,
}

/// Where the output goes and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    pub disabled: bool,
    /// `…/alloc/logs`; files are `<task>.stdout.<n>` and `<task>.stderr.<n>`.
    pub dir: PathBuf,
    pub max_files: u32,
    pub max_file_size_mb: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            disabled: false,
            dir: PathBuf::new(),
            max_files: 10,
            max_file_size_mb: 10,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DnsConfig {
    pub servers: Vec<String>,
    pub searches: Vec<String>,
    pub options: Vec<String>,
}

/// The network namespace of the allocation. `mode` is "host", "bridge", "none" or "cni/<name>".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkIsolation {
    pub mode: String,
    /// The namespace's path; empty in host mode.
    pub path: PathBuf,
    pub hostname: String,
    /// What the creator of the namespace needs to find it again, for example `docker_sandbox_container_id`.
    pub labels: BTreeMap<String, String>,
    /// A generated `/etc/hosts` to mount into the task; empty: none.
    pub hosts_file: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountConfig {
    pub host_path: PathBuf,
    pub task_path: PathBuf,
    pub readonly: bool,
    /// "private", "host-to-task" or "bidirectional".
    pub propagation: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceConfig {
    pub host_path: PathBuf,
    pub task_path: PathBuf,
    /// Some of `r`, `w`, `m`.
    pub permissions: String,
}
