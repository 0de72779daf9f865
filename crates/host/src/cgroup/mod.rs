//! Control groups, both versions, by files only.
//!
//! A task has one directory in version 2 and one for each controller in version 1. What was created here is
//! killed and removed here; directories that the operator named (`adopt`) are only joined.

mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

const ROOT: &str = "/sys/fs/cgroup";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    V1,
    V2,
    Off,
}

impl Version {
    /// As the node attribute `os.cgroups.version` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
            Self::Off => "off",
        }
    }

    /// The parent that tasks get when nothing else is configured.
    #[must_use]
    pub fn default_parent(self) -> &'static str {
        match self {
            Self::V2 => "nomad.slice",
            Self::V1 | Self::Off => "nomad",
        }
    }
}

/// Which hierarchy carries the controllers. A version 2 mount beside version 1 (without controllers) is ignored.
/// A host does not change that while it runs.
#[must_use]
pub fn detect() -> Version {
    static FOUND: OnceLock<Version> = OnceLock::new();
    *FOUND.get_or_init(look)
}

fn look() -> Version {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        Version::V2
    } else if root.join("freezer/cgroup.procs").exists()
        || root.join("memory/cgroup.procs").exists()
    {
        Version::V1
    } else {
        Version::Off
    }
}

/// Limits to set; `None` leaves the kernel's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Relative weight in MHz (at least 2).
    pub cpu_shares: Option<u64>,
    pub memory_hard: Option<u64>,
    pub memory_soft: Option<u64>,
    pub pids: Option<u64>,
    /// A core list, for example `0-1,4`.
    pub cpuset: Option<String>,
}

impl Limits {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One task's place in the hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCgroup {
    pub version: Version,
    /// Controller to directory; version 2 has the one key `""`.
    pub dirs: BTreeMap<String, PathBuf>,
    /// Created by us: everything in it may be killed and the directories removed.
    pub owned: bool,
}

/// What the kernel counted for a whole group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupUsage {
    pub cpu_total_ns: u64,
    pub cpu_user_ns: u64,
    pub cpu_system_ns: u64,
    pub throttled_periods: u64,
    pub throttled_ns: u64,
    pub memory: Option<GroupMemory>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMemory {
    pub usage: u64,
    pub max_usage: u64,
    pub rss: u64,
    pub cache: u64,
    pub swap: u64,
    pub mapped_file: u64,
    pub kernel: u64,
    pub kernel_max: u64,
}

impl TaskCgroup {
    /// Creates the group `<parent>/…/<name>`. Without limits only what killing needs is created.
    /// `None` where the host has no usable control groups.
    pub fn create(parent: &str, name: &str, limits: &Limits) -> io::Result<Option<Self>> {
        match detect() {
            Version::V1 => v1::create(Path::new(ROOT), parent, name, limits).map(Some),
            Version::V2 => v2::create(Path::new(ROOT), parent, name, limits).map(Some),
            Version::Off => Ok(None),
        }
    }

    /// Directories of the operator: `controller → path` for version 1, the key `""` for version 2.
    #[must_use]
    pub fn adopt(version: Version, paths: &BTreeMap<String, String>) -> Self {
        let dirs = paths
            .iter()
            .map(|(controller, path)| {
                let relative = path
                    .trim_start_matches("/sys/fs/cgroup")
                    .trim_start_matches('/');
                (
                    controller.clone(),
                    Path::new(ROOT).join(controller).join(relative),
                )
            })
            .collect();
        Self {
            version,
            dirs,
            owned: false,
        }
    }

    /// Moves the calling process in, which has one thread. Called in the child before it gives up its privileges.
    pub fn join(&self) -> io::Result<()> {
        // Moving one's own only thread needs no lock over all processes of the host, which takes some 10 ms to get.
        let file = match self.version {
            Version::V1 => "tasks",
            Version::V2 | Version::Off => "cgroup.procs",
        };
        for dir in self.dirs.values() {
            write(&dir.join(file), "0")?;
        }
        Ok(())
    }

    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.dirs
            .values()
            .next()
            .map(|dir| read_pids(&dir.join("cgroup.procs")))
            .unwrap_or_default()
    }

    /// Kills every process in an owned group, forks in progress included. True when none is left. A group that is
    /// empty already is removed by that.
    pub fn kill_all(&self) -> bool {
        if !self.owned || self.remove_empty() {
            return true;
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let left = match self.version {
                Version::V2 => v2::kill(self),
                Version::V1 => v1::kill(self),
                Version::Off => 0,
            };
            if left == 0 {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills what is left in an owned group and removes it. One that is gone already is not asked twice.
    pub fn release(&self) {
        if self.owned && !self.remove_empty() {
            self.kill_all();
            let _ = self.remove();
        }
    }

    /// Removes owned directories. A group that is still busy for a moment is tried again.
    pub fn remove(&self) -> io::Result<()> {
        if !self.owned {
            return Ok(());
        }
        for dir in self.dirs.values() {
            remove_dir(dir)?;
        }
        Ok(())
    }

    /// Asking the kernel to remove a group is the shortest way to learn that nothing is in it.
    fn remove_empty(&self) -> bool {
        let gone = |dir: &PathBuf| match fs::remove_dir(dir) {
            Err(err) => err.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        };
        self.dirs.values().all(gone)
    }

    /// How often the kernel killed for lack of memory in this group.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        match self.version {
            Version::V1 => v1::oom_kills(self),
            Version::V2 => v2::oom_kills(self),
            Version::Off => 0,
        }
    }

    /// Group-wide counters; `None` when the group carries no accounting.
    #[must_use]
    pub fn usage(&self) -> Option<GroupUsage> {
        match self.version {
            Version::V1 => v1::usage(self),
            Version::V2 => v2::usage(self),
            Version::Off => None,
        }
    }

    fn dir(&self, controller: &str) -> Option<&PathBuf> {
        self.dirs.get(controller)
    }
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(500);
    loop {
        match fs::remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) if Instant::now() > deadline => return Err(named(dir, err)),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn named(path: &Path, err: io::Error) -> io::Error {
    io::Error::new(err.kind(), format!("{}: {err}", path.display()))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|err| named(path, err))
}

fn make_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path).map_err(|err| named(path, err))
        }
        Err(err) => Err(named(path, err)),
    }
}

fn read_pids(path: &Path) -> Vec<i32> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The files of the form `key value` on each line.
fn read_pairs(path: &Path) -> BTreeMap<String, u64> {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}
