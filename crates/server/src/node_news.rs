//! When servers last changed or forgot an allocation of each node, so that its client learns of it, and what clients
//! themselves say of thousands of allocations has nobody look at them all.

use caravan_model::NodeId;
use caravan_state::{Applied, Change};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The newest index at which there was news for a node, since this server started.
pub(crate) struct NodeNews {
    newest: Mutex<BTreeMap<NodeId, u64>>,
    /// What happened up to here is not known.
    since: AtomicU64,
}

impl NodeNews {
    /// Observes everything after this index.
    pub(crate) fn since(index: u64) -> Self {
        Self {
            newest: Mutex::default(),
            since: AtomicU64::new(index),
        }
    }

    /// What happened up to this index was not observed: another state took the place of what was there.
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
                let alloc = match change {
                    Change::Alloc { alloc, .. } if alloc.alloc_modify_index == applied.index => {
                        alloc
                    }
                    Change::AllocRemoved(alloc) => alloc,
                    _ => continue,
                };
                let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                newest.insert(alloc.node_id, applied.index);
            }
        }
    }

    /// The index of the newest news for this node, as far as it may not have been told: what went on before this
    /// server started may be news, too.
    pub(crate) fn newest(&self, node: NodeId) -> u64 {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.since.load(Ordering::Relaxed);
        newest.get(&node).copied().unwrap_or(0).max(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::Allocation;
    use std::sync::Arc;

    const NODE: NodeId = NodeId::from_u128(1);

    fn applied(index: u64, changes: Vec<Change>) -> Applied {
        Applied {
            index,
            changes,
            ..Applied::default()
        }
    }

    #[test]
    fn every_node_is_told_after_a_restore() {
        let news = NodeNews::since(3);
        let restored = Applied {
            restored: true,
            ..applied(9, Vec::new())
        };
        news.observe(&[restored]);
        assert_eq!(news.newest(NODE), 9);
    }

    #[test]
    fn what_servers_change_and_forget_is_news_and_what_the_client_said_is_not() {
        let news = NodeNews::since(3);
        let alloc = Arc::new(Allocation {
            node_id: NODE,
            alloc_modify_index: 5,
            ..Allocation::default()
        });
        let written = || Change::Alloc {
            alloc: Arc::clone(&alloc),
            freed: false,
        };
        news.observe(&[applied(5, vec![written()])]);
        assert_eq!(news.newest(NODE), 5);
        news.observe(&[applied(6, vec![written()])]);
        assert_eq!(news.newest(NODE), 5, "the client's own word");
        news.observe(&[applied(7, vec![Change::AllocRemoved(alloc)])]);
        assert_eq!(news.newest(NODE), 7);
        assert_eq!(news.newest(NodeId::from_u128(2)), 3);
    }
}
