//! Dynamic host volumes: the server that creates one asks its node, over whatever reaches that node.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use caravan_model::HostVolume;
use caravan_rpc::{
    Body, ErrorKind, Lane, RemoteError, call_msgpack, read_msgpack, reply_error, reply_result,
};
use caravan_server::{MadeVolume, NodeVolumes};
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::gateway::Gateway;

/// Servers ask nodes below this path, and other servers that hold a connection of the node.
pub(super) const PATH: &str = "/rpc/volume/";
const MAKE: &str = "/rpc/volume/make";
const REMOVE: &str = "/rpc/volume/remove";

#[derive(Serialize, Deserialize)]
struct Made {
    host_path: String,
    capacity_bytes: i64,
}

/// The way from a server to its nodes.
pub(super) struct Nodes(pub(super) Weak<Gateway>);

#[async_trait]
impl NodeVolumes for Nodes {
    async fn make(&self, volume: &HostVolume) -> Result<MadeVolume, String> {
        let gateway = self.0.upgrade().ok_or("the agent is going away")?;
        let made = ask(&gateway, MAKE, volume, true)
            .await
            .map_err(|error| error.message)?;
        Ok(MadeVolume {
            host_path: made.host_path,
            capacity_bytes: made.capacity_bytes,
        })
    }

    async fn remove(&self, volume: &HostVolume) -> Result<(), String> {
        let gateway = self.0.upgrade().ok_or("the agent is going away")?;
        ask(&gateway, REMOVE, volume, true)
            .await
            .map(drop)
            .map_err(|error| error.message)
    }
}

/// Answers a server that asks this node, or one whose connection this server holds.
pub(super) async fn answer(gateway: &Arc<Gateway>, request: Request<Body>) -> Response<Body> {
    let path = match request.uri().path() {
        MAKE => MAKE,
        REMOVE => REMOVE,
        path => {
            let text = format!("this agent has no endpoint {path}");
            return reply_error(&RemoteError::new(ErrorKind::UnknownEndpoint, text));
        }
    };
    // What another server asks is not handed on to a third.
    let done = async {
        let volume: HostVolume = read_msgpack(request).await?;
        ask(gateway, path, &volume, false).await
    };
    reply_result(done.await)
}

async fn ask(
    gateway: &Arc<Gateway>,
    path: &'static str,
    volume: &HostVolume,
    elsewhere: bool,
) -> Result<Made, RemoteError> {
    if let Some(node) = gateway
        .node()
        .filter(|node| node.node_id() == volume.node_id)
    {
        let done = match path {
            MAKE => node.make_volume(volume).await,
            _ => node
                .remove_volume(volume)
                .await
                .map(|()| caravan_client::MadeVolume::default()),
        };
        let made = done.map_err(|error| RemoteError::new(ErrorKind::Internal, error))?;
        return Ok(Made {
            host_path: made.host_path,
            capacity_bytes: made.capacity_bytes,
        });
    }
    let unreached = || RemoteError::new(ErrorKind::NoPathToNode, "No path to node");
    let side = gateway.server_side().ok_or_else(unreached)?;
    let mut channels = Vec::new();
    channels.extend(side.sessions.get(&volume.node_id.to_string()));
    if elsewhere {
        let others = side.others();
        channels.extend(
            others
                .iter()
                .map(|address| side.pool.channel(&side.target(address), Lane::Calls)),
        );
    }
    for channel in channels {
        match call_msgpack(&channel, path, volume).await {
            Ok(made) => return Ok(made),
            Err(error) => match error.remote() {
                Some(said) if said.kind != ErrorKind::NoPathToNode => return Err(said.clone()),
                _ => tracing::debug!(%error, "an agent does not reach the node of a volume"),
            },
        }
    }
    Err(unreached())
}
