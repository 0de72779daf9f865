//! When each node last had an allocation forgotten, so that its client learns of it without asking for all.

use caravan_model::NodeId;
use caravan_state::{Applied, Change};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The newest index at which an allocation of a node was forgotten, since this server started.
pub(crate) struct Forgotten {
    newest: Mutex<BTreeMap<NodeId, u64>>,
    /// What was forgotten up to here is not known.
    since: AtomicU64,
}

impl Forgotten {
    /// Observes everything after this index.
    pub(crate) fn since(index: u64) -> Self {
        Self {
            newest: Mutex::default(),
            since: AtomicU64::new(index),
        }
    }

    /// What was forgotten up to this index was not observed: another state took the place of what was there.
    pub(crate) fn begin(&self, index: u64) {
        self.since.store(index, Ordering::Relaxed);
    }

    /// Takes in what was applied.
    pub(crate) fn observe(&self, batch: &[Applied]) {
        for applied in batch {
            if applied.restored {
                self.begin(applied.index);
            }
            for change in &applied.changes {
                if let Change::AllocRemoved(alloc) = change {
                    let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                    newest.insert(alloc.node_id, applied.index);
                }
            }
        }
    }

    /// When an allocation of this node was last forgotten, as far as it may not have been told: what went on before
    /// this server started may be news, too.
    pub(crate) fn newest(&self, node: NodeId) -> Option<u64> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.since.load(Ordering::Relaxed);
        Some(newest.get(&node).copied().unwrap_or(0).max(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_told_after_a_restore() {
        let forgotten = Forgotten::since(3);
        let restored = Applied {
            index: 9,
            restored: true,
            ..Applied::default()
        };
        forgotten.observe(&[restored]);
        assert_eq!(forgotten.newest(NodeId::from_u128(1)), Some(9));
    }
}
