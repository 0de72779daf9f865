//! Tells the servers how allocations stand: at once when nothing is being sent, and everything that came up
//! meanwhile together when something is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    untold: Mutex<Untold>,
    some: Notify,
}

#[derive(Default)]
struct Untold {
    waiting: BTreeMap<AllocId, Allocation>,
    /// On their way: nobody knows yet whether they arrived.
    sending: BTreeSet<AllocId>,
}

impl Updates {
    pub(crate) fn push(&self, alloc: Allocation) {
        self.lock().waiting.insert(alloc.id, alloc);
        self.some.notify_one();
    }

    /// What the servers no longer know need not be told.
    pub(crate) fn drop(&self, id: AllocId) {
        self.lock().waiting.remove(&id);
    }

    /// Whether the servers know all that there is to know of it.
    pub(crate) fn told(&self, id: AllocId) -> bool {
        let untold = self.lock();
        !untold.waiting.contains_key(&id) && !untold.sending.contains(&id)
    }

    fn take(&self) -> Vec<Allocation> {
        let untold = &mut *self.lock();
        let allocs: Vec<Allocation> = if untold.waiting.len() <= MOST {
            std::mem::take(&mut untold.waiting).into_values().collect()
        } else {
            let ids: Vec<AllocId> = untold.waiting.keys().take(MOST).copied().collect();
            ids.iter()
                .filter_map(|id| untold.waiting.remove(id))
                .collect()
        };
        untold.sending = allocs.iter().map(|alloc| alloc.id).collect();
        allocs
    }

    fn arrived(&self) {
        self.lock().sending.clear();
    }

    /// Puts what could not be told back, unless there is something newer.
    fn put_back(&self, allocs: Vec<Allocation>) {
        let untold = &mut *self.lock();
        untold.sending.clear();
        for alloc in allocs {
            untold.waiting.entry(alloc.id).or_insert(alloc);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_not_told_yet() {
        let updates = Updates::default();
        let alloc = Allocation::default();
        let id = alloc.id;
        assert!(updates.told(id), "there is nothing to tell");
        updates.push(alloc.clone());
        assert!(!updates.told(id));
        let sent = updates.take();
        assert!(!updates.told(id));
        updates.put_back(sent);
        assert!(!updates.told(id));
        updates.take();
        updates.push(alloc);
        updates.arrived();
        assert!(!updates.told(id), "something newer came up meanwhile");
        updates.take();
        updates.arrived();
        assert!(updates.told(id));
    }
}
