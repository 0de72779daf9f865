//! The receiving side: unpacks what peers send, hands it to the library, packs the answer.

use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use caravan_wire::{pack, unpack};
use openraft::Snapshot;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Consensus, PeerCall, PeerHandler, StateMachine,
    peer::message::{
        Answer, AppendRequest, AppendResponse, SnapshotAnswer, SnapshotPiece, TransferRequest,
        TransferResponse, VoteRequest, VoteResponse,
    },
    raft::{SnapshotMeta, Vote},
    store::snapshot::Body,
};

/// A snapshot that is arriving in pieces. A new transfer replaces an unfinished one.
#[derive(Default)]
pub(crate) struct Arriving {
    from: Option<(u64, u64)>,
    data: Vec<u8>,
}

enum Arrived {
    Whole(Bytes),
    More,
    Gap,
}

impl Arriving {
    fn take(&mut self, piece: &SnapshotPiece) -> Arrived {
        let from = Some((piece.sender, piece.transfer));
        if piece.offset == 0 {
            self.from = from;
            self.data.clear();
        }
        if self.from != from || piece.offset != self.data.len() as u64 {
            return Arrived::Gap;
        }
        self.data.extend_from_slice(&piece.data);
        if piece.last {
            self.from = None;
            return Arrived::Whole(std::mem::take(&mut self.data).into());
        }
        Arrived::More
    }
}

#[async_trait]
impl<M: StateMachine> PeerHandler for Consensus<M> {
    async fn handle(&self, call: PeerCall, body: Bytes) -> Bytes {
        let answered = match call {
            PeerCall::Append => reply(self.on_append(&body).await),
            PeerCall::Vote => reply(self.on_vote(&body).await),
            PeerCall::PreVote => reply(self.on_pre_vote(&body).await),
            PeerCall::Snapshot => reply(self.on_snapshot(&body).await),
            PeerCall::TransferLeader => reply(self.on_transfer(&body).await),
        };
        answered.into()
    }
}

fn reply<T: Serialize>(result: Result<T, String>) -> Vec<u8> {
    let answer = match result {
        Ok(answer) => Answer::Ok(answer),
        Err(reason) => Answer::Failed(reason),
    };
    pack("answer to a peer", &answer).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot answer a peer");
        Vec::new()
    })
}

fn request<T: DeserializeOwned>(call: PeerCall, body: &[u8]) -> Result<T, String> {
    unpack(call.as_str(), body).map_err(|error| error.to_string())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl<M: StateMachine> Consensus<M> {
    async fn on_append(&self, body: &[u8]) -> Result<AppendResponse, String> {
        let append: AppendRequest = request(PeerCall::Append, body)?;
        let append = append.try_into().map_err(text)?;
        let response = self.raft().append_entries(append).await.map_err(text)?;
        let response = AppendResponse::from(response);
        if !matches!(response, AppendResponse::HigherVote(_)) {
            self.heard_from_leader();
        }
        Ok(response)
    }

    async fn on_vote(&self, body: &[u8]) -> Result<VoteResponse, String> {
        let vote: VoteRequest = request(PeerCall::Vote, body)?;
        let response = self.raft().vote(vote.into()).await.map_err(text)?;
        Ok(response.into())
    }

    async fn on_pre_vote(&self, body: &[u8]) -> Result<VoteResponse, String> {
        let vote: VoteRequest = request(PeerCall::PreVote, body)?;
        let response = self.raft().pre_vote(vote.into()).await.map_err(text)?;
        Ok(response.into())
    }

    async fn on_snapshot(&self, body: &[u8]) -> Result<SnapshotAnswer, String> {
        let piece: SnapshotPiece = request(PeerCall::Snapshot, body)?;
        let arrived = self
            .arriving()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&piece);
        let data = match arrived {
            Arrived::More => return Ok(SnapshotAnswer::Received),
            Arrived::Gap => return Ok(SnapshotAnswer::Restart),
            Arrived::Whole(data) => data,
        };
        let snapshot = Snapshot {
            meta: SnapshotMeta::try_from(piece.meta).map_err(text)?,
            snapshot: Body::Bytes(data),
        };
        let response = self
            .raft()
            .install_full_snapshot(Vote::from(piece.vote), snapshot)
            .await
            .map_err(text)?;
        self.heard_from_leader();
        Ok(SnapshotAnswer::Installed {
            vote: (&response.vote).into(),
        })
    }

    async fn on_transfer(&self, body: &[u8]) -> Result<TransferResponse, String> {
        let transfer: TransferRequest = request(PeerCall::TransferLeader, body)?;
        let response = self
            .raft()
            .handle_transfer_leader(transfer.into())
            .await
            .map_err(text)?;
        Ok(response.into())
    }
}
