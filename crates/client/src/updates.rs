//! Tells the servers how allocations stand: at once when nothing is being sent, and everything that came up
//! meanwhile together when something is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::link::{AllocUpdate, LinkError};
use crate::shared::Shared;
use crate::view::update_of;

const RETRY: Duration = Duration::from_secs(5);

/// Sends until the agent stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut contacted = shared.contacted.subscribe();
    // A node the servers do not know has nothing to tell.
    if contacted.wait_for(|contacted| *contacted).await.is_err() {
        return;
    }
    loop {
        let news = shared.updates.take();
        if news.is_empty() {
            tokio::select! {
                () = shared.updates.some.notified() => continue,
                () = until(shared.updates.due()) => continue,
                () = shared.shutdown.cancelled() => return,
            }
        }
        let update = AllocUpdate {
            caller: shared.caller(),
            allocs: news.iter().map(|view| update_of(view)).collect(),
        };
        match shared.link.update_allocs(update).await {
            Ok(()) => {
                shared.updates.arrived();
                // What ended may be collected now.
                shared.ended.notify_one();
            }
            Err(LinkError::Refused(why)) => {
                tracing::warn!(%why, "the servers refused updates of allocations");
                shared.updates.arrived();
            }
            Err(error) => {
                tracing::warn!(%error, "cannot tell the servers how allocations stand");
                shared.updates.put_back(news);
                let wait = RETRY / 5 + crate::clock::jitter(RETRY);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shared.shutdown.cancelled() => return,
                }
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
