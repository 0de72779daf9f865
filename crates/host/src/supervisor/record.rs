//! What a supervisor writes down so that its task can be found, and its exit known, by any later agent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::procs::Identity;

const FILE: &str = "state.json";
pub(crate) const SOCKET: &str = "s.sock";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExitRecord {
    pub exit_code: i32,
    pub signal: i32,
    pub oom_killed: bool,
    /// Nanoseconds since the epoch.
    pub finished_at: i64,
}

/// The whole story of one start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub supervisor: Identity,
    pub task: Identity,
    /// Nanoseconds since the epoch.
    pub started_at: i64,
    pub exit: Option<ExitRecord>,
}

impl Record {
    pub(crate) fn read(state_dir: &Path) -> io::Result<Self> {
        let text = fs::read(state_dir.join(FILE))?;
        serde_json::from_slice(&text).map_err(io::Error::from)
    }

    /// Replaces the file in one step; a reader sees the old or the new record. Not synced to disk: a machine
    /// that crashes takes the task with it, and then the exit is unknown in truth.
    pub(crate) fn write(&self, state_dir: &Path) -> io::Result<()> {
        let temporary = state_dir.join(format!("{FILE}.new"));
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(&temporary, state_dir.join(FILE))
    }
}

/// A path to the socket that always fits into a socket address, however deep the directory is.
/// The directory must stay open while the path is in use.
pub(crate) fn short_socket_path(state_dir: &fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", state_dir.as_raw_fd()))
}

pub(crate) fn now_ns() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}
