//! The event stream's buffer (server sheet §10): the last batches of events, and who follows them.

use caravan_model::{NodeId, event_type};
use caravan_state::{Applied, Change, State};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many batches a subscriber may lag before it is let go.
const SUBSCRIBER_LAG: usize = 256;
/// How many changed rows are kept for each kept batch, on average: rows of old live on in the buffer, and batches of
/// thousands would make a second state of it.
const ROWS_A_BATCH: usize = 32;

/// Kept batches and their subscribers.
pub(crate) struct Events {
    buffer: Mutex<Buffer>,
    sender: broadcast::Sender<Arc<EventBatch>>,
}

/// The last batches.
#[derive(Default)]
struct Buffer {
    /// How many are kept at most.
    kept: usize,
    batches: VecDeque<Arc<EventBatch>>,
    /// How many rows they hold together.
    rows: usize,
}

impl Buffer {
    /// Takes a batch in and drops the oldest beyond what is kept. The newest one stays, however large.
    fn push(&mut self, batch: Arc<EventBatch>) {
        self.rows += batch.changes.len();
        self.batches.push_back(batch);
        while self.batches.len() > self.kept
            || (self.batches.len() > 1 && self.rows > self.kept * ROWS_A_BATCH)
        {
            let dropped = self.batches.pop_front();
            self.rows -= dropped.map_or(0, |batch| batch.changes.len());
        }
    }
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
            buffer: Mutex::new(Buffer {
                kept,
                ..Buffer::default()
            }),
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
            buffer.push(Arc::clone(&events));
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
            .batches
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

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::Allocation;

    fn kept(sizes: &[usize]) -> Vec<u64> {
        let events = Events::new(3);
        for (at, size) in sizes.iter().enumerate() {
            let row = Change::Alloc {
                alloc: Arc::new(Allocation::default()),
                freed: false,
            };
            let applied = Applied {
                index: at as u64 + 1,
                event_type: event_type::ALLOCATION_UPDATED,
                changes: vec![row; *size],
                restored: false,
            };
            events.observe(&[applied], &State::default());
        }
        let (batches, _) = events.subscribe(0);
        batches.iter().map(|batch| batch.index).collect()
    }

    #[test]
    fn the_last_batches_are_kept_and_large_ones_drive_out_what_is_older() {
        assert_eq!(kept(&[1, 1, 1, 1]), [2, 3, 4]);
        assert_eq!(kept(&[1, 1, 3 * ROWS_A_BATCH]), [3]);
        assert_eq!(kept(&[1, 4 * ROWS_A_BATCH]), [2], "the newest one stays");
        assert_eq!(kept(&[4 * ROWS_A_BATCH, 1]), [2]);
    }
}
