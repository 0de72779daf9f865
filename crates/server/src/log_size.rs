//! How large the log has grown since the state was last saved, so that it is shortened by its size, not only by its
//! length: plans of thousands of allocations are large entries, and in memory nothing else bounds them.

use crate::fsm::Fsm;
use caravan_consensus::Consensus;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// The log may always grow by this many bytes.
const ALLOWANCE: usize = 64 << 20;

/// Bytes of log entries since the last snapshot.
#[derive(Default)]
pub(crate) struct LogSize {
    bytes: AtomicUsize,
    /// How large the last snapshot was: saving often what is large would cost more than it spares.
    snapshot: AtomicUsize,
    grown: Notify,
}

impl LogSize {
    /// Entries of so many bytes were applied.
    pub(crate) fn add(&self, bytes: usize) {
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > ALLOWANCE.max(self.snapshot.load(Ordering::Relaxed)) {
            self.grown.notify_one();
        }
    }

    /// The state is being saved.
    pub(crate) fn begin_anew(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// The state was saved in so many bytes.
    pub(crate) fn saved(&self, bytes: usize) {
        self.snapshot.store(bytes, Ordering::Relaxed);
    }
}

/// Has the state saved whenever the log has grown too large. Runs until dropped.
pub(crate) async fn bound(size: Arc<LogSize>, consensus: Consensus<Fsm>) {
    loop {
        size.grown.notified().await;
        size.begin_anew();
        if let Err(error) = consensus.trigger_snapshot().await {
            tracing::warn!(%error, "the log could not be shortened");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_that_has_outgrown_its_snapshot_is_to_be_shortened() {
        let size = LogSize::default();
        let grown = |size: &LogSize| {
            let mut waiting = Box::pin(size.grown.notified());
            futures::FutureExt::now_or_never(&mut waiting).is_some()
        };
        size.add(ALLOWANCE);
        assert!(!grown(&size));
        size.add(1);
        assert!(grown(&size));
        size.begin_anew();
        size.saved(2 * ALLOWANCE);
        size.add(ALLOWANCE + 1);
        assert!(!grown(&size), "the snapshot is larger");
        size.add(ALLOWANCE);
        assert!(grown(&size));
    }
}
