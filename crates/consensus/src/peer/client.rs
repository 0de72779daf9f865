//! The sending side: packs messages, bounds their time, and cuts snapshots into pieces.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use caravan_wire::{pack, unpack};
use openraft::{
    OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2, Snapshot,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::RPCOption,
    raft as lib,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    PeerCall, PeerInfo, PeerTransport, TransportError,
    peer::message::{
        Answer, AppendRequest, AppendResponse, PIECE, SnapshotAnswer, SnapshotPiece,
        TransferRequest, TransferResponse, VoteRequest, VoteResponse,
    },
    raft::{LeaderId, Types, Vote},
    record::SnapshotMetaRecord,
    store::snapshot::Body,
};

/// Makes a [`PeerClient`] for each peer.
pub(crate) struct PeerClients {
    pub(crate) node_id: u64,
    pub(crate) transport: Arc<dyn PeerTransport>,
}

impl RaftNetworkFactory<Types> for PeerClients {
    type Network = PeerClient;

    async fn new_client(&mut self, target: u64, peer: &PeerInfo) -> PeerClient {
        PeerClient {
            node_id: self.node_id,
            target,
            address: peer.address.clone(),
            transport: Arc::clone(&self.transport),
        }
    }
}

/// Sends to one peer.
pub(crate) struct PeerClient {
    node_id: u64,
    target: u64,
    address: String,
    transport: Arc<dyn PeerTransport>,
}

impl PeerClient {
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: PeerCall,
        request: &Q,
        ttl: Duration,
    ) -> Result<A, RPCError<Types>> {
        let body = pack(call.as_str(), request).map_err(|e| NetworkError::new(&e))?;
        let sent = self
            .transport
            .call(self.target, &self.address, call, body.into());
        let answer = match tokio::time::timeout(ttl, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(TransportError::Unreachable(reason))) => {
                return Err(Unreachable::from_string(reason).into());
            }
            Ok(Err(TransportError::Failed(reason))) => {
                return Err(NetworkError::from_string(reason).into());
            }
            Err(_) => {
                return Err(RPCError::Timeout(Timeout {
                    action: action(call),
                    id: self.node_id,
                    target: self.target,
                    timeout: ttl,
                }));
            }
        };
        match unpack(call.as_str(), &answer).map_err(|e| NetworkError::new(&e))? {
            Answer::Ok(answer) => Ok(answer),
            Answer::Failed(reason) => Err(Unreachable::from_string(reason).into()),
        }
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot<LeaderId, u64, PeerInfo, Body>,
        ttl: Duration,
    ) -> Result<lib::SnapshotResponse<Types>, StreamingError<Types>> {
        static TRANSFERS: AtomicU64 = AtomicU64::new(0);
        let transfer = TRANSFERS.fetch_add(1, Ordering::Relaxed);
        let body = snapshot.snapshot;
        let data = tokio::task::spawn_blocking(move || body.load())
            .await
            .map_err(|e| NetworkError::new(&e))?
            .map_err(|e| NetworkError::new(&e))?;
        let meta = SnapshotMetaRecord::from(&snapshot.meta);
        let mut offset = 0;
        loop {
            let end = data.len().min(offset + PIECE);
            let piece = SnapshotPiece {
                transfer,
                sender: self.node_id,
                vote: (&vote).into(),
                meta: meta.clone(),
                offset: offset as u64,
                data: data.slice(offset..end),
                last: end == data.len(),
            };
            let answer: SnapshotAnswer = self.call(PeerCall::Snapshot, &piece, ttl).await?;
            match answer {
                SnapshotAnswer::Received if !piece.last => offset = end,
                SnapshotAnswer::Installed { vote } => {
                    return Ok(lib::SnapshotResponse::new(vote.into()));
                }
                SnapshotAnswer::Received | SnapshotAnswer::Restart => {
                    return Err(NetworkError::from_string("the receiver lost its place").into());
                }
            }
        }
    }
}

fn action(call: PeerCall) -> RPCTypes {
    match call {
        PeerCall::Append => RPCTypes::AppendEntries,
        PeerCall::Vote | PeerCall::PreVote => RPCTypes::Vote,
        PeerCall::Snapshot => RPCTypes::InstallSnapshot,
        PeerCall::TransferLeader => RPCTypes::TransferLeader,
    }
}

impl RaftNetworkV2<Types> for PeerClient {
    type SnapshotData = Body;

    async fn append_entries(
        &mut self,
        rpc: lib::AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<lib::AppendEntriesResponse<Types>, RPCError<Types>> {
        let answer: AppendResponse = self
            .call(
                PeerCall::Append,
                &AppendRequest::from(&rpc),
                option.hard_ttl(),
            )
            .await?;
        Ok(answer.into())
    }

    async fn vote(
        &mut self,
        rpc: lib::VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<lib::VoteResponse<Types>, RPCError<Types>> {
        let answer: VoteResponse = self
            .call(PeerCall::Vote, &VoteRequest::from(&rpc), option.hard_ttl())
            .await?;
        Ok(answer.into())
    }

    async fn pre_vote(
        &mut self,
        rpc: lib::VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<lib::VoteResponse<Types>, RPCError<Types>> {
        let answer: VoteResponse = self
            .call(
                PeerCall::PreVote,
                &VoteRequest::from(&rpc),
                option.hard_ttl(),
            )
            .await?;
        Ok(answer.into())
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<LeaderId, u64, PeerInfo, Body>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<lib::SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = self.send_snapshot(vote, snapshot, option.hard_ttl()) => sent,
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: lib::TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<lib::TransferLeaderResponse<Types>, RPCError<Types>> {
        let answer: TransferResponse = self
            .call(
                PeerCall::TransferLeader,
                &TransferRequest::from(&rpc),
                option.hard_ttl(),
            )
            .await?;
        Ok(answer.into())
    }
}
