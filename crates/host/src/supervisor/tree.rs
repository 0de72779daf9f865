//! Everything a supervisor started, however far it wandered: a supervisor is the reaper of its descendants.

use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cgroup::TaskCgroup;
use crate::{procs, sys};

/// Kills all descendants and the owned group until none is left (or for two seconds, then gives up). Says whether
/// none is.
pub(crate) fn kill_all(group: Option<&TaskCgroup>) -> bool {
    let group_gone = group.is_none_or(TaskCgroup::kill_all);
    let me = std::process::id().cast_signed();
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        // Whoever has no child has no descendants: this process would be the parent of those that lost theirs.
        if !reap(|_, _| {}) {
            return group_gone;
        }
        let left = procs::descendants(me);
        if left.is_empty() || Instant::now() > deadline {
            return group_gone && left.is_empty();
        }
        for pid in left {
            sys::kill(pid, sys::SIGKILL);
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Collects every child that has ended: `(pid, (exit code, signal))`. Says whether another may be left.
pub(crate) fn reap(mut ended: impl FnMut(i32, (i32, i32))) -> bool {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended(pid.as_raw(), (code, 0)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                ended(pid.as_raw(), (128 + signal as i32, signal as i32))
            }
            Ok(WaitStatus::StillAlive) => return true,
            Err(nix::Error::ECHILD) => return false,
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return true,
        }
    }
}
