//! One sample of what a task uses.

use std::collections::BTreeMap;

/// The task as a whole, and each of its processes where the driver knows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskUsage {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    pub total: Usage,
    pub pids: BTreeMap<i32, Usage>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    pub cpu: CpuUsage,
    pub memory: MemoryUsage,
}

/// `measured` lists the names the API reports as measured, for example `Percent`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CpuUsage {
    /// Of one core: 200 is two cores busy.
    pub percent: f64,
    pub system_percent: f64,
    pub user_percent: f64,
    /// MHz in use; 0 when the speed of a core is unknown.
    pub total_ticks: f64,
    pub throttled_periods: u64,
    /// Nanoseconds.
    pub throttled_time: u64,
    pub measured: Vec<&'static str>,
}

/// Bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    pub rss: u64,
    pub cache: u64,
    pub swap: u64,
    pub mapped_file: u64,
    pub usage: u64,
    pub max_usage: u64,
    pub kernel_usage: u64,
    pub kernel_max_usage: u64,
    pub measured: Vec<&'static str>,
}
