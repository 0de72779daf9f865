//! What can go wrong, one enum for each operation.

use std::{io, path::PathBuf, time::Duration};

use caravan_wire::WireError;

use crate::Member;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("raft settings: {0}")]
    Config(String),
    #[error("raft directory {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("raft log {path} is in use by another process; two agents cannot share a data_dir")]
    InUse { path: PathBuf },
    #[error("raft log {path}: {reason}")]
    Log { path: PathBuf, reason: String },
    #[error(
        "raft log {path} belongs to node {found:#018x}, not to {expected:#018x}; the data_dir was moved or the node id file replaced"
    )]
    OtherNode {
        path: PathBuf,
        found: u64,
        expected: u64,
    },
    #[error(
        "raft snapshot {path} is damaged ({reason}); restore it from a backup, or remove the whole raft directory and let the other servers send their state"
    )]
    CorruptSnapshot { path: PathBuf, reason: String },
    #[error(
        "raft snapshot {path} is missing although the log starts after index {purged}; restore it from a backup, or remove the whole raft directory and let the other servers send their state"
    )]
    MissingSnapshot { path: PathBuf, purged: u64 },
    #[error("raft could not start: {0}")]
    Raft(String),
}

/// Why a command was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// Send it to `leader`; without one, an election has not finished within the waiting time.
    #[error("{}", not_leader(.leader.as_ref()))]
    NotLeader { leader: Option<Member> },
    #[error("the command has {size} bytes, more than the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
    /// It may or may not be applied later.
    #[error("no quorum acknowledged the command within {0:?}; whether it takes effect is unknown")]
    Timeout(Duration),
    /// It may or may not be applied later.
    #[error(
        "leadership was lost while the command was on its way; whether it takes effect is unknown"
    )]
    Unknown,
    /// Nothing was written; it may be tried again when there is room.
    #[error(
        "the disk of this server is full: nothing is taken until there is room below its data_dir"
    )]
    DiskFull,
    #[error("this server's raft has stopped: {0}")]
    Stopped(String),
}

fn not_leader(leader: Option<&Member>) -> String {
    match leader {
        Some(leader) => format!("not the leader; the leader is {}", leader.address),
        None => "No cluster leader".to_owned(),
    }
}

/// Why a new cluster was not formed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    #[error("this server already belongs to a cluster")]
    AlreadyDone,
    #[error("this server ({id:#018x}) is not among the members of the new cluster")]
    NotMember { id: u64 },
    #[error("this server's raft has stopped: {0}")]
    Stopped(String),
}

/// Why the set of members was not changed.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("another membership change is under way; try again")]
    InProgress,
    #[error("the last voter cannot be removed")]
    LastVoter,
    #[error("no member has the id {id:#018x}")]
    Unknown { id: u64 },
    #[error("the membership change was refused: {0}")]
    Refused(String),
}

/// Why leadership was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("{}", not_leader(.leader.as_ref()))]
    NotLeader { leader: Option<Member> },
    #[error("no other voter is there to take over")]
    NoTarget,
    #[error("no voter has the id {id:#018x}")]
    Unknown { id: u64 },
    #[error("the other server did not take over within {0:?}")]
    Timeout(Duration),
    #[error("this server's raft has stopped: {0}")]
    Stopped(String),
}

/// An encoding failure where the caller can only report I/O.
pub(crate) fn wire_to_io(error: WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
