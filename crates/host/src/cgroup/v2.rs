//! Version 2: one directory, `<parent>/{share,reserve}.slice/<name>.scope`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::{
    GroupMemory, GroupUsage, Limits, TaskCgroup, Version, make_dir, read_number, read_pairs,
    read_pids, write,
};

const CONTROLLERS: [&str; 5] = ["cpuset", "cpu", "io", "memory", "pids"];

pub(super) fn create(
    root: &Path,
    parent: &str,
    name: &str,
    limits: &Limits,
) -> io::Result<TaskCgroup> {
    let partition = if limits.cpuset.is_some() {
        "reserve.slice"
    } else {
        "share.slice"
    };
    let mut dir = root.to_path_buf();
    for part in parent.trim_matches('/').split('/').chain([partition]) {
        enable(&dir);
        dir = dir.join(part);
        make_dir(&dir)?;
    }
    enable(&dir);
    let dir = dir.join(format!("{name}.scope"));
    make_dir(&dir)?;
    set_limits(&dir, limits)?;
    Ok(TaskCgroup {
        version: Version::V2,
        dirs: BTreeMap::from([(String::new(), dir)]),
        owned: true,
    })
}

/// Passes on each controller by itself: one that the host lacks must not keep the others away.
fn enable(dir: &Path) {
    let file = dir.join("cgroup.subtree_control");
    let on = fs::read_to_string(&file).unwrap_or_default();
    for controller in CONTROLLERS {
        if !on.split_whitespace().any(|c| c == controller) {
            let _ = write(&file, &format!("+{controller}"));
        }
    }
}

fn set_limits(dir: &Path, limits: &Limits) -> io::Result<()> {
    if let Some(shares) = limits.cpu_shares {
        let shares = shares.clamp(2, 262_144);
        let weight = 1 + ((shares - 2) * 9999) / 262_142;
        write(&dir.join("cpu.weight"), &weight.to_string())?;
    }
    if let Some(hard) = limits.memory_hard {
        write(&dir.join("memory.max"), &hard.to_string())?;
        let swap = dir.join("memory.swap.max");
        if swap.exists() {
            write(&swap, "0")?;
        }
    }
    if let Some(soft) = limits.memory_soft {
        write(&dir.join("memory.low"), &soft.to_string())?;
    }
    if let Some(max) = limits.pids {
        write(&dir.join("pids.max"), &max.to_string())?;
    }
    if let Some(cores) = &limits.cpuset {
        write(&dir.join("cpuset.cpus"), cores)?;
    }
    Ok(())
}

pub(super) fn kill(group: &TaskCgroup) -> usize {
    let Some(dir) = group.dir("") else { return 0 };
    let _ = write(&dir.join("cgroup.kill"), "1");
    read_pids(&dir.join("cgroup.procs")).len()
}

pub(super) fn oom_kills(group: &TaskCgroup) -> u64 {
    let Some(dir) = group.dir("") else { return 0 };
    read_pairs(&dir.join("memory.events"))
        .get("oom_kill")
        .copied()
        .unwrap_or(0)
}

pub(super) fn usage(group: &TaskCgroup) -> Option<GroupUsage> {
    let dir = group.dir("")?;
    let cpu = read_pairs(&dir.join("cpu.stat"));
    let pick = |key: &str| cpu.get(key).copied().unwrap_or(0);
    Some(GroupUsage {
        cpu_total_ns: pick("usage_usec") * 1000,
        cpu_user_ns: pick("user_usec") * 1000,
        cpu_system_ns: pick("system_usec") * 1000,
        throttled_periods: pick("nr_throttled"),
        throttled_ns: pick("throttled_usec") * 1000,
        memory: memory(dir),
    })
}

fn memory(dir: &Path) -> Option<GroupMemory> {
    let usage = read_number(&dir.join("memory.current"))?;
    let stat = read_pairs(&dir.join("memory.stat"));
    let pick = |key: &str| stat.get(key).copied().unwrap_or(0);
    Some(GroupMemory {
        usage,
        max_usage: read_number(&dir.join("memory.peak")).unwrap_or(0),
        rss: pick("anon"),
        cache: pick("file"),
        swap: read_number(&dir.join("memory.swap.current")).unwrap_or(0),
        mapped_file: pick("file_mapped"),
        kernel: pick("kernel"),
        kernel_max: 0,
    })
}
