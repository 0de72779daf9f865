//! Tells the servers how allocations stand: at once when nothing is being sent, and everything that came up
//! meanwhile together when something is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caravan_model::{AllocId, Allocation};
use tokio::sync::Notify;

use crate::link::{AllocUpdate, LinkError};
use crate::shared::Shared;

const RETRY: Duration = Duration::from_secs(5);
/// No more than this in one message, so that a server is not asked to swallow a node at once.
const MOST: usize = 2048;

/// What is still to be told; the newest of each allocation.
#[derive(Default)]
pub(crate) struct Updates {
    waiting: Mutex<BTreeMap<AllocId, Allocation>>,
    some: Notify,
}

impl Updates {
    pub(crate) fn push(&self, alloc: Allocation) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(alloc.id, alloc);
        self.some.notify_one();
    }

    /// What the servers no longer know need not be told.
    pub(crate) fn drop(&self, id: AllocId) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn take(&self) -> Vec<Allocation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() <= MOST {
            return std::mem::take(&mut *waiting).into_values().collect();
        }
        let ids: Vec<AllocId> = waiting.keys().take(MOST).copied().collect();
        ids.iter().filter_map(|id| waiting.remove(id)).collect()
    }

    /// Puts what could not be told back, unless there is something newer.
    fn put_back(&self, allocs: Vec<Allocation>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for alloc in allocs {
            waiting.entry(alloc.id).or_insert(alloc);
        }
    }
}

/// Sends until the agent stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut contacted = shared.contacted.subscribe();
    // A node the servers do not know has nothing to tell.
    if contacted.wait_for(|contacted| *contacted).await.is_err() {
        return;
    }
    loop {
        let allocs = shared.updates.take();
        if allocs.is_empty() {
            tokio::select! {
                () = shared.updates.some.notified() => continue,
                () = shared.shutdown.cancelled() => return,
            }
        }
        let update = AllocUpdate {
            caller: shared.caller(),
            allocs: allocs.clone(),
        };
        match shared.link.update_allocs(update).await {
            Ok(()) => {}
            Err(LinkError::Refused(why)) => {
                tracing::warn!(%why, "the servers refused updates of allocations")
            }
            Err(error) => {
                tracing::warn!(%error, "cannot tell the servers how allocations stand");
                shared.updates.put_back(allocs);
                let wait = RETRY / 5 + crate::clock::jitter(RETRY);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shared.shutdown.cancelled() => return,
                }
            }
        }
    }
}
