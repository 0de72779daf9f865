//! What the servers are still to be told of allocations: the newest of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use caravan_model::{AllocId, Allocation};
use tokio::sync::Notify;

/// No more than this in one message, so that a server is not asked to swallow a node at once.
const MOST: usize = 2048;

/// What is still to be told; the newest of each allocation.
#[derive(Default)]
pub(crate) struct Untold {
    untold: Mutex<Inner>,
    pub(crate) some: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: BTreeMap<AllocId, Allocation>,
    /// On their way: nobody knows yet whether they arrived.
    sending: BTreeSet<AllocId>,
}

impl Untold {
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

    pub(crate) fn take(&self) -> Vec<Allocation> {
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

    pub(crate) fn arrived(&self) {
        self.lock().sending.clear();
    }

    /// Puts what could not be told back, unless there is something newer.
    pub(crate) fn put_back(&self, allocs: Vec<Allocation>) {
        let untold = &mut *self.lock();
        untold.sending.clear();
        for alloc in allocs {
            untold.waiting.entry(alloc.id).or_insert(alloc);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_not_told_yet() {
        let updates = Untold::default();
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
