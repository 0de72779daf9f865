//! What nodes ask of the servers over connections: the leader answers, the others hand on to it.

use caravan_client::link::{
    AllocUpdate, Caller, Heartbeat, LinkError, Lookup, NodeEvents, Pull, ServerLink, ServiceUpdate,
    path,
};
use caravan_model::{Node, NodeId};
use caravan_rpc::{
    Body, Claim, ErrorKind, Lane, Peer, RemoteError, msgpack, read_msgpack, reply_error,
    reply_result,
};
use http::{Request, Response};

use super::gateway::ServerSide;
use super::{carry, leave};

/// Calls of nodes are sent below this path.
pub(super) const PATH: &str = "/rpc/node/";

/// Answers a call of a node.
pub(super) async fn answer(
    side: &ServerSide,
    peer: &Peer,
    request: Request<Body>,
) -> Response<Body> {
    if side.leads() {
        return reply(side, request).await;
    }
    let handed_on = matches!(peer.claim, Claim::Server { .. });
    match side.leader() {
        Some(leader) if !handed_on => hand_on(side, &leader, request).await,
        _ => reply_error(&RemoteError::new(ErrorKind::NoLeader, "No cluster leader")),
    }
}

async fn hand_on(side: &ServerSide, leader: &str, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let channel = side.pool.channel(&side.target(leader), Lane::Calls);
    let handed_on = async {
        let body = carry::whole(request.into_body()).await?;
        channel
            .call(msgpack::request(&path, Body::full(body))?)
            .await
    };
    match handed_on.await {
        Ok(response) => response,
        Err(error) => reply_error(&RemoteError::new(ErrorKind::NoLeader, error.to_string())),
    }
}

async fn reply(side: &ServerSide, request: Request<Body>) -> Response<Body> {
    let link = &side.link;
    let path = request.uri().path().to_owned();
    match path.as_str() {
        path::REGISTER => {
            let registered = async {
                let node: Node = read_msgpack(request).await?;
                same_secret(side, &node)?;
                link.register(node).await.map_err(remote)
            };
            reply_result(registered.await)
        }
        path::HEARTBEAT => {
            let beaten = async {
                let beat: Heartbeat = read_msgpack(request).await?;
                known(side, &beat.caller)?;
                link.heartbeat(beat).await.map_err(remote)
            };
            reply_result(beaten.await)
        }
        path::PULL => {
            let pulled = async {
                let pull: Pull = read_msgpack(request).await?;
                known(side, &pull.caller)?;
                link.pull(pull).await.map_err(remote)
            };
            reply_result(pulled.await)
        }
        path::UPDATE_ALLOCS => {
            let updated = async {
                let update: AllocUpdate = read_msgpack(request).await?;
                known(side, &update.caller)?;
                own(side, &update)?;
                link.update_allocs(update).await.map_err(remote)
            };
            reply_result(updated.await)
        }
        path::UPDATE_SERVICES => {
            let updated = async {
                let update: ServiceUpdate = read_msgpack(request).await?;
                known(side, &update.caller)?;
                link.update_services(update).await.map_err(remote)
            };
            reply_result(updated.await)
        }
        path::EVENTS => {
            let told = async {
                let events: NodeEvents = read_msgpack(request).await?;
                known(side, &events.caller)?;
                link.node_events(events).await.map_err(remote)
            };
            reply_result(told.await)
        }
        leave::DRAIN => {
            let drained = async {
                let asked: leave::Drain = read_msgpack(request).await?;
                known(side, &asked.caller)?;
                let service = side.server.node_service();
                let drained = service.drained(asked.caller.node_id, asked.spec).await;
                drained.map_err(|error| RemoteError::new(ErrorKind::NotReady, error.to_string()))
            };
            reply_result(drained.await)
        }
        path::LOOKUP => {
            let found = async {
                let lookup: Lookup = read_msgpack(request).await?;
                known(side, &lookup.caller)?;
                link.lookup(lookup).await.map_err(remote)
            };
            reply_result(found.await)
        }
        other => {
            let text = format!("nodes cannot ask for {other}");
            reply_error(&RemoteError::new(ErrorKind::UnknownEndpoint, text))
        }
    }
}

fn remote(error: LinkError) -> RemoteError {
    let kind = match &error {
        LinkError::NodeNotFound => ErrorKind::NotFound,
        LinkError::Unavailable(_) => ErrorKind::NotReady,
        LinkError::Refused(_) => ErrorKind::InvalidRequest,
    };
    RemoteError::new(kind, error.to_string())
}

fn denied(text: &str) -> RemoteError {
    RemoteError::new(ErrorKind::PermissionDenied, text)
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
fn equal(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |all, (a, b)| all | (a ^ b))
            == 0
}

/// The caller is the node that it says it is.
pub(super) fn known(side: &ServerSide, caller: &Caller) -> Result<(), RemoteError> {
    secret_of(side, caller.node_id, &caller.secret_id)
}

/// The secret is the node's.
pub(super) fn secret_of(side: &ServerSide, id: NodeId, secret: &str) -> Result<(), RemoteError> {
    let state = side.server.store().snapshot();
    let Some(node) = state.node(&id) else {
        return Err(remote(LinkError::NodeNotFound));
    };
    if equal(&node.secret_id, secret) {
        Ok(())
    } else {
        Err(denied("node secret ID does not match"))
    }
}

fn same_secret(side: &ServerSide, node: &Node) -> Result<(), RemoteError> {
    match side.server.store().snapshot().node(&node.id) {
        Some(stored) if !equal(&stored.secret_id, &node.secret_id) => Err(denied(
            "node secret ID does not match. Not registering node.",
        )),
        _ => Ok(()),
    }
}

/// A node speaks of its own allocations only.
fn own(side: &ServerSide, update: &AllocUpdate) -> Result<(), RemoteError> {
    let state = side.server.store().snapshot();
    let foreign = update.allocs.iter().find(|alloc| {
        state
            .alloc(&alloc.id)
            .is_some_and(|stored| stored.node_id != update.caller.node_id)
    });
    match foreign {
        Some(alloc) => Err(denied(&format!(
            "allocation {} is not on this node",
            alloc.id
        ))),
        None => Ok(()),
    }
}
