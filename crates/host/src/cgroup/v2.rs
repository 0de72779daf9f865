//! Version 2: one directory, `<parent>/{share,reserve}.slice/<name>.scope`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::{
    GroupMemory, GroupUsage, Limits, TaskCgroup, Version, make_dir, read_number, read_pairs,
    read_pids, write,
};
use crate::sys;

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

/// Answers how many were left.
pub(super) fn kill(group: &TaskCgroup) -> usize {
    let Some(dir) = group.dir("") else { return 0 };
    let procs = dir.join("cgroup.procs");
    let at_once = dir.join("cgroup.kill");
    if at_once.exists() {
        let _ = write(&at_once, "1");
        return read_pids(&procs).len();
    }
    // Kernels before 5.14: what is frozen cannot fork away.
    let freeze = dir.join("cgroup.freeze");
    let _ = write(&freeze, "1");
    let pids = read_pids(&procs);
    for pid in &pids {
        sys::kill(*pid, sys::SIGKILL);
    }
    let _ = write(&freeze, "0");
    pids.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of plain files, as far as this module looks at it.
    fn tree() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn read(dir: &Path, name: &str) -> Option<String> {
        fs::read_to_string(dir.join(name)).ok()
    }

    fn made(root: &Path, limits: &Limits) -> (TaskCgroup, std::path::PathBuf) {
        let group = create(root, "nomad.slice", "a.t", limits).unwrap();
        let dir = group.dirs[""].clone();
        (group, dir)
    }

    #[test]
    fn shared_cores_and_reserved_ones_are_apart() {
        let root = tree();
        let (group, shared) = made(root.path(), &Limits::default());
        assert_eq!(
            shared,
            root.path().join("nomad.slice/share.slice/a.t.scope")
        );
        assert!(group.owned && group.version == Version::V2);
        assert_eq!(read(&shared, "cpu.weight"), None);
        let cores = Limits {
            cpuset: Some("0-1".into()),
            ..Limits::default()
        };
        let (_, reserved) = made(root.path(), &cores);
        assert!(reserved.ends_with("nomad.slice/reserve.slice/a.t.scope"));
        assert_eq!(read(&reserved, "cpuset.cpus").as_deref(), Some("0-1"));
        // The same again is no mistake.
        made(root.path(), &cores);
    }

    #[test]
    fn controllers_are_passed_on_at_each_level() {
        let root = tree();
        let file = root.path().join("cgroup.subtree_control");
        fs::write(&file, "cpuset cpu io memory pids\n").unwrap();
        made(root.path(), &Limits::default());
        // What is on is left alone; the last that was off is the last that was written.
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "cpuset cpu io memory pids\n"
        );
        for below in ["nomad.slice", "nomad.slice/share.slice"] {
            let written = read(&root.path().join(below), "cgroup.subtree_control");
            assert_eq!(written.as_deref(), Some("+pids"), "{below}");
        }
    }

    #[test]
    fn limits_are_in_the_units_of_the_kernel() {
        let root = tree();
        let limits = Limits {
            cpu_shares: Some(1024),
            memory_hard: Some(64 << 20),
            memory_soft: Some(32 << 20),
            pids: Some(100),
            cpuset: None,
        };
        // Where there is no swap there is no file for it.
        let (_, dir) = made(root.path(), &limits);
        let value = |name: &str| read(&dir, name);
        assert_eq!(value("cpu.weight").as_deref(), Some("39"));
        assert_eq!(value("memory.max").as_deref(), Some("67108864"));
        assert_eq!(value("memory.low").as_deref(), Some("33554432"));
        assert_eq!(value("pids.max").as_deref(), Some("100"));
        assert_eq!(value("memory.swap.max"), None);
        fs::write(dir.join("memory.swap.max"), "max").unwrap();
        made(root.path(), &limits);
        assert_eq!(value("memory.swap.max").as_deref(), Some("0"));
        for (shares, weight) in [(0, "1"), (2, "1"), (1 << 40, "10000")] {
            let limits = Limits {
                cpu_shares: Some(shares),
                ..Limits::default()
            };
            made(root.path(), &limits);
            assert_eq!(value("cpu.weight").as_deref(), Some(weight), "{shares}");
        }
    }

    #[test]
    fn what_the_kernel_counts_is_read() {
        let root = tree();
        let (group, dir) = made(root.path(), &Limits::default());
        assert_eq!(
            (oom_kills(&group), usage(&group).unwrap().memory),
            (0, None)
        );
        for (name, text) in [
            ("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n"),
            (
                "cpu.stat",
                "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 9\nnr_throttled 3\nthrottled_usec 4\n",
            ),
            ("memory.current", "4096\n"),
            ("memory.peak", "8192\n"),
            ("memory.swap.current", "1\n"),
            (
                "memory.stat",
                "anon 1000\nfile 2000\nkernel 300\nfile_mapped 40\n",
            ),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
        assert_eq!(oom_kills(&group), 1);
        let expected = GroupUsage {
            cpu_total_ns: 30_000,
            cpu_user_ns: 20_000,
            cpu_system_ns: 10_000,
            throttled_periods: 3,
            throttled_ns: 4_000,
            memory: Some(GroupMemory {
                usage: 4096,
                max_usage: 8192,
                rss: 1000,
                cache: 2000,
                swap: 1,
                mapped_file: 40,
                kernel: 300,
                kernel_max: 0,
            }),
        };
        assert_eq!(usage(&group), Some(expected));
    }

    #[test]
    fn the_kernel_is_asked_to_kill_all_at_once() {
        let root = tree();
        let (group, dir) = made(root.path(), &Limits::default());
        fs::write(dir.join("cgroup.kill"), "").unwrap();
        fs::write(dir.join("cgroup.procs"), "").unwrap();
        assert_eq!(kill(&group), 0);
        assert_eq!(read(&dir, "cgroup.kill").as_deref(), Some("1"));
    }

    #[test]
    fn a_kernel_without_that_has_each_process_killed() {
        let root = tree();
        let (group, dir) = made(root.path(), &Limits::default());
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("600")
            .spawn()
            .unwrap();
        fs::write(dir.join("cgroup.procs"), format!("{}\n", child.id())).unwrap();
        assert_eq!(kill(&group), 1);
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
        assert_eq!(read(&dir, "cgroup.freeze").as_deref(), Some("0"));
    }

    /// On a machine that has it.
    #[test]
    fn a_real_group_holds_and_ends_what_is_in_it() {
        let name = "a_real_group_holds_and_ends_what_is_in_it";
        let root = Path::new(super::super::ROOT);
        if super::super::detect() != Version::V2 || !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: {name}: needs root and control groups of version 2");
            return;
        }
        let limits = Limits {
            memory_hard: Some(64 << 20),
            pids: Some(10),
            ..Limits::default()
        };
        let unique = format!("caravan-test-{}", std::process::id());
        let group = create(root, "nomad.slice", &unique, &limits).unwrap();
        let dir = group.dirs[""].clone();
        assert_eq!(read(&dir, "pids.max").as_deref(), Some("10\n"));
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("600")
            .spawn()
            .unwrap();
        write(&dir.join("cgroup.procs"), &child.id().to_string()).unwrap();
        assert_eq!(group.pids().len(), 1);
        assert!(usage(&group).unwrap().memory.is_some());
        assert!(group.kill_all());
        child.wait().unwrap();
        group.remove().unwrap();
        assert!(!dir.exists());
    }
}
