//! The published state: the newest applied snapshot, and who waits for it to move.

use crate::node_news::{NodeNews, Waiting};
use arc_swap::ArcSwap;
use caravan_state::{Applied, State, Table};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
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
    /// The index of each table, in the order of [`Table::ALL`].
    tables: Vec<watch::Sender<u64>>,
    changes: broadcast::Sender<AppliedBatch>,
    node_news: NodeNews,
}

impl Store {
    /// A store that publishes this state first.
    #[must_use]
    pub fn new(state: State) -> Self {
        let index = watch::Sender::new(state.index());
        let of_table = |table: &Table| watch::Sender::new(state.index_of(*table));
        let tables = Table::ALL.iter().map(of_table).collect();
        let node_news = NodeNews::since(state.index());
        Self {
            inner: Arc::new(Inner {
                state: ArcSwap::from_pointee(state),
                index,
                tables,
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
        let waiting = self.inner.node_news.observe(&applied);
        self.put(state, waiting);
        if !applied.is_empty() {
            // Nobody listening is fine: listeners read the state when they begin.
            let _ = self.inner.changes.send(Arc::new(applied));
        }
    }

    /// Publishes a state that a snapshot gave, of which nobody knows how it came about.
    pub(crate) fn replace(&self, state: State) {
        let waiting = self.inner.node_news.begin(state.index());
        self.put(state, waiting);
    }

    /// Makes a state the newest one, and wakes only those for whom it may have something: there is one waiting for each
    /// node and each blocking query.
    fn put(&self, state: State, waiting: Waiting) {
        let state = Arc::new(state);
        self.inner.state.store(Arc::clone(&state));
        waiting.tell();
        for (table, seen) in Table::ALL.iter().zip(&self.inner.tables) {
            let index = state.index_of(*table);
            seen.send_if_modified(|seen| std::mem::replace(seen, index) != index);
        }
        self.inner.index.send_replace(state.index());
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
        let written = |table: &Table| {
            let mut seen = self.inner.tables[*table as usize].subscribe();
            // The sender lives as long as this store does.
            async move { seen.wait_for(|index| *index > at).await.is_ok() }
        };
        let mut written: FuturesUnordered<_> = tables.iter().map(written).collect();
        if written.next().await.is_none() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::*;
    use caravan_state::Command;
    use futures::FutureExt as _;
    use std::pin::pin;

    #[tokio::test]
    async fn a_change_wakes_those_who_wait_for_its_tables_only() {
        let store = Store::new(State::default());
        let mut evals = pin!(store.tables_moved(&[Table::Nodes, Table::Evaluations], 0));
        let mut jobs = pin!(store.tables_moved(&[Table::Jobs], 0));
        assert!(evals.as_mut().now_or_never().is_none());
        assert!(jobs.as_mut().now_or_never().is_none());
        let mut state = State::default();
        let command = Command::UpsertEvals {
            evals: vec![Evaluation {
                id: EvalId::from_u128(1),
                ..Evaluation::default()
            }],
            now: UnixNanos(1),
        };
        let applied = state.apply(1, command).unwrap();
        store.publish(state, vec![applied]);
        assert!(evals.now_or_never().is_some());
        assert!(jobs.now_or_never().is_none());
        assert!(
            store
                .tables_moved(&[Table::Evaluations], 0)
                .now_or_never()
                .is_some()
        );
        assert!(
            store
                .tables_moved(&[Table::Evaluations], 1)
                .now_or_never()
                .is_none()
        );
    }
}
