//! How messages reach the other servers: implemented by the room that owns connections.

use async_trait::async_trait;
use bytes::Bytes;

/// What a message is, for routing and priority; its body is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerCall {
    /// Log entries, or none: a heartbeat.
    Append,
    Vote,
    PreVote,
    /// One piece of a snapshot.
    Snapshot,
    TransferLeader,
}

impl PeerCall {
    pub const ALL: [PeerCall; 5] = [
        PeerCall::Append,
        PeerCall::Vote,
        PeerCall::PreVote,
        PeerCall::Snapshot,
        PeerCall::TransferLeader,
    ];

    /// A word for paths and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            PeerCall::Append => "append",
            PeerCall::Vote => "vote",
            PeerCall::PreVote => "pre-vote",
            PeerCall::Snapshot => "snapshot",
            PeerCall::TransferLeader => "transfer-leader",
        }
    }

    pub fn parse(word: &str) -> Option<PeerCall> {
        PeerCall::ALL.into_iter().find(|call| call.as_str() == word)
    }
}

/// A message that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection; the sender backs off.
    #[error("{0}")]
    Unreachable(String),
    /// The connection failed under way; the sender tries again at once.
    #[error("{0}")]
    Failed(String),
}

/// Sends one message and waits for its answer. The caller bounds the time; dropping the future
/// must abandon the call.
#[async_trait]
pub trait PeerTransport: Send + Sync + 'static {
    async fn call(
        &self,
        target: u64,
        address: &str,
        call: PeerCall,
        body: Bytes,
    ) -> Result<Bytes, TransportError>;
}

/// The receiving side; [`crate::Consensus`] implements it.
#[async_trait]
pub trait PeerHandler: Send + Sync + 'static {
    async fn handle(&self, call: PeerCall, body: Bytes) -> Bytes;
}
