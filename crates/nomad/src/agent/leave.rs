//! Leaving: the node's work is moved away where that is configured, and the other servers go on without this one.

use std::sync::Arc;

use caravan_client::Client;
use caravan_client::link::Caller;
use caravan_model::{DrainSpec, Duration};
use caravan_rpc::{Channel, Handler, Peer, call_msgpack};
use serde::{Deserialize, Serialize};

use super::gateway::{Gateway, ServerSide};
use super::rpc::ServerCalls;
use crate::config::AgentConfig;
use crate::config::settings::DrainOnShutdown;

/// Where a node asks to be drained; the answer comes when it is.
pub(super) const DRAIN: &str = "/rpc/node/drain";

/// A node asks to be drained.
#[derive(Serialize, Deserialize)]
pub(super) struct Drain {
    pub(super) caller: Caller,
    pub(super) spec: DrainSpec,
}

/// Leaves in order: first the work, then the server.
pub(super) async fn leave(config: &AgentConfig, gateway: &Arc<Gateway>) {
    let wanted = config.settings.client.drain_on_shutdown.as_ref();
    if let (Some(node), Some(wanted)) = (gateway.node(), wanted) {
        tracing::info!("moving what runs on this node away");
        if let Err(why) = drain(gateway, node, wanted).await {
            tracing::error!("what runs on this node could not be moved away: {why}");
        }
    }
    if let Some(side) = gateway.server_side() {
        leave_servers(side).await;
    }
}

async fn drain(
    gateway: &Arc<Gateway>,
    node: &Client,
    wanted: &DrainOnShutdown,
) -> Result<(), String> {
    let deadline = match wanted.force {
        // Nothing is waited for.
        true => Duration(-1),
        false => Duration::from(wanted.deadline),
    };
    let own = node.node();
    let asked = Drain {
        caller: Caller {
            node_id: own.id,
            secret_id: own.secret_id.clone(),
        },
        spec: DrainSpec {
            deadline,
            ignore_system_jobs: wanted.ignore_system_jobs,
        },
    };
    let channel = match gateway.upstream() {
        Some(upstream) => upstream.channel(),
        None => {
            let calls: Arc<dyn Handler> = Arc::new(ServerCalls(Arc::clone(gateway)));
            Channel::in_process(calls, Peer::in_process(gateway.region()))
        }
    };
    call_msgpack::<_, ()>(&channel, DRAIN, &asked)
        .await
        .map_err(|error| error.to_string())
}

async fn leave_servers(side: &ServerSide) {
    let log = side.server.consensus();
    if log.members().len() < 2 {
        return;
    }
    if log.is_leader()
        && let Err(error) = log.transfer_leadership(None).await
    {
        tracing::warn!(%error, "no other server could be made leader");
    }
    side.circle.leave(&side.server, &side.pool).await;
}
