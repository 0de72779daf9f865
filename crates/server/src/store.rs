//! The published state: the newest applied snapshot, and who waits for it to move.

use crate::node_news::NodeNews;
use arc_swap::ArcSwap;
use caravan_state::{Applied, Change, State, Table};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// How many applied commands a slow listener may lag before it must read the state anew.
const CHANGES_KEPT: usize = 4096;

/// What was applied, shared with everyone who listens.
pub(crate) type AppliedBatch = Arc<Vec<Applied>>;

/// The newest state that this server has applied. Cloning the handle shares it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    state: ArcSwap<State>,
    index: watch::Sender<u64>,
    changes: broadcast::Sender<AppliedBatch>,
    node_news: NodeNews,
}

impl Store {
    /// A store that publishes this state first.
    #[must_use]
    pub fn new(state: State) -> Self {
        let index = watch::Sender::new(state.index());
        let node_news = NodeNews::since(state.index());
        Self {
            inner: Arc::new(Inner {
                state: ArcSwap::from_pointee(state),
                index,
                changes: broadcast::Sender::new(CHANGES_KEPT),
                node_news,
            }),
        }
    }

    /// The newest state; it does not move while it is held. Whoever waits for something lets go of it first: rows that
    /// have changed meanwhile would be kept twice.
    #[must_use]
    pub fn snapshot(&self) -> Arc<State> {
        self.inner.state.load_full()
    }

    /// Publishes a state and tells what made it.
    pub(crate) fn publish(&self, state: State, applied: Vec<Applied>) {
        let index = state.index();
        // Before the index moves, else who waits for that would look too early, and wait for the next.
        self.inner.node_news.observe(&applied);
        self.inner.state.store(Arc::new(state));
        if !applied.is_empty() {
            // Nobody listening is fine: listeners read the state when they begin.
            let _ = self.inner.changes.send(Arc::new(applied));
        }
        self.inner.index.send_replace(index);
    }

    /// Publishes a state that a snapshot gave, of which nobody knows how it came about.
    pub(crate) fn replace(&self, state: State) {
        self.inner.node_news.begin(state.index());
        self.publish(state, Vec::new());
    }

    /// What is news for nodes; it may know of more than the newest state does.
    pub(crate) fn node_news(&self) -> &NodeNews {
        &self.inner.node_news
    }

    /// Everything that is applied from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<AppliedBatch> {
        self.inner.changes.subscribe()
    }

    /// The applied index, as it moves.
    #[must_use]
    pub fn index(&self) -> watch::Receiver<u64> {
        self.inner.index.subscribe()
    }

    /// The first state at this index or later.
    pub async fn at_least(&self, index: u64) -> Arc<State> {
        let mut moved = self.index();
        // The sender lives as long as this store does, so waiting can only end well.
        let _ = moved.wait_for(|applied| *applied >= index).await;
        self.snapshot()
    }

    /// Resolves when one of these tables was written after `at`.
    pub async fn tables_moved(&self, tables: &[Table], at: u64) {
        let mut moved = self.index();
        loop {
            if self.snapshot().index_of_any(tables) > at {
                return;
            }
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Whether a batch changed any row for which `wanted` holds.
pub(crate) fn any_change(batch: &[Applied], wanted: impl Fn(&Change) -> bool) -> bool {
    batch
        .iter()
        .flat_map(|applied| &applied.changes)
        .any(wanted)
}
