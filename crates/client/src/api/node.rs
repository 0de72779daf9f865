//! The machine's numbers and the node's metadata.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::{
    HostCpuStats, HostDiskStats, HostMemoryStats, HostStats, NodeMetaApplyRequest,
};

use crate::clock;
use crate::fingerprint::storage;
use crate::shared::Shared;

pub(super) fn metadata(shared: &Shared) -> Result<Answer, ApiError> {
    let meta = shared.meta.read().unwrap_or_else(PoisonError::into_inner);
    Answer::json(&meta.response(), Meta::none())
}

pub(super) fn apply_metadata(shared: &Shared, request: &ApiRequest) -> Result<Answer, ApiError> {
    let wanted: NodeMetaApplyRequest = request.json()?;
    if wanted.meta.is_empty() {
        return Err(ApiError::bad_request("missing required Meta object"));
    }
    if wanted.meta.keys().any(String::is_empty) {
        return Err(ApiError::bad_request("metadata keys must not be empty"));
    }
    let (response, merged) = {
        let mut meta = shared.meta.write().unwrap_or_else(PoisonError::into_inner);
        meta.apply(wanted.meta);
        shared
            .store
            .put_node(crate::metadata::STORED, &meta.dynamic);
        (meta.response(), meta.merged())
    };
    shared.change_node(|node| node.meta = merged);
    Answer::json(&response, Meta::none())
}

pub(super) async fn identity(shared: &Shared) -> Result<Answer, ApiError> {
    let claims = shared.identity.claims(&*shared.link, shared.caller()).await;
    let claims = claims.map_err(|error| ApiError::internal(error.to_string()))?;
    Answer::json(&serde_json::json!({"Claims": claims}), Meta::none())
}

pub(super) async fn renew_identity(shared: &Shared) -> Result<Answer, ApiError> {
    let renewed = shared.identity.renew(&*shared.link, shared.caller()).await;
    renewed.map_err(|error| ApiError::internal(error.to_string()))?;
    Answer::json(&serde_json::json!({}), Meta::none())
}

/// How long the processors are watched.
const WINDOW: Duration = Duration::from_millis(100);

pub(super) async fn stats(shared: &Arc<Shared>) -> Result<Answer, ApiError> {
    Answer::json(&host_stats(shared).await, Meta::none())
}

/// The machine's numbers; takes a moment, for the processors are watched.
pub(crate) async fn host_stats(shared: &Arc<Shared>) -> HostStats {
    let before = cpu_times();
    tokio::time::sleep(WINDOW).await;
    let after = cpu_times();
    let speed = core_speed(shared);
    let cpu: Vec<HostCpuStats> = after
        .iter()
        .filter_map(|(name, now)| Some(cpu_stats(name, before.get(name)?, now, speed)))
        .collect();
    HostStats {
        alloc_dir_stats: storage::usage(&shared.config.alloc_dir).map(|usage| disk(usage, "", "")),
        cpu_ticks_consumed: cpu.iter().map(|core| core.total_ticks).sum(),
        cpu,
        device_stats: Vec::new(),
        disk_stats: disks(),
        memory: memory(),
        timestamp: clock::now(),
        uptime: uptime(),
    }
}

fn core_speed(shared: &Shared) -> f64 {
    let node = shared.node();
    let cpu = node
        .node_resources
        .as_ref()
        .map(|all| (all.cpu.cpu_shares, all.cpu.total_cpu_cores));
    cpu.map_or(0.0, |(shares, cores)| {
        shares as f64 / f64::from(cores.max(1))
    })
}

/// Ticks by core: user, system, idle, all.
fn cpu_times() -> BTreeMap<String, [u64; 4]> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?.to_owned();
        let times: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
        let at = |index: usize| times.get(index).copied().unwrap_or(0);
        let all = times.iter().take(8).sum();
        Some((
            name,
            [at(0) + at(1), at(2) + at(5) + at(6), at(3) + at(4), all],
        ))
    };
    let cores = text
        .lines()
        .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    cores.filter_map(line).collect()
}

fn cpu_stats(name: &str, before: &[u64; 4], now: &[u64; 4], speed: f64) -> HostCpuStats {
    let passed = |index: usize| now[index].saturating_sub(before[index]) as f64;
    let all = passed(3).max(1.0);
    let percent = |index: usize| passed(index) * 100.0 / all;
    let total = (100.0 - percent(2)).max(0.0);
    HostCpuStats {
        cpu: name.to_owned(),
        user: percent(0),
        system: percent(1),
        idle: percent(2),
        total_percent: total,
        total_ticks: speed * total / 100.0,
    }
}

fn disk(usage: storage::Usage, device: &str, mountpoint: &str) -> HostDiskStats {
    HostDiskStats {
        available: usage.available,
        device: device.to_owned(),
        inodes_used_percent: usage.inodes_used_percent,
        mountpoint: mountpoint.to_owned(),
        size: usage.size,
        used: usage.used,
        used_percent: usage.used_percent(),
    }
}

/// Disks, without what only looks like one.
fn disks() -> Vec<HostDiskStats> {
    let real = |device: &str| device.starts_with("/dev/");
    let mounts = storage::mounts()
        .into_iter()
        .filter(|(device, ..)| real(device));
    mounts
        .filter_map(|(device, point, _)| {
            Some(disk(storage::usage(Path::new(&point))?, &device, &point))
        })
        .collect()
}

fn memory() -> Option<HostMemoryStats> {
    use crate::fingerprint::meminfo;
    let (total, free) = (meminfo("MemTotal")?, meminfo("MemFree")?);
    let cached = meminfo("Cached")? + meminfo("Buffers")? + meminfo("SReclaimable").unwrap_or(0);
    let available = meminfo("MemAvailable").unwrap_or(free);
    Some(HostMemoryStats {
        available,
        free,
        total,
        used: total.saturating_sub(free + cached),
    })
}

fn uptime() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split('.')
        .next()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(0)
}
