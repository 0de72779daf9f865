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
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    let caller = |caller: &Caller| known(side, caller);
    let path = request.uri().path().to_owned();
    match path.as_str() {
        path::REGISTER => {
            let permit = |node: &Node| same_secret(side, node);
            take(request, permit, |node| link.register(node)).await
        }
        path::HEARTBEAT => {
            let permit = |beat: &Heartbeat| caller(&beat.caller);
            take(request, permit, |beat| link.heartbeat(beat)).await
        }
        path::PULL => {
            let permit = |pull: &Pull| caller(&pull.caller);
            take(request, permit, |pull| link.pull(pull)).await
        }
        path::UPDATE_ALLOCS => {
            let permit = |update: &AllocUpdate| {
                caller(&update.caller)?;
                own(side, update)
            };
            take(request, permit, |update| link.update_allocs(update)).await
        }
        path::UPDATE_SERVICES => {
            let permit = |update: &ServiceUpdate| caller(&update.caller);
            take(request, permit, |update| link.update_services(update)).await
        }
        path::EVENTS => {
            let permit = |events: &NodeEvents| caller(&events.caller);
            take(request, permit, |events| link.node_events(events)).await
        }
        path::LOOKUP => {
            let permit = |lookup: &Lookup| caller(&lookup.caller);
            take(request, permit, |lookup| link.lookup(lookup)).await
        }
        leave::DRAIN => reply_result(drained(side, request).await),
        other => {
            let text = format!("nodes cannot ask for {other}");
            reply_error(&RemoteError::new(ErrorKind::UnknownEndpoint, text))
        }
    }
}

/// Takes one kind of call: nothing is done for whom it is not permitted.
async fn take<T, U, F>(
    request: Request<Body>,
    permit: impl FnOnce(&T) -> Result<(), RemoteError>,
    act: impl FnOnce(T) -> F,
) -> Response<Body>
where
    T: DeserializeOwned,
    U: Serialize,
    F: Future<Output = Result<U, LinkError>>,
{
    let done = async {
        let message: T = read_msgpack(request).await?;
        permit(&message)?;
        act(message).await.map_err(remote)
    };
    reply_result(done.await)
}

async fn drained(side: &ServerSide, request: Request<Body>) -> Result<(), RemoteError> {
    let asked: leave::Drain = read_msgpack(request).await?;
    known(side, &asked.caller)?;
    let service = side.server.node_service();
    let drained = service.drained(asked.caller.node_id, asked.spec).await;
    drained.map_err(|error| RemoteError::new(ErrorKind::NotReady, error.to_string()))
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
