//! Registers the node, keeps it alive at the servers, and stops allocations that must not outlive contact.

use std::sync::Arc;
use std::time::Duration;

use caravan_model::{NodeStatus, UnixNanos};

use crate::alloc::machine::Event;
use crate::clock;
use crate::link::{Beat, Heartbeat, LinkError};
use crate::shared::Shared;

/// Pauses between attempts to register double from the first, so that a node is there soon after its servers are, and
/// many nodes do not trouble servers that are gone for long.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(15);
const RETRY_MOST_DEV: Duration = Duration::from_secs(1);
/// Changes of the node are collected this long before they are told.
const SETTLE: Duration = Duration::from_secs(5);

/// Registers, and beats until the agent stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    tokio::select! {
        () = beat_forever(&shared) => {}
        () = shared.shutdown.cancelled() => {}
    }
}

async fn beat_forever(shared: &Arc<Shared>) {
    let mut beat = register(shared).await;
    // Ready is what a node is once its first heartbeat says so.
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.registration.notified() => {
                let settle = if shared.config.dev { SETTLE / 10 } else { SETTLE + clock::jitter(SETTLE) };
                tokio::select! {
                    () = tokio::time::sleep(settle) => {}
                    () = shared.registration_urgent.notified() => {}
                }
                beat = register(shared).await;
            }
        }
        let request = Heartbeat {
            caller: shared.caller(),
            status: NodeStatus::Ready,
        };
        match shared.link.heartbeat(request).await {
            Ok(next) => {
                heard(shared, &next);
                // The servers' deadline is the TTL and a grace: half of it leaves room for a retry.
                wait = next.heartbeat_ttl / 2;
                beat = next;
            }
            Err(LinkError::NodeNotFound) => {
                tracing::info!("the servers do not know this node any more: it registers again");
                beat = register(shared).await;
                wait = Duration::ZERO;
            }
            Err(error) => {
                tracing::warn!(%error, "heartbeat failed");
                stop_lonely(shared, clock::steady());
                let most =
                    (beat.heartbeat_ttl / 2).clamp(Duration::from_secs(1), Duration::from_secs(30));
                wait = Duration::from_millis(500) + clock::jitter(most);
            }
        }
    }
}

async fn register(shared: &Arc<Shared>) -> Beat {
    let most = if shared.config.dev {
        RETRY_MOST_DEV
    } else {
        RETRY_MOST
    };
    let mut pause = RETRY;
    loop {
        let node = shared.node();
        let mut sent = (*node).clone();
        sent.status = NodeStatus::Initializing;
        match shared.link.register(sent).await {
            Ok(beat) => {
                tracing::info!(node = %node.id, "node registration complete");
                heard(shared, &beat);
                return beat;
            }
            Err(error) => {
                tracing::warn!(%error, "the node cannot register; it tries again");
                stop_lonely(shared, clock::steady());
                tokio::time::sleep(pause / 2 + clock::jitter(pause)).await;
                pause = (pause * 2).min(most);
            }
        }
    }
}

fn heard(shared: &Arc<Shared>, beat: &Beat) {
    if let Some(eligibility) = beat.eligibility {
        shared.change_node_quietly(|node| node.scheduling_eligibility = eligibility);
    }
    shared.heard(beat.heartbeat_ttl);
}

/// Stops the allocations that may not run on without contact (`stop_on_client_after`).
fn stop_lonely(shared: &Arc<Shared>, now: UnixNanos) {
    let heard = shared.last_heard_steady();
    for runner in shared.runners() {
        let view = runner.view();
        let group = view
            .alloc
            .job
            .as_ref()
            .and_then(|job| job.lookup_task_group(&view.alloc.task_group));
        let Some(after) = group.and_then(|group| group.disconnect_stop_after()) else {
            continue;
        };
        if !view.done && now >= clock::after(heard, after) {
            tracing::info!(alloc = %runner.id, "stopped: the servers were not heard for too long");
            runner.send(Event::Stop {
                no_delay: false,
                all: false,
            });
        }
    }
}
