//! What allocations use: sampled when somebody asks, remembered for tasks that ended.

use std::collections::BTreeMap;

use caravan_driver::{TaskUsage, Usage};
use caravan_model::{
    AllocResourceUsage, CpuStats, MemoryStats, ResourceUsage, TaskResourceUsage, UnixNanos,
};

use crate::handle::Runner;

/// Samples the tasks that run; `task` picks one.
pub(crate) async fn of_alloc(runner: &Runner, task: &str) -> AllocResourceUsage {
    for (name, live) in runner.live_tasks() {
        if !task.is_empty() && name != task {
            continue;
        }
        match live.driver.task_stats(&live.task_id).await {
            Ok(usage) => {
                runner.samples.take(name, usage);
            }
            Err(error) => tracing::debug!(task = name, %error, "no statistics"),
        }
    }
    let taken = runner.samples.taken().into_iter();
    let taken = taken.filter(|(name, _)| task.is_empty() || name == task);
    let tasks: BTreeMap<String, TaskResourceUsage> = taken
        .map(|(name, usage)| (name, task_usage(&usage)))
        .collect();
    let live = runner.live_tasks();
    sum(tasks, |task| live.contains_key(task))
}

/// What all tasks use that still run; those that ended are shown one by one only.
fn sum(
    tasks: BTreeMap<String, TaskResourceUsage>,
    runs: impl Fn(&str) -> bool,
) -> AllocResourceUsage {
    let mut total = ResourceUsage {
        device_stats: Some(Vec::new()),
        ..ResourceUsage::default()
    };
    let mut timestamp = UnixNanos(0);
    for (_, task) in tasks.iter().filter(|(name, _)| runs(name)) {
        add(&mut total, &task.resource_usage);
        timestamp = timestamp.max(task.timestamp);
    }
    AllocResourceUsage {
        resource_usage: total,
        tasks,
        timestamp,
    }
}

fn task_usage(usage: &TaskUsage) -> TaskResourceUsage {
    TaskResourceUsage {
        resource_usage: resource_usage(&usage.total),
        timestamp: UnixNanos(usage.timestamp),
        pids: usage
            .pids
            .iter()
            .map(|(pid, usage)| (pid.to_string(), resource_usage(usage)))
            .collect(),
    }
}

fn resource_usage(usage: &Usage) -> ResourceUsage {
    let names = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (cpu, memory) = (&usage.cpu, &usage.memory);
    ResourceUsage {
        memory_stats: MemoryStats {
            rss: memory.rss,
            cache: memory.cache,
            swap: memory.swap,
            mapped_file: memory.mapped_file,
            usage: memory.usage,
            max_usage: memory.max_usage,
            kernel_usage: memory.kernel_usage,
            kernel_max_usage: memory.kernel_max_usage,
            measured: names(&memory.measured),
        },
        cpu_stats: CpuStats {
            system_mode: cpu.system_percent,
            user_mode: cpu.user_percent,
            total_ticks: cpu.total_ticks,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled_time,
            percent: cpu.percent,
            measured: names(&cpu.measured),
        },
        device_stats: None,
    }
}

fn add(total: &mut ResourceUsage, one: &ResourceUsage) {
    let (memory, of) = (&mut total.memory_stats, &one.memory_stats);
    memory.rss += of.rss;
    memory.cache += of.cache;
    memory.swap += of.swap;
    memory.mapped_file += of.mapped_file;
    memory.usage += of.usage;
    memory.max_usage += of.max_usage;
    memory.kernel_usage += of.kernel_usage;
    memory.kernel_max_usage += of.kernel_max_usage;
    merge(&mut memory.measured, &of.measured);
    let (cpu, of) = (&mut total.cpu_stats, &one.cpu_stats);
    cpu.system_mode += of.system_mode;
    cpu.user_mode += of.user_mode;
    cpu.total_ticks += of.total_ticks;
    cpu.percent += of.percent;
    cpu.throttled_periods += of.throttled_periods;
    cpu.throttled_time += of.throttled_time;
    merge(&mut cpu.measured, &of.measured);
}

fn merge(names: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
}
