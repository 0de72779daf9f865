//! Carries the log's messages between servers over their connections.

use async_trait::async_trait;
use bytes::Bytes;
use caravan_consensus::{PeerCall, PeerHandler, PeerTransport, TransportError};
use caravan_rpc::{
    Body, ErrorKind, Lane, Peer, Pool, RemoteError, RpcError, Target, msgpack, reply_error,
};
use http::{Request, Response};

/// Messages of the log are sent below this path, by their word.
pub(super) const PATH: &str = "/rpc/raft/";
/// A batch of log entries may be large.
const MAX_MESSAGE: usize = 512 << 20;

/// Sends messages to the other servers; elections do not wait for other traffic, nor for snapshots.
pub(super) struct Peers {
    pub(super) pool: Pool,
    pub(super) region: String,
}

#[async_trait]
impl PeerTransport for Peers {
    async fn call(
        &self,
        target: u64,
        address: &str,
        call: PeerCall,
        body: Bytes,
    ) -> Result<Bytes, TransportError> {
        let lane = match call {
            PeerCall::Snapshot => Lane::Bulk,
            PeerCall::Append | PeerCall::Vote | PeerCall::PreVote | PeerCall::TransferLeader => {
                Lane::Raft
            }
        };
        let server = Target::new(address, self.region.as_str());
        let channel = self.pool.channel(&server, lane);
        let path = format!("{PATH}{}?to={target:x}", call.as_str());
        let sent = async {
            let response = channel
                .call(msgpack::request(&path, Body::full(body))?)
                .await?;
            let response = msgpack::check(&path, response, MAX_MESSAGE).await?;
            Ok::<_, RpcError>(response.into_body().collect(MAX_MESSAGE).await?)
        };
        sent.await.map_err(|error| {
            if error.is_unsent() {
                TransportError::Unreachable(error.to_string())
            } else {
                TransportError::Failed(error.to_string())
            }
        })
    }
}

/// Answers a message of the log, if a server of this region sent it.
pub(super) async fn answer(
    log: &dyn PeerHandler,
    node: u64,
    region: &str,
    peer: &Peer,
    request: Request<Body>,
) -> Response<Body> {
    if !peer.is_server() || peer.identity.region != region {
        let text = format!("only servers of region {region:?} take part in its log");
        return reply_error(&RemoteError::new(ErrorKind::PermissionDenied, text));
    }
    let word = request
        .uri()
        .path()
        .strip_prefix(PATH)
        .and_then(PeerCall::parse);
    let Some(call) = word else {
        let text = format!("no message of the log is sent to {}", request.uri().path());
        return reply_error(&RemoteError::new(ErrorKind::UnknownEndpoint, text));
    };
    // An address may have become another server's, which must not vote for the one it replaced.
    if request.uri().query() != Some(format!("to={node:x}").as_str()) {
        let text = format!("another server is reached here: {node:#018x}");
        return reply_error(&RemoteError::new(ErrorKind::Conflict, text));
    }
    match request.into_body().collect(MAX_MESSAGE).await {
        Ok(body) => Response::new(Body::full(log.handle(call, body).await)),
        Err(error) => reply_error(&RemoteError::new(
            ErrorKind::InvalidRequest,
            error.to_string(),
        )),
    }
}
