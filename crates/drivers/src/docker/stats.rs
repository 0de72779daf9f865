//! What a container uses, from the engine's counters.

use bollard::Docker;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use caravan_driver::{CpuUsage, DriverError, MemoryUsage, TaskUsage, Usage};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::time::Instant;

use super::words;

/// The counters of the sample before: when, total, user and kernel mode in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Previous(Option<(Instant, u64, u64, u64)>);

pub(crate) async fn fetch(
    docker: &Docker,
    id: &str,
) -> Result<ContainerStatsResponse, DriverError> {
    let options = StatsOptionsBuilder::new()
        .stream(false)
        .one_shot(true)
        .build();
    let mut stream = Box::pin(docker.stats(id, Some(options)));
    match stream.next().await {
        Some(Ok(stats)) => Ok(stats),
        Some(Err(err)) => Err(DriverError::other(words(&err))),
        None => Err(DriverError::other("the engine gave no statistics")),
    }
}

pub(crate) fn usage(
    stats: &ContainerStatsResponse,
    previous: &mut Previous,
    core_mhz: f64,
) -> TaskUsage {
    let total = Usage {
        cpu: cpu(stats, previous, core_mhz),
        memory: memory(stats),
    };
    TaskUsage {
        timestamp: crate::sampler::timestamp(),
        total,
        pids: BTreeMap::new(),
    }
}

fn cpu(stats: &ContainerStatsResponse, previous: &mut Previous, core_mhz: f64) -> CpuUsage {
    let cpu = stats.cpu_stats.clone().unwrap_or_default();
    let counters = cpu.cpu_usage.unwrap_or_default();
    let throttling = cpu.throttling_data.unwrap_or_default();
    let now = (
        Instant::now(),
        counters.total_usage.unwrap_or(0),
        counters.usage_in_usermode.unwrap_or(0),
        counters.usage_in_kernelmode.unwrap_or(0),
    );
    let before = previous.0.replace(now);
    let rate = |now_value: u64, pick: fn(&(Instant, u64, u64, u64)) -> u64| {
        let Some(before) = &before else { return 0.0 };
        let elapsed = now.0.duration_since(before.0).as_nanos() as f64;
        if elapsed == 0.0 {
            0.0
        } else {
            now_value.saturating_sub(pick(before)) as f64 / elapsed * 100.0
        }
    };
    let percent = rate(now.1, |b| b.1);
    CpuUsage {
        percent,
        user_percent: rate(now.2, |b| b.2),
        system_percent: rate(now.3, |b| b.3),
        total_ticks: percent / 100.0 * core_mhz,
        throttled_periods: throttling.throttled_periods.unwrap_or(0),
        throttled_time: throttling.throttled_time.unwrap_or(0),
        measured: vec!["Throttled Periods", "Throttled Time", "Percent"],
    }
}

fn memory(stats: &ContainerStatsResponse) -> MemoryUsage {
    let memory = stats.memory_stats.clone().unwrap_or_default();
    let detail = memory.stats.unwrap_or_default();
    let pick = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| detail.get(*key).copied())
            .unwrap_or(0)
    };
    let cache = pick(&["total_inactive_file", "inactive_file", "cache"]);
    MemoryUsage {
        rss: pick(&["rss", "anon"]),
        cache: pick(&["cache", "file"]),
        swap: pick(&["swap"]),
        mapped_file: pick(&["mapped_file", "file_mapped"]),
        // Pages the kernel would give back at once are not in use.
        usage: memory.usage.unwrap_or(0).saturating_sub(cache),
        max_usage: memory.max_usage.unwrap_or(0),
        kernel_usage: 0,
        kernel_max_usage: 0,
        measured: vec!["RSS", "Cache", "Swap", "Usage", "Max Usage"],
    }
}
