//! What other agents ask of this one, by path.

use std::sync::Arc;

use async_trait::async_trait;
use caravan_http::{Answer, Api, ApiError, ApiRequest, Meta, Watch};
use caravan_rpc::{
    Body, Channel, Claim, ErrorKind, Handler, Peer, RemoteError, read_msgpack, reply_error,
    reply_result,
};
use futures::future::BoxFuture;
use http::{Request, Response};

use super::gateway::{Gateway, ServerSide};
use super::{carry, circle, data, node_calls, peers, volumes};

/// Answers on the connections that a server accepts.
pub(super) struct ServerCalls(pub(super) Arc<Gateway>);

#[async_trait]
impl Handler for ServerCalls {
    async fn handle(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        let gateway = &self.0;
        let Some(side) = gateway.server_side() else {
            return reply_error(&RemoteError::new(
                ErrorKind::NotReady,
                "this agent is no server",
            ));
        };
        let path = request.uri().path();
        if path == data::PATH {
            return data::answer(gateway, side, request).await;
        }
        if path.starts_with(node_calls::PATH) {
            return node_calls::answer(side, &peer, request).await;
        }
        if path.starts_with(peers::PATH) {
            let log = side.server.consensus();
            return peers::answer(log, log.node_id(), &side.region, &peer, request).await;
        }
        match path {
            carry::ANY => carry::answer(Arc::clone(gateway) as Arc<dyn Api>, request).await,
            carry::PERMIT => carry::answer(Arc::new(Permit(Arc::clone(gateway))), request).await,
            carry::LEADER if !side.leads() => reply_error(&RemoteError::new(
                ErrorKind::NotLeader,
                "this server does not lead",
            )),
            carry::LEADER => carry::answer(Arc::new(Leading(Arc::clone(gateway))), request).await,
            _ if !peer.is_server() => denied(),
            carry::HERE => carry::answer(Arc::new(Here(Arc::clone(gateway))), request).await,
            circle::PATH => {
                let met = read_msgpack(request).await;
                reply_result(met.map(|meeting| side.circle.answer(&side.server, meeting)))
            }
            path if path.starts_with(volumes::PATH) => volumes::answer(gateway, request).await,
            path => match path.strip_prefix(carry::HELD).map(str::to_owned) {
                Some(node) => held(gateway, side, &node, request).await,
                None => unknown(path),
            },
        }
    }

    async fn admit(&self, peer: &Peer, secret: Option<&str>) -> Result<(), String> {
        let Claim::Reverse { node_id } = &peer.claim else {
            return Ok(());
        };
        let side = self.0.server_side().ok_or("this agent is no server")?;
        let id = node_id
            .parse()
            .map_err(|_| format!("{node_id:?} is no id of a node"))?;
        node_calls::secret_of(side, id, secret.unwrap_or_default()).map_err(|error| error.message)
    }
}

async fn held(
    gateway: &Arc<Gateway>,
    side: &ServerSide,
    node: &str,
    request: Request<Body>,
) -> Response<Body> {
    if gateway
        .node()
        .is_some_and(|own| own.node_id().to_string() == node)
    {
        return carry::answer(Arc::new(Here(Arc::clone(gateway))), request).await;
    }
    match side.sessions.get(node) {
        Some(channel) => carry::answer(Arc::new(Through(channel)), request).await,
        None => reply_error(&RemoteError::new(
            ErrorKind::NoPathToNode,
            "No path to node",
        )),
    }
}

fn denied() -> Response<Body> {
    reply_error(&RemoteError::new(
        ErrorKind::PermissionDenied,
        "only servers may ask this",
    ))
}

fn unknown(path: &str) -> Response<Body> {
    reply_error(&RemoteError::new(
        ErrorKind::UnknownEndpoint,
        format!("this agent has no endpoint {path}"),
    ))
}

/// Answers what servers ask through the connection that a node keeps open.
pub(super) struct NodeCalls(pub(super) Arc<Gateway>);

#[async_trait]
impl Handler for NodeCalls {
    async fn handle(&self, _: Peer, request: Request<Body>) -> Response<Body> {
        match request.uri().path() {
            carry::HERE => carry::answer(Arc::new(Here(Arc::clone(&self.0))), request).await,
            path if path.starts_with(volumes::PATH) => volumes::answer(&self.0, request).await,
            path => unknown(path),
        }
    }
}

/// The API of this agent alone.
struct Here(Arc<Gateway>);

#[async_trait]
impl Api for Here {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.0.here(request).await
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        self.0.changed(watch)
    }
}

/// Whether callers may make the requests that they make.
struct Permit(Arc<Gateway>);

#[async_trait]
impl Api for Permit {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.0.permit(&request).await?;
        Ok(Answer::empty(Meta::none()))
    }

    fn changed<'a>(&'a self, _: &'a Watch) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

/// The API of this agent while it leads.
struct Leading(Arc<Gateway>);

#[async_trait]
impl Api for Leading {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.0.as_leader(request).await
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        self.0.changed(watch)
    }
}

/// The API of a node that keeps a connection open.
struct Through(Channel);

#[async_trait]
impl Api for Through {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        Ok(carry::call(&self.0, carry::HERE, &request).await?)
    }

    fn changed<'a>(&'a self, _: &'a Watch) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}
