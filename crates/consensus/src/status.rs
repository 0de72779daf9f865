//! What this node can tell about itself and its peers.

use std::time::Duration;

use openraft::{Instant as _, RaftMetrics, ServerState};

use crate::raft::{StoredMembership, Types};

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: u64,
    pub address: String,
    pub name: String,
    pub voter: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Leader,
    Follower,
    Candidate,
    Learner,
    Stopped,
}

/// A reading of this node; all indexes are log indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub node_id: u64,
    pub role: Role,
    pub term: u64,
    pub leader: Option<Member>,
    pub last_log: Option<u64>,
    pub last_log_term: Option<u64>,
    pub committed: Option<u64>,
    pub applied: Option<u64>,
    pub snapshot: Option<u64>,
    pub snapshot_term: Option<u64>,
    pub purged: Option<u64>,
    /// How long ago a leader was heard; zero on the leader itself.
    pub last_contact: Option<Duration>,
    pub members: Vec<Member>,
    /// Index of the log entry that set `members`.
    pub members_index: Option<u64>,
    /// Known on the leader only; without itself.
    pub peers: Vec<PeerStatus>,
    /// Durable transactions since the start; zero in memory.
    pub log_transactions: u64,
    /// Entries in them.
    pub log_entries: u64,
    /// Why raft has ended on this node.
    pub failure: Option<String>,
}

/// How far a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    pub id: u64,
    /// Last log index known to be on its disk.
    pub matched: Option<u64>,
    /// How long ago it answered.
    pub last_contact: Option<Duration>,
}

pub(crate) fn member(membership: &StoredMembership, id: u64) -> Option<Member> {
    let info = membership.get_node(&id)?;
    Some(Member {
        id,
        address: info.address.clone(),
        name: info.name.clone(),
        voter: membership.voter_ids().any(|voter| voter == id),
    })
}

pub(crate) fn members(membership: &StoredMembership) -> Vec<Member> {
    membership
        .nodes()
        .filter_map(|(id, _)| member(membership, *id))
        .collect()
}

pub(crate) fn read(metrics: &RaftMetrics<Types>) -> Status {
    let role = match metrics.state {
        _ if metrics.running_state.is_err() => Role::Stopped,
        ServerState::Leader => Role::Leader,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Learner => Role::Learner,
        ServerState::Shutdown => Role::Stopped,
    };
    let membership = &metrics.membership_config;
    Status {
        node_id: metrics.id,
        role,
        term: metrics.current_term,
        leader: metrics.current_leader.and_then(|id| member(membership, id)),
        last_log: metrics.last_log_index,
        last_log_term: None,
        committed: metrics
            .cluster_committed
            .or(metrics.local_committed)
            .map(|id| id.index),
        applied: metrics.last_applied.map(|id| id.index),
        snapshot: metrics.snapshot.map(|id| id.index),
        snapshot_term: metrics.snapshot.map(|id| id.leader_id.term),
        purged: metrics.purged.map(|id| id.index),
        last_contact: None,
        members: members(membership),
        members_index: membership.log_id().map(|id| id.index),
        peers: peers(metrics),
        log_transactions: 0,
        log_entries: 0,
        failure: failure(metrics),
    }
}

pub(crate) fn failure(metrics: &RaftMetrics<Types>) -> Option<String> {
    metrics
        .running_state
        .as_ref()
        .err()
        .map(ToString::to_string)
}

fn peers(metrics: &RaftMetrics<Types>) -> Vec<PeerStatus> {
    let Some(replication) = &metrics.replication else {
        return Vec::new();
    };
    replication
        .iter()
        .filter(|(id, _)| **id != metrics.id)
        .map(|(id, matched)| PeerStatus {
            id: *id,
            matched: matched.map(|id| id.index),
            last_contact: metrics
                .heartbeat
                .as_ref()
                .and_then(|heard| heard.get(id))
                .and_then(|at| at.as_ref())
                .map(|at| at.elapsed()),
        })
        .collect()
}
