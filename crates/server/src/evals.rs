//! The leader's evaluations: the broker and the blocked ones behind one lock, and who waits for work.

use caravan_control::Queues;
use caravan_control::broker::TokenError;
use caravan_model::*;
use caravan_state::{Applied, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Evaluations to be scheduled. Empty and off on servers that do not lead.
#[derive(Default)]
pub(crate) struct Evals {
    queues: Mutex<Queues>,
    /// Something may be ready, or a wake-up moved.
    moved: Notify,
}

impl Evals {
    /// The queues. Never hold this across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic while it was held leaves plain collections behind, which stay usable.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to lead, or takes everything up anew: every evaluation that is not terminal, unless an operator has
    /// paused the broker.
    pub(crate) fn establish(&self, state: &State, now: UnixNanos) {
        self.lock().establish(state, now);
        self.moved.notify_waiters();
    }

    /// Stops leading: forgets everything.
    pub(crate) fn revoke(&self) {
        self.lock().revoke();
        self.moved.notify_waiters();
    }

    /// Takes up what a batch of commands changed.
    pub(crate) fn observe(&self, batch: &[Applied], state: &State, now: UnixNanos) {
        self.lock().observe(batch, state, now);
        self.moved.notify_waiters();
    }

    /// Hands out the next evaluation of these types, waiting for one.
    pub(crate) async fn dequeue(
        &self,
        types: &[&str],
        clock: fn() -> UnixNanos,
    ) -> (Arc<Evaluation>, String) {
        let token = uuid::Uuid::new_v4().to_string();
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if let Some(eval) = self.lock().broker.dequeue(types, token.clone(), clock()) {
                return (eval, token);
            }
            moved.await;
        }
    }

    /// An evaluation is done; `reblock` is the same one when it goes on waiting for room. `state` is what it left
    /// behind.
    pub(crate) fn ack(
        &self,
        id: EvalId,
        token: &str,
        reblock: Option<Evaluation>,
        state: &State,
        now: UnixNanos,
    ) -> Result<(), TokenError> {
        let result = self.lock().ack(id, token, reblock, state, now);
        self.moved.notify_waiters();
        result
    }

    pub(crate) fn nack(&self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        let result = self.lock().broker.nack(id, token, now);
        self.moved.notify_waiters();
        result
    }

    /// Makes ready what has waited long enough. Returns when to be asked again.
    pub(crate) fn tick(&self, state: &State, now: UnixNanos) -> Option<UnixNanos> {
        let wake = self.lock().tick(state, now);
        self.moved.notify_waiters();
        wake
    }

    /// Resolves when the queues may have moved.
    pub(crate) fn moved(&self) -> tokio::sync::futures::Notified<'_> {
        self.moved.notified()
    }
}
