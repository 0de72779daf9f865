//! Looking into the folder of a server that does not run: its log, and its newest snapshot.

use std::path::Path;

use bytes::Bytes;

use crate::error::StartError;
use crate::handle::{LOG_FILE, SNAPSHOT_FILE};
use crate::record::PayloadRecord;
use crate::store::{database, snapshot::SnapshotStore};

/// What an entry of the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// The first of a term.
    Blank,
    /// A command of the state machine.
    Command(Bytes),
    /// The members, as text.
    Members(String),
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub index: u64,
    pub term: u64,
    pub content: Logged,
}

/// The newest snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSnapshot {
    /// The last entry that it holds.
    pub index: u64,
    pub data: Bytes,
}

/// The entries of the log in `dir`, in order.
///
/// # Errors
/// A folder without a log, one that is in use, or one that cannot be read.
pub fn read_log(dir: &Path) -> Result<Vec<LogEntry>, StartError> {
    let entries = database::read_all(&dir.join(LOG_FILE))?;
    let entry = |record: crate::record::EntryRecord| LogEntry {
        index: record.id.index,
        term: record.id.term,
        content: match record.payload {
            PayloadRecord::Blank => Logged::Blank,
            PayloadRecord::Command(bytes) => Logged::Command(bytes),
            PayloadRecord::Membership(members) => Logged::Members(format!("{members:?}")),
        },
    };
    Ok(entries.into_iter().map(entry).collect())
}

/// The newest snapshot in `dir`, if there is one.
///
/// # Errors
/// A snapshot that cannot be read.
pub fn read_snapshot(dir: &Path) -> Result<Option<LogSnapshot>, StartError> {
    let path = dir.join(SNAPSHOT_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let broken = |error: std::io::Error| StartError::Log {
        path: path.clone(),
        reason: error.to_string(),
    };
    let Some((meta, body)) = SnapshotStore::open(&path)?.current().map_err(broken)? else {
        return Ok(None);
    };
    let index = meta.last_log_id.map_or(0, |id| id.index);
    Ok(Some(LogSnapshot {
        index,
        data: body.load().map_err(broken)?,
    }))
}
