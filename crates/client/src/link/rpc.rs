//! The servers over connections: msgpack calls at `/rpc/node/…`.

use async_trait::async_trait;
use caravan_http::ByteStream;
use caravan_model::Node;
use caravan_rpc::{Body, Channel, ErrorKind, RpcError, call_msgpack, msgpack};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    AllocUpdate, Beat, DataOf, Found, Heartbeat, LinkError, Lookup, NodeEvents, Pull, Pulled,
    ServerLink, ServiceUpdate,
};

/// Where servers answer; request and answer of each are those of the method of the same name.
pub mod path {
    pub const REGISTER: &str = "/rpc/node/register";
    pub const HEARTBEAT: &str = "/rpc/node/heartbeat";
    pub const PULL: &str = "/rpc/node/pull";
    pub const UPDATE_ALLOCS: &str = "/rpc/node/update-allocs";
    pub const UPDATE_SERVICES: &str = "/rpc/node/update-services";
    pub const EVENTS: &str = "/rpc/node/events";
    pub const LOOKUP: &str = "/rpc/node/lookup";
    /// The answer is a stream of bytes.
    pub const DATA: &str = "/rpc/node/data";
}

/// Calls servers through a channel; which server that is, and failing over, is the channel maker's business.
pub struct RpcLink<F> {
    channel: F,
}

impl<F> RpcLink<F>
where
    F: Fn() -> Option<Channel> + Send + Sync + 'static,
{
    /// `channel` gives the server to call next; `None` when none is known.
    pub fn new(channel: F) -> Self {
        Self { channel }
    }

    async fn call<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
    ) -> Result<A, LinkError> {
        let Some(channel) = (self.channel)() else {
            return Err(LinkError::Unavailable("no servers".into()));
        };
        call_msgpack(&channel, path, request)
            .await
            .map_err(LinkError::from)
    }
}

impl From<RpcError> for LinkError {
    fn from(error: RpcError) -> Self {
        let Some(remote) = error.remote() else {
            return Self::Unavailable(error.to_string());
        };
        match remote.kind {
            ErrorKind::NotFound if remote.message.contains("node not found") => Self::NodeNotFound,
            ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidRequest
            | ErrorKind::Conflict
            | ErrorKind::TooLarge => Self::Refused(remote.message.clone()),
            _ => Self::Unavailable(remote.message.clone()),
        }
    }
}

#[async_trait]
impl<F> ServerLink for RpcLink<F>
where
    F: Fn() -> Option<Channel> + Send + Sync + 'static,
{
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.call(path::REGISTER, &node).await
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        self.call(path::HEARTBEAT, &request).await
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        self.call(path::PULL, &request).await
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.call(path::UPDATE_ALLOCS, &update).await
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        self.call(path::UPDATE_SERVICES, &update).await
    }

    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError> {
        self.call(path::EVENTS, &request).await
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        self.call(path::LOOKUP, &request).await
    }

    async fn data(&self, request: DataOf) -> Result<ByteStream, LinkError> {
        let Some(channel) = (self.channel)() else {
            return Err(LinkError::Unavailable("no servers".into()));
        };
        let refused = |error: caravan_codec::WriteError| LinkError::Refused(error.to_string());
        let body = Body::full(caravan_codec::msgpack::pack(&request).map_err(refused)?);
        let answer = channel.call(msgpack::request(path::DATA, body)?).await?;
        let answer = msgpack::check(path::DATA, answer, channel.max_message()).await?;
        let stream = answer.into_body().into_stream();
        Ok(stream.map_err(std::io::Error::other).boxed())
    }
}
