//! One replicated log of opaque commands, and the state machine that they drive.
//!
//! [`Consensus::start`] opens (or creates) this node's log; [`Consensus::bootstrap`] forms a new
//! cluster; [`Consensus::propose`] returns once a command is durable on a quorum and applied here.
//! One server runs the same path as five; a sole voter leads as soon as it starts.
//!
//! Invariants:
//! - What was acknowledged survives: log entries and votes are fsynced before they count, many
//!   proposals per fsync (one durable transaction drains the whole queue).
//! - Each log index is either applied as a command or skipped by [`StateMachine::advance`]; both
//!   happen in order and exactly once between two restores.
//! - Log entries leave the disk only after a snapshot that holds them was renamed into place.
//!
//! This room must never know what a command means, what a job is, or how peers are connected
//! ([`PeerTransport`] is implemented elsewhere). The Raft library is an inner detail: none of its
//! types appear in this interface, on disk, or between peers.

mod config;
mod error;
mod handle;
mod inbound;
mod inspect;
mod leadership;
mod machine;
mod members;
mod memory_network;
mod peer;
mod propose;
mod raft;
mod record;
mod status;
mod store;
mod ticker;
mod transport;

pub use config::{Config, Storage};
pub use error::{BootstrapError, MembershipError, ProposeError, StartError, TransferError};
pub use handle::Consensus;
pub use inspect::{LogEntry, LogSnapshot, Logged, read_log, read_snapshot};
pub use leadership::Leadership;
pub use machine::{Capture, Committed, RestoreError, StateMachine};
pub use memory_network::MemoryNetwork;
pub use propose::Applied;
pub use record::PeerInfo;
pub use status::{Member, PeerStatus, Role, Status};
pub use transport::{PeerCall, PeerHandler, PeerTransport, TransportError};

#[cfg(test)]
mod tests;
