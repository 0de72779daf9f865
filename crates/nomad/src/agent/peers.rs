//! Carries the log's messages between servers over their connections.

use async_trait::async_trait;
use bytes::Bytes;
use caravan_consensus::{PeerCall, PeerTransport, TransportError};

/// A server that has no peers: there is nobody to call.
pub(super) struct Alone;

#[async_trait]
impl PeerTransport for Alone {
    async fn call(&self, target: u64, address: &str, _: PeerCall, _: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable(format!("server {target:#x} at {address} is not connected")))
    }
}
