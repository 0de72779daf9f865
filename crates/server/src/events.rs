//! The event stream's buffer (server sheet §10): the last batches of events, and who follows them.

use caravan_model::{NodeId, event_type};
use caravan_state::{Applied, Change, State};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many batches a subscriber may lag before it is let go.
const SUBSCRIBER_LAG: usize = 256;

/// Kept batches and their subscribers.
pub(crate) struct Events {
    kept: usize,
    buffer: Mutex<VecDeque<Arc<EventBatch>>>,
    sender: broadcast::Sender<Arc<EventBatch>>,
}

/// The events of one applied command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventBatch {
    pub(crate) index: u64,
    pub(crate) event_type: &'static str,
    pub(crate) changes: Vec<Change>,
}

impl Events {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            kept,
            buffer: Mutex::default(),
            sender: broadcast::Sender::new(SUBSCRIBER_LAG),
        }
    }

    /// Takes in what was applied; commands without an event type make no events. `state` is not older than the batch.
    pub(crate) fn observe(&self, batch: &[Applied], state: &State) {
        for applied in batch
            .iter()
            .filter(|applied| !applied.event_type.is_empty() && !applied.changes.is_empty())
        {
            let events = Arc::new(EventBatch {
                index: applied.index,
                event_type: applied.event_type,
                changes: applied
                    .changes
                    .iter()
                    .cloned()
                    .chain(telling_nodes(applied, state))
                    .collect(),
            });
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.push_back(Arc::clone(&events));
            let surplus = buffer.len().saturating_sub(self.kept);
            buffer.drain(..surplus);
            drop(buffer);
            // Without subscribers there is nobody to tell.
            let _ = self.sender.send(events);
        }
    }

    /// The kept batches from an index on (all that are kept for 0), and everything after them.
    pub(crate) fn subscribe(
        &self,
        from: u64,
    ) -> (Vec<Arc<EventBatch>>, broadcast::Receiver<Arc<EventBatch>>) {
        let buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let kept = buffer
            .iter()
            .filter(|batch| batch.index >= from)
            .cloned()
            .collect();
        (kept, receiver)
    }
}

/// The nodes that told of their allocations: that they did is an event of theirs, though their rows are not written
/// for each.
fn telling_nodes<'a>(applied: &'a Applied, state: &'a State) -> impl Iterator<Item = Change> + 'a {
    let by_clients = applied.event_type == event_type::ALLOCATION_UPDATED;
    let told = |change: &Change| match change {
        Change::Alloc { alloc, .. } if by_clients => Some(alloc.node_id),
        _ => None,
    };
    let nodes: BTreeSet<NodeId> = applied.changes.iter().filter_map(told).collect();
    nodes
        .into_iter()
        .filter_map(|id| state.node(&id).cloned().map(Change::Node))
}
