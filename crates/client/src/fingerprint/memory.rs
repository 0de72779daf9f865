//! How much memory there is.

use caravan_model::Node;

use super::{resources, set};
use crate::config::ClientConfig;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let bytes = match config.memory_total_mb {
        0 => meminfo("MemTotal").unwrap_or(0),
        megabytes => u64::try_from(megabytes).unwrap_or(0) << 20,
    };
    set(node, "memory.totalbytes", bytes.to_string());
    resources(node).memory.memory_mb = i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
}

/// A line of `/proc/meminfo` in bytes.
pub(crate) fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kb| kb << 10)
}
