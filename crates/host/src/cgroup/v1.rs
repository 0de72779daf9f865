//! Version 1: one directory for each controller, `<controller>/<parent>/<name>`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{
    GroupMemory, GroupUsage, Limits, TaskCgroup, Version, make_dir, read_number, read_pairs,
    read_pids, write,
};
use crate::sys;

const TICK_NS: u64 = 10_000_000;

pub(super) fn create(
    root: &Path,
    parent: &str,
    name: &str,
    limits: &Limits,
) -> io::Result<TaskCgroup> {
    let parent = parent.trim_matches('/');
    let mut dirs = BTreeMap::new();
    let mut add = |controller: &str, below: &str| -> io::Result<Option<PathBuf>> {
        let mount = root.join(controller);
        if !mount.join("cgroup.procs").exists() {
            return Ok(None);
        }
        let dir = mount.join(parent).join(below).join(name);
        make_dir(&dir)?;
        dirs.insert(controller.to_owned(), dir.clone());
        Ok(Some(dir))
    };
    add("freezer", "")?;
    if (limits.memory_hard.is_some() || limits.memory_soft.is_some())
        && let Some(dir) = add("memory", "")?
    {
        set_memory(&dir, limits)?;
    }
    if let Some(shares) = limits.cpu_shares {
        if let Some(dir) = add("cpu", "")? {
            write(&dir.join("cpu.shares"), &shares.max(2).to_string())?;
        }
        add("cpuacct", "")?;
    }
    if let Some(max) = limits.pids
        && let Some(dir) = add("pids", "")?
    {
        write(&dir.join("pids.max"), &max.to_string())?;
    }
    if let Some(cores) = &limits.cpuset {
        let mount = root.join("cpuset");
        if mount.join("cgroup.procs").exists() {
            let mut dir = mount;
            for part in parent.split('/').chain(["reserve", name]) {
                let above = dir.clone();
                dir = dir.join(part);
                make_dir(&dir)?;
                inherit_cpuset(&above, &dir)?;
            }
            write(&dir.join("cpuset.cpus"), cores)?;
            dirs.insert("cpuset".into(), dir);
        }
    }
    Ok(TaskCgroup {
        version: Version::V1,
        dirs,
        owned: true,
    })
}

/// A cpuset without cores and memory nodes cannot hold a process.
fn inherit_cpuset(above: &Path, dir: &Path) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if fs::read_to_string(dir.join(file))
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            write(
                &dir.join(file),
                fs::read_to_string(above.join(file))
                    .unwrap_or_default()
                    .trim(),
            )?;
        }
    }
    Ok(())
}

fn set_memory(dir: &Path, limits: &Limits) -> io::Result<()> {
    if let Some(hard) = limits.memory_hard {
        write(&dir.join("memory.limit_in_bytes"), &hard.to_string())?;
        // No swap; the file is absent where the kernel does not account for swap.
        let swap = dir.join("memory.memsw.limit_in_bytes");
        if swap.exists() {
            write(&swap, &hard.to_string())?;
        }
    }
    if let Some(soft) = limits.memory_soft {
        write(&dir.join("memory.soft_limit_in_bytes"), &soft.to_string())?;
    }
    Ok(())
}

/// Freezes the group so that nothing can fork away, kills, and thaws. Answers how many were left.
pub(super) fn kill(group: &TaskCgroup) -> usize {
    let Some(dir) = group.dir("freezer").or_else(|| group.dirs.values().next()) else {
        return 0;
    };
    let procs = dir.join("cgroup.procs");
    if read_pids(&procs).is_empty() {
        return 0;
    }
    let state = dir.join("freezer.state");
    // Without the freezer the caller's loop still gets everything that forks more slowly than it is killed.
    let _ = write(&state, "FROZEN");
    let pids = read_pids(&procs);
    for pid in &pids {
        sys::kill(*pid, sys::SIGKILL);
    }
    let _ = write(&state, "THAWED");
    pids.len()
}

pub(super) fn oom_kills(group: &TaskCgroup) -> u64 {
    let Some(dir) = group.dir("memory") else {
        return 0;
    };
    read_pairs(&dir.join("memory.oom_control"))
        .get("oom_kill")
        .copied()
        .unwrap_or(0)
}

pub(super) fn usage(group: &TaskCgroup) -> Option<GroupUsage> {
    let cpu = group.dir("cpuacct")?;
    let split = read_pairs(&cpu.join("cpuacct.stat"));
    let throttle = group
        .dir("cpu")
        .map(|dir| read_pairs(&dir.join("cpu.stat")))
        .unwrap_or_default();
    let pick = |map: &BTreeMap<String, u64>, key: &str| map.get(key).copied().unwrap_or(0);
    Some(GroupUsage {
        cpu_total_ns: read_number(&cpu.join("cpuacct.usage")).unwrap_or(0),
        cpu_user_ns: pick(&split, "user") * TICK_NS,
        cpu_system_ns: pick(&split, "system") * TICK_NS,
        throttled_periods: pick(&throttle, "nr_throttled"),
        throttled_ns: pick(&throttle, "throttled_time"),
        memory: group.dir("memory").map(|dir| memory(dir)),
    })
}

fn memory(dir: &Path) -> GroupMemory {
    let stat = read_pairs(&dir.join("memory.stat"));
    let pick = |key: &str| stat.get(key).copied().unwrap_or(0);
    let number = |file: &str| read_number(&dir.join(file)).unwrap_or(0);
    GroupMemory {
        usage: number("memory.usage_in_bytes"),
        max_usage: number("memory.max_usage_in_bytes"),
        rss: pick("total_rss"),
        cache: pick("total_cache"),
        swap: pick("total_swap"),
        mapped_file: pick("total_mapped_file"),
        kernel: number("memory.kmem.usage_in_bytes"),
        kernel_max: number("memory.kmem.max_usage_in_bytes"),
    }
}
