//! The cgroup of a task.

use caravan_driver::{DriverError, TaskConfig};
use caravan_host::cgroup::{self, Limits, TaskCgroup};

const MB: u64 = 1 << 20;

/// Creates `<alloc>.<task>` below the configured parent.
pub(crate) fn create(
    config: &TaskConfig,
    limits: &Limits,
) -> Result<Option<TaskCgroup>, DriverError> {
    let parent = match config.cgroup_parent.as_str() {
        "" => cgroup::detect().default_parent(),
        parent => parent,
    };
    let name = format!("{}.{}", config.alloc_id, config.name.replace('/', "_"));
    TaskCgroup::create(parent, &name, limits).map_err(|err| {
        DriverError::recoverable(format!("failed to create the task's cgroup: {err}"))
    })
}

pub(crate) fn cpuset(config: &TaskConfig) -> Option<String> {
    let cores = &config.resources.cores;
    (!cores.is_empty()).then(|| {
        cores
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    })
}

/// The task's resources as limits of the kernel.
pub(crate) fn enforced(config: &TaskConfig) -> Limits {
    let resources = &config.resources;
    let bytes = |mb: i64| {
        u64::try_from(mb)
            .ok()
            .filter(|mb| *mb > 0)
            .map(|mb| mb * MB)
    };
    let (memory_hard, memory_soft) = match resources.memory_max_mb {
        -1 => (None, bytes(resources.memory_mb)),
        0 => (bytes(resources.memory_mb), None),
        max => (bytes(max), bytes(resources.memory_mb)),
    };
    Limits {
        cpu_shares: u64::try_from(resources.cpu_mhz).ok().map(|mhz| mhz.max(2)),
        memory_hard,
        memory_soft,
        pids: None,
        cpuset: cpuset(config),
    }
}
