//! What a catalogue is still to be told, the last word on each instance.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use caravan_model::NamespaceName;
use tokio::sync::Notify;

/// Namespace and id of an instance.
pub(crate) type Key = (NamespaceName, String);
pub(super) type Batch<E> = BTreeMap<Key, E>;

/// What is still to be told.
pub(crate) struct Outbox<E> {
    waiting: Mutex<Batch<E>>,
    pub(super) some: Notify,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(BTreeMap::new()),
            some: Notify::new(),
        }
    }
}

impl<E> Outbox<E> {
    pub(super) fn put(&self, key: Key, entry: E) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, entry);
        self.some.notify_one();
    }

    /// Puts what could not be told back, unless there is something newer.
    pub(super) fn put_back(&self, batch: Batch<E>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, entry) in batch {
            waiting.entry(key).or_insert(entry);
        }
    }

    pub(super) fn take(&self) -> Batch<E> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
