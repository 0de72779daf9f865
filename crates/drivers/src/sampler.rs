//! From counters to rates: two samples of a task's processes give what it uses.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use caravan_driver::{CpuUsage, MemoryUsage, TaskUsage, Usage};
use caravan_host::cgroup::GroupUsage;
use caravan_host::procs::{ProcessUsage, TICKS_PER_SECOND};

const CPU_MEASURED: [&str; 3] = ["System Mode", "User Mode", "Percent"];
const MEMORY_MEASURED: [&str; 2] = ["RSS", "Swap"];

/// Remembers the last sample of one task.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    last: Option<(Instant, BTreeMap<i32, ProcessUsage>, Option<GroupUsage>)>,
}

impl Sampler {
    /// `core_mhz` turns percent of a core into ticks; 0: unknown.
    pub(crate) fn sample(
        &mut self,
        processes: BTreeMap<i32, ProcessUsage>,
        group: Option<GroupUsage>,
        core_mhz: f64,
    ) -> TaskUsage {
        let now = Instant::now();
        let before = self.last.take();
        let elapsed = before
            .as_ref()
            .map_or(0.0, |(at, _, _)| now.duration_since(*at).as_secs_f64());
        let mut pids = BTreeMap::new();
        for (pid, usage) in &processes {
            let earlier = before
                .as_ref()
                .and_then(|(_, processes, _)| processes.get(pid));
            pids.insert(*pid, of_process(usage, earlier, elapsed, core_mhz));
        }
        let mut total = sum(pids.values());
        if let Some(group) = &group {
            let earlier = before.as_ref().and_then(|(_, _, group)| group.as_ref());
            refine(&mut total, group, earlier, elapsed, core_mhz);
        }
        self.last = Some((now, processes, group));
        TaskUsage {
            timestamp: timestamp(),
            total,
            pids,
        }
    }
}

pub(crate) fn timestamp() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}

fn of_process(
    now: &ProcessUsage,
    before: Option<&ProcessUsage>,
    elapsed: f64,
    core_mhz: f64,
) -> Usage {
    let rate = |now: u64, before: Option<u64>| match before {
        Some(before) if elapsed > 0.0 => {
            now.saturating_sub(before) as f64 / TICKS_PER_SECOND as f64 / elapsed * 100.0
        }
        _ => 0.0,
    };
    let user = rate(now.user_ticks, before.map(|b| b.user_ticks));
    let system = rate(now.system_ticks, before.map(|b| b.system_ticks));
    Usage {
        cpu: cpu(user, system, core_mhz),
        memory: memory(now.rss, now.swap),
    }
}

fn cpu(user: f64, system: f64, core_mhz: f64) -> CpuUsage {
    CpuUsage {
        percent: user + system,
        system_percent: system,
        user_percent: user,
        total_ticks: (user + system) / 100.0 * core_mhz,
        throttled_periods: 0,
        throttled_time: 0,
        measured: CPU_MEASURED.to_vec(),
    }
}

fn memory(rss: u64, swap: u64) -> MemoryUsage {
    MemoryUsage {
        rss,
        swap,
        measured: MEMORY_MEASURED.to_vec(),
        ..MemoryUsage::default()
    }
}

fn sum<'a>(usages: impl Iterator<Item = &'a Usage>) -> Usage {
    let mut total = Usage {
        cpu: cpu(0.0, 0.0, 0.0),
        memory: memory(0, 0),
    };
    for usage in usages {
        total.cpu.percent += usage.cpu.percent;
        total.cpu.system_percent += usage.cpu.system_percent;
        total.cpu.user_percent += usage.cpu.user_percent;
        total.cpu.total_ticks += usage.cpu.total_ticks;
        total.memory.rss += usage.memory.rss;
        total.memory.swap += usage.memory.swap;
    }
    total
}

/// A group's own counters include processes that came and went between the samples.
fn refine(
    total: &mut Usage,
    now: &GroupUsage,
    before: Option<&GroupUsage>,
    elapsed: f64,
    core_mhz: f64,
) {
    let rate = |now: u64, before: u64| {
        if elapsed > 0.0 {
            now.saturating_sub(before) as f64 / 1e9 / elapsed * 100.0
        } else {
            0.0
        }
    };
    if let Some(before) = before {
        let user = rate(now.cpu_user_ns, before.cpu_user_ns);
        let system = rate(now.cpu_system_ns, before.cpu_system_ns);
        total.cpu = cpu(user, system, core_mhz);
        total.cpu.percent = rate(now.cpu_total_ns, before.cpu_total_ns);
        total.cpu.total_ticks = total.cpu.percent / 100.0 * core_mhz;
    }
    total.cpu.throttled_periods = now.throttled_periods;
    total.cpu.throttled_time = now.throttled_ns;
    total.cpu.measured = vec![
        "System Mode",
        "User Mode",
        "Throttled Periods",
        "Throttled Time",
        "Percent",
    ];
    if let Some(memory) = &now.memory {
        total.memory = MemoryUsage {
            rss: memory.rss,
            cache: memory.cache,
            swap: memory.swap,
            mapped_file: memory.mapped_file,
            usage: memory.usage,
            max_usage: memory.max_usage,
            kernel_usage: memory.kernel,
            kernel_max_usage: memory.kernel_max,
            measured: vec![
                "RSS",
                "Cache",
                "Swap",
                "Usage",
                "Max Usage",
                "Kernel Usage",
                "Kernel Max Usage",
            ],
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sample_has_no_rate_and_the_second_has() {
        let at = |ticks| {
            BTreeMap::from([(
                7,
                ProcessUsage {
                    user_ticks: ticks,
                    system_ticks: 0,
                    rss: 4096,
                    swap: 0,
                },
            )])
        };
        let mut sampler = Sampler::default();
        let first = sampler.sample(at(100), None, 2000.0);
        assert_eq!(
            (first.total.cpu.percent, first.total.memory.rss),
            (0.0, 4096)
        );
        if let Some((when, _, _)) = &mut sampler.last {
            *when -= std::time::Duration::from_secs(1);
        }
        let second = sampler.sample(at(150), None, 2000.0);
        assert!(
            (second.total.cpu.percent - 50.0).abs() < 5.0,
            "{:?}",
            second.total.cpu
        );
        assert!((second.total.cpu.total_ticks - 1000.0).abs() < 100.0);
    }
}
