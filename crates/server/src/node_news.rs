//! When servers last changed or forgot an allocation of each node, so that its client learns of it, and what clients
//! themselves say of thousands of allocations has nobody look at them all.

use caravan_model::NodeId;
use caravan_state::{Applied, Change};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The newest index at which there was news for a node, since this server started.
pub(crate) struct NodeNews {
    of_node: Mutex<BTreeMap<NodeId, News>>,
    /// What happened up to here is not known.
    since: AtomicU64,
}

/// What there was for one node, and who waits for more.
#[derive(Default)]
struct News {
    newest: u64,
    waiting: Arc<Notify>,
}

/// Who is to be told, once the state that has the news can be read.
#[must_use = "who waits for news would wait for the next"]
pub(crate) struct Waiting(Vec<Arc<Notify>>);

impl Waiting {
    /// Wakes them.
    pub(crate) fn tell(self) {
        for node in self.0 {
            node.notify_waiters();
        }
    }
}

impl NodeNews {
    /// Observes everything after this index.
    pub(crate) fn since(index: u64) -> Self {
        Self {
            of_node: Mutex::default(),
            since: AtomicU64::new(index),
        }
    }

    fn of_node(&self) -> MutexGuard<'_, BTreeMap<NodeId, News>> {
        self.of_node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened up to this index was not observed: another state took the place of what was there, which is news
    /// for every node.
    pub(crate) fn begin(&self, index: u64) -> Waiting {
        self.since.store(index, Ordering::Relaxed);
        let of_node = self.of_node();
        Waiting(
            of_node
                .values()
                .map(|news| Arc::clone(&news.waiting))
                .collect(),
        )
    }

    /// Takes in what was applied.
    pub(crate) fn observe(&self, batch: &[Applied]) -> Waiting {
        let mut waiting = Vec::new();
        for applied in batch {
            if applied.restored {
                waiting.extend(self.begin(applied.index).0);
            }
            for change in &applied.changes {
                let alloc = match change {
                    Change::Alloc { alloc, .. } if alloc.alloc_modify_index == applied.index => {
                        alloc
                    }
                    Change::AllocRemoved(alloc) => alloc,
                    _ => continue,
                };
                let mut of_node = self.of_node();
                let news = of_node.entry(alloc.node_id).or_default();
                // A plan has many for the same node.
                if news.newest < applied.index {
                    news.newest = applied.index;
                    waiting.push(Arc::clone(&news.waiting));
                }
            }
        }
        Waiting(waiting)
    }

    /// The index of the newest news for this node, as far as it may not have been told: what went on before this
    /// server started may be news, too.
    pub(crate) fn newest(&self, node: NodeId) -> u64 {
        let newest = self.of_node().get(&node).map_or(0, |news| news.newest);
        newest.max(self.since.load(Ordering::Relaxed))
    }

    /// Wakes its waiters when there is news for this node.
    pub(crate) fn of(&self, node: NodeId) -> Arc<Notify> {
        Arc::clone(&self.of_node().entry(node).or_default().waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::Allocation;
    use futures::FutureExt as _;
    use std::pin::pin;

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
        news.observe(&[restored]).tell();
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
        news.observe(&[applied(5, vec![written()])]).tell();
        assert_eq!(news.newest(NODE), 5);
        news.observe(&[applied(6, vec![written()])]).tell();
        assert_eq!(news.newest(NODE), 5, "the client's own word");
        news.observe(&[applied(7, vec![Change::AllocRemoved(alloc)])])
            .tell();
        assert_eq!(news.newest(NODE), 7);
        assert_eq!(news.newest(NodeId::from_u128(2)), 3);
    }

    #[tokio::test]
    async fn only_nodes_that_have_news_are_told() {
        let news = NodeNews::since(3);
        let (mine, other) = (news.of(NODE), news.of(NodeId::from_u128(2)));
        let (mut mine, mut other) = (pin!(mine.notified()), pin!(other.notified()));
        mine.as_mut().enable();
        other.as_mut().enable();
        let alloc = Arc::new(Allocation {
            node_id: NODE,
            ..Allocation::default()
        });
        let waiting = news.observe(&[applied(4, vec![Change::AllocRemoved(alloc)])]);
        assert!(
            mine.as_mut().now_or_never().is_none(),
            "the state cannot be read yet"
        );
        waiting.tell();
        assert!(mine.now_or_never().is_some());
        assert!(other.as_mut().now_or_never().is_none());
        news.begin(9).tell();
        assert!(other.now_or_never().is_some());
    }
}
