//! The library's values as we store and send them: our own shapes, so that neither disk nor peers
//! depend on the library's release.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use caravan_wire::Format;
use serde::{Deserialize, Serialize};

use crate::raft::{
    Command, Entry, LeaderId, LogId, Membership, Payload, SnapshotMeta, StoredMembership, Vote,
};

const LIMIT: usize = u32::MAX as usize;

pub(crate) const ENTRY: Format = format("raft log entry", 0x0101, LIMIT);
pub(crate) const VOTE: Format = format("raft vote", 0x0102, 1 << 10);
pub(crate) const LOG_ID: Format = format("raft log id", 0x0103, 1 << 10);
pub(crate) const SNAPSHOT_META: Format = format("raft snapshot header", 0x0104, 16 << 20);
pub(crate) const SNAPSHOT_DATA: Format = format("raft snapshot data", 0x0105, 4 << 20);
pub(crate) const SNAPSHOT_END: Format = format("raft snapshot end", 0x0106, 1 << 10);
pub(crate) const STORE: Format = format("raft store header", 0x0107, 1 << 10);
pub(crate) const AHEAD: Format = format("raft write-ahead record", 0x0108, 1 << 20);
pub(crate) const EPOCH: Format = format("raft write-ahead epoch", 0x0109, 1 << 10);

const fn format(name: &'static str, kind: u16, limit: usize) -> Format {
    Format {
        name,
        kind,
        version: 1,
        limit,
    }
}

/// Where a member is reached, and the name that people know it by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    pub address: String,
    #[serde(default)]
    pub name: String,
}

impl PeerInfo {
    pub fn new(address: impl Into<String>, name: impl Into<String>) -> PeerInfo {
        PeerInfo {
            address: address.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.name)
    }
}

/// Written once into a new store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreRecord {
    pub(crate) node_id: u64,
}

/// Whose records of the write-ahead file the database has not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EpochRecord {
    pub(crate) epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogIdRecord {
    pub(crate) term: u64,
    pub(crate) leader: u64,
    pub(crate) index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteRecord {
    pub(crate) term: u64,
    pub(crate) leader: u64,
    pub(crate) committed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipRecord {
    /// Sets of voters; two while a change is under way.
    pub(crate) configs: Vec<BTreeSet<u64>>,
    pub(crate) nodes: BTreeMap<u64, PeerInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PayloadRecord {
    Blank,
    Command(Bytes),
    Membership(MembershipRecord),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryRecord {
    pub(crate) id: LogIdRecord,
    pub(crate) payload: PayloadRecord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMetaRecord {
    pub(crate) last: Option<LogIdRecord>,
    pub(crate) membership_at: Option<LogIdRecord>,
    pub(crate) membership: MembershipRecord,
}

/// The last frame of a snapshot: all data frames were written before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotEndRecord {
    pub(crate) bytes: u64,
}

/// A stored value whose parts contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("membership names a voter without address: {0}")]
pub(crate) struct BadMembership(String);

impl From<&LogId> for LogIdRecord {
    fn from(id: &LogId) -> Self {
        LogIdRecord {
            term: id.leader_id.term,
            leader: id.leader_id.node_id,
            index: id.index,
        }
    }
}

impl From<LogIdRecord> for LogId {
    fn from(record: LogIdRecord) -> Self {
        LogId {
            leader_id: LeaderId {
                term: record.term,
                node_id: record.leader,
            },
            index: record.index,
        }
    }
}

impl From<&Vote> for VoteRecord {
    fn from(vote: &Vote) -> Self {
        VoteRecord {
            term: vote.leader_id.term,
            leader: vote.leader_id.node_id,
            committed: vote.committed,
        }
    }
}

impl From<VoteRecord> for Vote {
    fn from(record: VoteRecord) -> Self {
        Vote {
            leader_id: LeaderId {
                term: record.term,
                node_id: record.leader,
            },
            committed: record.committed,
        }
    }
}

impl From<&Membership> for MembershipRecord {
    fn from(membership: &Membership) -> Self {
        MembershipRecord {
            configs: membership.get_joint_config().clone(),
            nodes: membership
                .nodes()
                .map(|(id, info)| (*id, info.clone()))
                .collect(),
        }
    }
}

impl TryFrom<MembershipRecord> for Membership {
    type Error = BadMembership;

    fn try_from(record: MembershipRecord) -> Result<Self, BadMembership> {
        if record.configs.is_empty() && record.nodes.is_empty() {
            return Ok(Membership::default());
        }
        Membership::new(record.configs, record.nodes)
            .map_err(|error| BadMembership(error.to_string()))
    }
}

impl From<&Entry> for EntryRecord {
    fn from(entry: &Entry) -> Self {
        EntryRecord {
            id: LogIdRecord::from(&entry.log_id),
            payload: match &entry.payload {
                Payload::Blank => PayloadRecord::Blank,
                Payload::Normal(command) => PayloadRecord::Command(command.bytes.clone()),
                Payload::Membership(membership) => PayloadRecord::Membership(membership.into()),
            },
        }
    }
}

impl TryFrom<EntryRecord> for Entry {
    type Error = BadMembership;

    fn try_from(record: EntryRecord) -> Result<Self, BadMembership> {
        Ok(Entry {
            log_id: record.id.into(),
            payload: match record.payload {
                PayloadRecord::Blank => Payload::Blank,
                PayloadRecord::Command(bytes) => Payload::Normal(Command {
                    bytes,
                    patient: false,
                }),
                PayloadRecord::Membership(membership) => {
                    Payload::Membership(membership.try_into()?)
                }
            },
        })
    }
}

impl From<&SnapshotMeta> for SnapshotMetaRecord {
    fn from(meta: &SnapshotMeta) -> Self {
        SnapshotMetaRecord {
            last: meta.last_log_id.as_ref().map(LogIdRecord::from),
            membership_at: meta
                .last_membership
                .log_id()
                .as_ref()
                .map(LogIdRecord::from),
            membership: meta.last_membership.membership().into(),
        }
    }
}

impl TryFrom<SnapshotMetaRecord> for SnapshotMeta {
    type Error = BadMembership;

    fn try_from(record: SnapshotMetaRecord) -> Result<Self, BadMembership> {
        Ok(SnapshotMeta {
            last_log_id: record.last.map(LogId::from),
            last_membership: StoredMembership::new(
                record.membership_at.map(LogId::from),
                record.membership.try_into()?,
            ),
        })
    }
}
