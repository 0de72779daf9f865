//! What allocations use: sampled when somebody asks, remembered for tasks that ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caravan_driver::{TaskUsage, Usage};
use caravan_model::{
    AllocResourceUsage, CpuStats, MemoryStats, ResourceUsage, SmallMap, TaskResourceUsage,
    UnixNanos,
};

use crate::runner::Runner;

/// A task that ran this long was measured at least once.
const MEASURED_AFTER: Duration = Duration::from_secs(1);

/// The last sample of each task.
#[derive(Default)]
pub(crate) struct Samples(Mutex<SmallMap<String, Sample>>);

enum Sample {
    /// Runs, and nothing is known yet.
    Since(Instant),
    Taken(TaskUsage),
}

impl Samples {
    fn lock(&self) -> MutexGuard<'_, SmallMap<String, Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task starts; `measured` says that its driver has a first, empty, sample at once.
    pub(crate) fn began(&self, task: &str, measured: bool) {
        let first = match measured {
            true => Sample::Taken(TaskUsage::default()),
            false => Sample::Since(Instant::now()),
        };
        let mut all = self.lock();
        if !matches!(all.get(task), Some(Sample::Taken(_))) {
            all.insert(task.to_owned(), first);
        }
    }

    /// A task ended. One that nobody looked at in time used nothing that is known of.
    pub(crate) fn ended(&self, task: &str) {
        let mut all = self.lock();
        let unseen = |sample: &&mut Sample| matches!(sample, Sample::Since(began) if began.elapsed() >= MEASURED_AFTER);
        if let Some(sample) = all.get_mut(task).filter(unseen) {
            *sample = Sample::Taken(TaskUsage::default());
        }
    }
}

/// Samples the tasks that run; `task` picks one.
pub(crate) async fn of_alloc(runner: &Runner, task: &str) -> AllocResourceUsage {
    for (name, live) in runner.live_tasks() {
        if !task.is_empty() && name != task {
            continue;
        }
        match live.driver.task_stats(&live.task_id).await {
            Ok(usage) => {
                runner.samples.lock().insert(name, Sample::Taken(usage));
            }
            Err(error) => tracing::debug!(task = name, %error, "no statistics"),
        }
    }
    let samples = runner.samples.lock();
    let taken = |(name, sample): (&String, &Sample)| match sample {
        Sample::Taken(usage) if task.is_empty() || *name == task => {
            Some((name.clone(), task_usage(usage)))
        }
        _ => None,
    };
    let tasks: BTreeMap<String, TaskResourceUsage> = samples.iter().filter_map(taken).collect();
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
