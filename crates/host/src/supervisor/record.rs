//! What a supervisor writes down so that its task can be found, and its exit known, by any later agent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::rand::GetRandomFlags;
use serde::{Deserialize, Serialize};

use crate::procs::Identity;

/// Room for the exit, taken when the task starts: a disk that is full by then cannot keep the exit out.
const EXIT_ROOM: usize = 256;

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
    /// The name of the supervisor's socket in the kernel's own (abstract) name space.
    pub socket: String,
    /// Who opens a connection says it first. Names of such sockets can be seen by any process of the network
    /// namespace, root of a container among them, the record only by the agent.
    pub key: String,
    pub supervisor: Identity,
    pub task: Identity,
    /// Nanoseconds since the epoch.
    pub started_at: i64,
    pub exit: Option<ExitRecord>,
}

impl Record {
    /// The first line is the record, the second the exit once there is one.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut lines = text.lines();
        let mut record: Self = serde_json::from_str(lines.next().unwrap_or_default())?;
        record.exit = lines
            .next()
            .and_then(|line| serde_json::from_str(line.trim()).ok());
        Ok(record)
    }

    /// Not synced to disk: a machine that crashes takes the task with it, and then the exit is unknown in truth. A file
    /// that is there already is of another start.
    pub(crate) fn create(&self, path: &Path) -> io::Result<RecordFile> {
        let open = || {
            let mut options = OpenOptions::new();
            options.create_new(true).write(true).mode(0o600);
            options.open(path)
        };
        let mut file = match (open(), path.parent()) {
            (Err(err), Some(dir)) if err.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(dir)?;
                open()?
            }
            (opened, _) => opened?,
        };
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        let exit_at = text.len() as u64;
        text.resize(text.len() + EXIT_ROOM, b' ');
        file.write_all(&text)?;
        Ok(RecordFile { file, exit_at })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(&self.socket)
    }
}

/// The open record of a running task.
#[derive(Debug)]
pub(crate) struct RecordFile {
    file: File,
    exit_at: u64,
}

impl RecordFile {
    pub(crate) fn finish(&self, exit: &ExitRecord) -> io::Result<()> {
        self.file
            .write_all_at(&serde_json::to_vec(exit)?, self.exit_at)
    }
}

/// A socket name that nobody can take first, and the key to it that nobody can guess.
pub(crate) fn socket_and_key() -> io::Result<(String, String)> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let name: String = hex(&bytes[..16]);
    Ok((format!("caravan-{name}"), hex(&bytes[16..])))
}

pub(crate) fn now_ns() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}
