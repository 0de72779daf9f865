//! Data of an allocation on its way from the node that had it to the node of the allocation that takes its place.

use caravan_client::link::{DataOf, path};
use caravan_http::{ApiRequest, Body as ApiBody, ByteStream, Op};
use caravan_model::{AllocId, NodeId};
use caravan_rpc::{Body, ErrorKind, RemoteError, read_msgpack, reply_error};
use futures::StreamExt;
use http::{Request, Response};

use super::gateway::{Gateway, ServerSide};
use super::node_calls;

/// Where nodes ask for it.
pub(super) const PATH: &str = path::DATA;

/// Answers a node that wants the data of the allocation before one of its own.
pub(super) async fn answer(
    gateway: &Gateway,
    side: &ServerSide,
    request: Request<Body>,
) -> Response<Body> {
    match stream(gateway, side, request).await {
        Ok(stream) => Response::new(Body::stream(stream)),
        Err(error) => reply_error(&error),
    }
}

async fn stream(
    gateway: &Gateway,
    side: &ServerSide,
    request: Request<Body>,
) -> Result<ByteStream, RemoteError> {
    let asked: DataOf = read_msgpack(request).await?;
    node_calls::known(side, &asked.caller)?;
    let (previous, node) = source(side, &asked)?;
    let mut wanted = ApiRequest::internal(Op::ClientAllocSnapshot);
    wanted.params.0.push(("id".into(), previous.to_string()));
    let answer = gateway.to_node(side, node, wanted).await.map_err(|error| {
        let kind = match error.status {
            404 => ErrorKind::NotFound,
            _ => ErrorKind::NotReady,
        };
        RemoteError::new(kind, error.message)
    })?;
    match answer.body {
        ApiBody::Stream(stream) => Ok(stream),
        ApiBody::Bytes(bytes) => Ok(futures::stream::iter([Ok(bytes)]).boxed()),
        ApiBody::Empty | ApiBody::Session(_) => Ok(futures::stream::empty().boxed()),
    }
}

/// The allocation whose data the caller may have, and its node.
fn source(side: &ServerSide, asked: &DataOf) -> Result<(AllocId, NodeId), RemoteError> {
    let state = side.server.store().snapshot();
    let Some(alloc) = state.alloc(&asked.alloc) else {
        // This server may be behind.
        let text = format!("allocation {} is not known yet", asked.alloc);
        return Err(RemoteError::new(ErrorKind::NotReady, text));
    };
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let migrates = group.is_some_and(|group| group.ephemeral_disk.migrate);
    if alloc.node_id != asked.caller.node_id || !migrates {
        let text = format!(
            "allocation {} is not one that takes data over on this node",
            asked.alloc
        );
        return Err(RemoteError::new(ErrorKind::PermissionDenied, text));
    }
    match state.alloc(&alloc.previous_allocation) {
        Some(previous) => Ok((previous.id, previous.node_id)),
        None => {
            let text = format!(
                "allocation {} is no longer known",
                alloc.previous_allocation
            );
            Err(RemoteError::new(ErrorKind::NotFound, text))
        }
    }
}
