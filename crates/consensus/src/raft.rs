//! The Raft library's types with our parameters; the only names that the rest of the crate uses.

use std::{any::Any, fmt};

use bytes::Bytes;

use crate::PeerInfo;

/// One proposal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Opaque.
    pub(crate) bytes: Bytes,
    /// Nobody is in a hurry for it: its write may wait for company. This is not stored, and told to no one.
    pub(crate) patient: bool,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A reply on its way from the state machine to its proposer, or nothing for entries without one.
#[derive(Debug)]
pub(crate) struct Erased(pub(crate) Option<Box<dyn Any + Send + Sync>>);

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Erased,
        NodeId = u64,
        Node = PeerInfo,
);

pub(crate) type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, u64>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Payload = openraft::EntryPayload<Command, u64, PeerInfo>;
pub(crate) type Entry = openraft::Entry<LeaderId, Payload>;
pub(crate) type Membership = openraft::Membership<u64, PeerInfo>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, u64, PeerInfo>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<LeaderId, u64, PeerInfo>;
pub(crate) type ForwardToLeader = openraft::errors::ForwardToLeader<Types>;
pub(crate) type ClientWriteError = openraft::errors::ClientWriteError<Types>;
pub(crate) type WatchReceiver<T> = openraft::type_config::alias::WatchReceiverOf<Types, T>;
pub(crate) type RaftError<E> = openraft::errors::RaftError<Types, E>;
