//! When each node last had an allocation forgotten, so that its client learns of it without asking for all.

use caravan_model::NodeId;
use caravan_state::{Applied, Change};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The newest index at which an allocation of a node was forgotten, since this server started.
#[derive(Default)]
pub(crate) struct Forgotten {
    newest: Mutex<BTreeMap<NodeId, u64>>,
}

impl Forgotten {
    /// Takes in what was applied.
    pub(crate) fn observe(&self, batch: &[Applied]) {
        for applied in batch {
            for change in &applied.changes {
                if let Change::AllocRemoved(alloc) = change {
                    let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                    newest.insert(alloc.node_id, applied.index);
                }
            }
        }
    }

    /// When an allocation of this node was last forgotten.
    pub(crate) fn newest(&self, node: NodeId) -> Option<u64> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&node).copied()
    }
}
