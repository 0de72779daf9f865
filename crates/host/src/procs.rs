//! Processes as `/proc` shows them: identity, descent, cpu and memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The kernel's clock ticks a second, fixed at 100 for what `/proc` reports.
pub const TICKS_PER_SECOND: u64 = 100;

/// A process that cannot be confused with a later one of the same pid, not even after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// Clock ticks after boot.
    pub start_time: u64,
    pub boot_id: String,
}

impl Identity {
    /// The identity of a running process.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self::since(pid, Stat::read(pid)?.start_time))
    }

    /// The identity of a process of this boot.
    pub(crate) fn since(pid: i32, start_time: u64) -> Self {
        Self {
            pid,
            start_time,
            boot_id: boot_id().to_owned(),
        }
    }

    /// Whether this very process still exists (a zombie does not count).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.boot_id == boot_id()
            && Stat::read(self.pid)
                .is_some_and(|s| s.start_time == self.start_time && s.state != 'Z')
    }

    /// Signals this very process and no other that came to have its pid.
    pub fn signal(&self, signo: i32) -> bool {
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else {
            return false;
        };
        let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
            return false;
        };
        if !self.is_alive() {
            return false;
        }
        rustix::process::Signal::from_named_raw(signo)
            .is_some_and(|signal| rustix::process::pidfd_send_signal(&fd, signal).is_ok())
    }
}

#[must_use]
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned()
    })
}

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub state: char,
    pub parent: i32,
    pub user_ticks: u64,
    pub system_ticks: u64,
    pub start_time: u64,
    pub rss_pages: u64,
}

impl Stat {
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        // In one piece: it is longer only for fields that are not of interest.
        let mut text = [0; 1024];
        let length = File::open(format!("/proc/{pid}/stat"))
            .and_then(|mut file| file.read(&mut text))
            .ok()?;
        Self::parse(&String::from_utf8_lossy(text.get(..length)?))
    }

    /// The name may hold spaces and parentheses: fields start after its last `)`.
    fn parse(text: &str) -> Option<Self> {
        let rest: Vec<&str> = text
            .get(text.rfind(')')? + 1..)?
            .split_whitespace()
            .collect();
        let number = |index: usize| rest.get(index)?.parse::<u64>().ok();
        Some(Self {
            state: rest.first()?.chars().next()?,
            parent: rest.get(1)?.parse().ok()?,
            user_ticks: number(11)?,
            system_ticks: number(12)?,
            start_time: number(19)?,
            rss_pages: number(21)?,
        })
    }
}

/// All processes below `pid`, not itself.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while next < found.len() {
        let below = children(found[next]);
        found.extend(below);
        next += 1;
    }
    found
}

fn children(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return found;
    };
    for thread in threads.flatten() {
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    found
}

/// How many processes and threads one task may have when nobody says: 15 % of what the kernel can have, so that
/// a fork bomb leaves the host its own.
#[must_use]
pub fn task_share() -> Option<u64> {
    let most = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let most = most("pid_max")?.min(most("threads-max")?);
    Some(most * 15 / 100)
}

pub(crate) fn thread_count() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// What one process uses at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    pub user_ticks: u64,
    pub system_ticks: u64,
    pub rss: u64,
    pub swap: u64,
}

#[must_use]
pub fn usage(pid: i32) -> Option<ProcessUsage> {
    let stat = Stat::read(pid)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let swap_kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSwap:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0);
    let page = rustix::param::page_size() as u64;
    Some(ProcessUsage {
        user_ticks: stat.user_ticks,
        system_ticks: stat.system_ticks,
        rss: stat.rss_pages * page,
        swap: swap_kb * 1024,
    })
}

/// Samples of many processes at once.
#[must_use]
pub fn usage_of(pids: &[i32]) -> BTreeMap<i32, ProcessUsage> {
    pids.iter()
        .filter_map(|pid| Some((*pid, usage(*pid)?)))
        .collect()
}

/// How long processors have worked for this process since it began, all its threads together.
#[must_use]
pub fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

/// Where the code of this program is mapped, in bytes of its address space; none where `/proc` does not tell.
pub(crate) fn own_code() -> Option<Range<usize>> {
    let program = fs::read_link("/proc/self/exe").ok()?;
    code(
        &fs::read_to_string("/proc/self/maps").ok()?,
        program.to_str()?,
    )
}

/// The mapping of `program` that is executable and cannot be written, of the lines of a `maps` file.
fn code(maps: &str, program: &str) -> Option<Range<usize>> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let file = rest.splitn(5, ' ').nth(4)?.trim_start();
        if !rest.starts_with("r-xp ") || file != program {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(address(start)?..address(end)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_odd_names() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 50 60 0 0 20 0 1 0 98765 100 25 18446744073709551615";
        let stat = Stat::parse(line).expect("parses");
        assert_eq!(
            (stat.state, stat.parent, stat.user_ticks, stat.system_ticks),
            ('S', 7, 50, 60)
        );
        assert_eq!((stat.start_time, stat.rss_pages), (98765, 25));
    }

    #[test]
    fn code_is_what_is_executable_of_the_program() {
        let maps = "1000-3000 r--p 00000000 fe:00 7                     /opt/a b\n\
                    3000-9000 r-xp 00002000 fe:00 7                     /opt/a b\n\
                    9000-a000 r--p 00008000 fe:00 7                     /opt/a b\n\
                    b000-c000 rw-p 00000000 00:00 0\n\
                    d000-e000 r-xp 00000000 fe:00 8                     /lib/libc.so.6\n";
        assert_eq!(code(maps, "/opt/a b"), Some(0x3000..0x9000));
        assert_eq!(code(maps, "/opt/a"), None);
        let here = code_is_what_is_executable_of_the_program as *const () as usize;
        assert!(own_code().expect("/proc is mounted").contains(&here));
        crate::give_memory_back();
        assert!(own_code().expect("this goes on").contains(&here));
    }

    #[test]
    fn an_identity_is_more_than_a_pid() {
        let me = Identity::of(std::process::id().cast_signed()).expect("exists");
        assert!(me.is_alive());
        assert!(
            !Identity {
                start_time: me.start_time + 1,
                ..me.clone()
            }
            .is_alive()
        );
        assert!(
            !Identity {
                boot_id: "another boot".into(),
                ..me.clone()
            }
            .is_alive()
        );
        assert!(
            !Identity {
                start_time: 1,
                ..me
            }
            .signal(0x0f)
        );
    }
}
