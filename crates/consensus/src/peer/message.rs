//! What nodes say to each other: msgpack with named fields, so that neighbouring releases talk.

use bytes::Bytes;
use openraft::raft as lib;
use serde::{Deserialize, Serialize};

use crate::{
    raft::{Entry, LogId, Types, Vote},
    record::{BadMembership, EntryRecord, LogIdRecord, SnapshotMetaRecord, VoteRecord},
};

/// Bytes of state in one [`SnapshotPiece`].
pub(crate) const PIECE: usize = 1 << 20;

/// Every answer: the receiver may be unable to give one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer<T> {
    Ok(T),
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppendRequest {
    pub(crate) vote: VoteRecord,
    pub(crate) previous: Option<LogIdRecord>,
    pub(crate) entries: Vec<EntryRecord>,
    pub(crate) committed: Option<LogIdRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppendResponse {
    Success,
    Partial(Option<LogIdRecord>),
    Conflict,
    HigherVote(VoteRecord),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteRequest {
    pub(crate) vote: VoteRecord,
    pub(crate) last: Option<LogIdRecord>,
    #[serde(default)]
    pub(crate) transfer: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteResponse {
    pub(crate) vote: VoteRecord,
    pub(crate) granted: bool,
    pub(crate) last: Option<LogIdRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotPiece {
    /// Distinguishes attempts of one sender.
    pub(crate) transfer: u64,
    pub(crate) sender: u64,
    pub(crate) vote: VoteRecord,
    pub(crate) meta: SnapshotMetaRecord,
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
    pub(crate) last: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SnapshotAnswer {
    /// Send the next piece.
    Received,
    /// All of it is durable and applied; or a newer vote was seen.
    Installed { vote: VoteRecord },
    /// A piece is missing: start again.
    Restart,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransferRequest {
    pub(crate) from: VoteRecord,
    pub(crate) to: u64,
    pub(crate) last: Option<LogIdRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TransferResponse {
    Accepted,
    VoteChanged {
        expected: VoteRecord,
        actual: VoteRecord,
    },
    NotFlushed {
        expected: Option<LogIdRecord>,
        actual: Option<LogIdRecord>,
    },
}

fn record(id: Option<&LogId>) -> Option<LogIdRecord> {
    id.map(LogIdRecord::from)
}

impl From<&lib::AppendEntriesRequest<Types>> for AppendRequest {
    fn from(request: &lib::AppendEntriesRequest<Types>) -> Self {
        AppendRequest {
            vote: (&request.vote).into(),
            previous: record(request.prev_log_id.as_ref()),
            entries: request.entries.iter().map(EntryRecord::from).collect(),
            committed: record(request.leader_commit.as_ref()),
        }
    }
}

impl TryFrom<AppendRequest> for lib::AppendEntriesRequest<Types> {
    type Error = BadMembership;

    fn try_from(request: AppendRequest) -> Result<Self, BadMembership> {
        let entries: Result<Vec<Entry>, BadMembership> =
            request.entries.into_iter().map(Entry::try_from).collect();
        Ok(lib::AppendEntriesRequest {
            vote: request.vote.into(),
            prev_log_id: request.previous.map(LogId::from),
            entries: entries?,
            leader_commit: request.committed.map(LogId::from),
        })
    }
}

impl From<lib::AppendEntriesResponse<Types>> for AppendResponse {
    fn from(response: lib::AppendEntriesResponse<Types>) -> Self {
        use lib::AppendEntriesResponse as Lib;
        match response {
            Lib::Success => AppendResponse::Success,
            Lib::PartialSuccess(id) => AppendResponse::Partial(record(id.as_ref())),
            Lib::Conflict => AppendResponse::Conflict,
            Lib::HigherVote(vote) => AppendResponse::HigherVote((&vote).into()),
        }
    }
}

impl From<AppendResponse> for lib::AppendEntriesResponse<Types> {
    fn from(response: AppendResponse) -> Self {
        match response {
            AppendResponse::Success => Self::Success,
            AppendResponse::Partial(id) => Self::PartialSuccess(id.map(LogId::from)),
            AppendResponse::Conflict => Self::Conflict,
            AppendResponse::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

impl From<&lib::VoteRequest<Types>> for VoteRequest {
    fn from(request: &lib::VoteRequest<Types>) -> Self {
        VoteRequest {
            vote: (&request.vote).into(),
            last: record(request.last_log_id.as_ref()),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<VoteRequest> for lib::VoteRequest<Types> {
    fn from(request: VoteRequest) -> Self {
        lib::VoteRequest {
            vote: request.vote.into(),
            last_log_id: request.last.map(LogId::from),
            leadership_transfer: request.transfer,
        }
    }
}

impl From<lib::VoteResponse<Types>> for VoteResponse {
    fn from(response: lib::VoteResponse<Types>) -> Self {
        VoteResponse {
            vote: (&response.vote).into(),
            granted: response.vote_granted,
            last: record(response.last_log_id.as_ref()),
        }
    }
}

impl From<VoteResponse> for lib::VoteResponse<Types> {
    fn from(response: VoteResponse) -> Self {
        lib::VoteResponse {
            vote: response.vote.into(),
            vote_granted: response.granted,
            last_log_id: response.last.map(LogId::from),
        }
    }
}

impl From<&lib::TransferLeaderRequest<Types>> for TransferRequest {
    fn from(request: &lib::TransferLeaderRequest<Types>) -> Self {
        TransferRequest {
            from: request.from_leader().into(),
            to: *request.to_node_id(),
            last: record(request.last_log_id()),
        }
    }
}

impl From<TransferRequest> for lib::TransferLeaderRequest<Types> {
    fn from(request: TransferRequest) -> Self {
        lib::TransferLeaderRequest::new(
            Vote::from(request.from),
            request.to,
            request.last.map(LogId::from),
        )
    }
}

impl From<lib::TransferLeaderResponse<Types>> for TransferResponse {
    fn from(response: lib::TransferLeaderResponse<Types>) -> Self {
        use lib::TransferLeaderError as Lib;
        match response {
            Ok(()) => TransferResponse::Accepted,
            Err(Lib::VoteChanged { expected, actual }) => TransferResponse::VoteChanged {
                expected: (&expected).into(),
                actual: (&actual).into(),
            },
            Err(Lib::LogNotFlushed { expected, actual }) => TransferResponse::NotFlushed {
                expected: record(expected.as_ref()),
                actual: record(actual.as_ref()),
            },
        }
    }
}

impl From<TransferResponse> for lib::TransferLeaderResponse<Types> {
    fn from(response: TransferResponse) -> Self {
        use lib::TransferLeaderError as Lib;
        match response {
            TransferResponse::Accepted => Ok(()),
            TransferResponse::VoteChanged { expected, actual } => Err(Lib::VoteChanged {
                expected: expected.into(),
                actual: actual.into(),
            }),
            TransferResponse::NotFlushed { expected, actual } => Err(Lib::LogNotFlushed {
                expected: expected.map(LogId::from),
                actual: actual.map(LogId::from),
            }),
        }
    }
}
