//! What is undone of allocations that ended. Who takes their directories away, or ends the agent, waits for it a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caravan_model::AllocId;
use tokio::task::JoinHandle;

/// What takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is under way.
#[derive(Default)]
pub(crate) struct TearDowns(Mutex<BTreeMap<AllocId, JoinHandle<()>>>);

impl TearDowns {
    pub(crate) fn begin(&self, id: AllocId, work: JoinHandle<()>) {
        let mut all = self.lock();
        all.retain(|_, work| !work.is_finished());
        all.insert(id, work);
    }

    /// Waits for that of one allocation.
    pub(crate) async fn done(&self, id: AllocId) {
        let work = self.lock().remove(&id);
        if let Some(work) = work {
            let _ = tokio::time::timeout(PATIENCE, work).await;
        }
    }

    /// Waits for those of all.
    pub(crate) async fn all_done(&self) {
        let all = std::mem::take(&mut *self.lock());
        let _ = tokio::time::timeout(PATIENCE, futures::future::join_all(all.into_values())).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AllocId, JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
