//! What allocations and machines use.

use crate::shape;
use crate::time::{Timestamp, UnixNanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an allocation uses.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocResourceUsage {
    /// Summed over its tasks.
    pub resource_usage: ResourceUsage,
    /// By task.
    #[serde(deserialize_with = "shape::null_default")]
    pub tasks: BTreeMap<String, TaskResourceUsage>,
    /// When it was measured.
    pub timestamp: UnixNanos,
}

/// What a task uses.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskResourceUsage {
    /// Summed over its processes.
    pub resource_usage: ResourceUsage,
    /// When it was measured.
    pub timestamp: UnixNanos,
    /// By process.
    #[serde(with = "shape::nullable")]
    pub pids: BTreeMap<String, ResourceUsage>,
}

/// What something uses.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ResourceUsage {
    /// Memory.
    pub memory_stats: MemoryStats,
    /// Processor.
    pub cpu_stats: CpuStats,
    /// Devices: an empty list for an allocation, null for a task without.
    pub device_stats: Option<Vec<DeviceGroupStats>>,
}

/// Memory used, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MemoryStats {
    /// Resident.
    #[serde(rename = "RSS")]
    pub rss: u64,
    /// Page cache.
    pub cache: u64,
    /// Swapped out.
    pub swap: u64,
    /// Mapped files.
    pub mapped_file: u64,
    /// As the control group counts.
    pub usage: u64,
    /// The most it was.
    pub max_usage: u64,
    /// In the kernel.
    pub kernel_usage: u64,
    /// The most that was.
    pub kernel_max_usage: u64,
    /// Which of these were measured.
    #[serde(with = "shape::nullable")]
    pub measured: Vec<String>,
}

/// Processor used.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CpuStats {
    /// Percent of a core, in the kernel.
    pub system_mode: f64,
    /// Percent of a core, outside of it.
    pub user_mode: f64,
    /// MHz.
    pub total_ticks: f64,
    /// How often it was held back.
    pub throttled_periods: u64,
    /// Nanoseconds it was held back.
    pub throttled_time: u64,
    /// Percent of a core.
    pub percent: f64,
    /// Which of these were measured.
    #[serde(with = "shape::nullable")]
    pub measured: Vec<String>,
}

/// What devices of a kind report.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceGroupStats {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub r#type: String,
    /// Its model.
    pub name: String,
    /// By device id.
    #[serde(deserialize_with = "shape::null_default")]
    pub instance_stats: BTreeMap<String, DeviceStats>,
}

/// What a device reports.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceStats {
    /// The one number to show.
    pub summary: Option<StatValue>,
    /// Everything.
    pub stats: Option<StatObject>,
    /// When it was measured.
    pub timestamp: Timestamp,
}

/// A number, text or truth, with its unit.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(
    missing_docs,
    reason = "one of the values, or a value and its maximum, is set"
)]
pub struct StatValue {
    pub float_numerator_val: Option<f64>,
    pub float_denominator_val: Option<f64>,
    pub int_numerator_val: Option<i64>,
    pub int_denominator_val: Option<i64>,
    pub string_val: Option<String>,
    pub bool_val: Option<bool>,
    pub unit: String,
    pub desc: String,
}

/// A tree of values.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct StatObject {
    /// Branches.
    #[serde(with = "shape::nullable")]
    pub nested: BTreeMap<String, StatObject>,
    /// Leaves.
    #[serde(with = "shape::nullable")]
    pub attributes: BTreeMap<String, StatValue>,
}

/// What a machine uses. Members are alphabetical, as in the public JSON.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostStats {
    /// The disk that allocations are on.
    pub alloc_dir_stats: Option<HostDiskStats>,
    /// By core.
    #[serde(rename = "CPU", with = "shape::nullable")]
    pub cpu: Vec<HostCpuStats>,
    /// MHz used.
    #[serde(rename = "CPUTicksConsumed")]
    pub cpu_ticks_consumed: f64,
    /// By device.
    #[serde(with = "shape::nullable")]
    pub device_stats: Vec<DeviceGroupStats>,
    /// By disk.
    #[serde(with = "shape::nullable")]
    pub disk_stats: Vec<HostDiskStats>,
    /// Memory.
    pub memory: Option<HostMemoryStats>,
    /// When it was measured.
    pub timestamp: UnixNanos,
    /// Seconds since it started.
    pub uptime: u64,
}

/// Memory of a machine, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each says what it is")]
pub struct HostMemoryStats {
    pub available: u64,
    pub free: u64,
    pub total: u64,
    pub used: u64,
}

/// A core of a machine, in percent.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each says what it is")]
pub struct HostCpuStats {
    #[serde(rename = "CPU")]
    pub cpu: String,
    pub idle: f64,
    pub system: f64,
    pub total_percent: f64,
    /// MHz.
    pub total_ticks: f64,
    pub user: f64,
}

/// A disk of a machine, in bytes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "each says what it is")]
pub struct HostDiskStats {
    pub available: u64,
    pub device: String,
    pub inodes_used_percent: f64,
    pub mountpoint: String,
    pub size: u64,
    pub used: u64,
    pub used_percent: f64,
}

/// A file or directory of an allocation.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Bytes.
    pub size: i64,
    /// Such as `-rw-r--r--`.
    pub file_mode: String,
    /// When it last changed.
    pub mod_time: Timestamp,
    /// Its media type, when asked for a file.
    pub content_type: String,
}
