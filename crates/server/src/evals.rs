//! The leader's evaluations: the broker and the blocked ones behind one lock, and who waits for work.

use caravan_control::blocked::{Blocked, Capacity};
use caravan_control::broker::{Broker, TokenError};
use caravan_model::*;
use caravan_state::{Applied, Change, JobKey, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Evaluations to be scheduled. Empty and off on servers that do not lead.
#[derive(Default)]
pub(crate) struct Evals {
    queues: Mutex<Queues>,
    /// Something may be ready, or a wake-up moved.
    moved: Notify,
}

/// What the lock holds.
#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) broker: Broker,
    pub(crate) blocked: Blocked,
}

impl Evals {
    /// The queues. Never hold this across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic while it was held leaves plain collections behind, which stay usable.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to lead: every evaluation that is not terminal is taken up from the state.
    pub(crate) fn establish(&self, state: &State, now: UnixNanos) {
        let mut queues = self.lock();
        queues.broker.set_enabled(true);
        queues.blocked.set_enabled(true);
        for eval in state.evals().filter(|eval| !eval.is_terminal()) {
            queues.take_up(eval, now);
        }
        drop(queues);
        self.moved.notify_waiters();
    }

    /// Stops leading: forgets everything.
    pub(crate) fn revoke(&self) {
        let mut queues = self.lock();
        queues.broker.set_enabled(false);
        queues.blocked.set_enabled(false);
        drop(queues);
        self.moved.notify_waiters();
    }

    /// Takes up what a batch of commands changed.
    pub(crate) fn observe(&self, batch: &[Applied], state: &State, now: UnixNanos) {
        let mut queues = self.lock();
        for applied in batch {
            for change in &applied.changes {
                queues.observe(change, applied.index, state, now);
            }
        }
        drop(queues);
        self.moved.notify_waiters();
    }

    /// Hands out the next evaluation of these types, waiting for one.
    pub(crate) async fn dequeue(&self, types: &[&str], clock: fn() -> UnixNanos) -> (Arc<Evaluation>, String) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let token = uuid::Uuid::new_v4().to_string();
            if let Some(eval) = self.lock().broker.dequeue(types, token.clone(), clock()) {
                return (eval, token);
            }
            moved.await;
        }
    }

    pub(crate) fn ack(&self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        let result = self.lock().broker.ack(id, token, now);
        self.moved.notify_waiters();
        result
    }

    pub(crate) fn nack(&self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        let result = self.lock().broker.nack(id, token, now);
        self.moved.notify_waiters();
        result
    }

    /// Makes ready what has waited long enough. Returns when to be asked again.
    pub(crate) fn tick(&self, now: UnixNanos) -> Option<UnixNanos> {
        let wake = self.lock().broker.tick(now);
        self.moved.notify_waiters();
        wake
    }

    /// Resolves when the queues may have moved.
    pub(crate) fn moved(&self) -> tokio::sync::futures::Notified<'_> {
        self.moved.notified()
    }
}

impl Queues {
    fn take_up(&mut self, eval: &Arc<Evaluation>, now: UnixNanos) {
        let woken = match eval.status {
            EvalStatus::Pending => Some(Arc::clone(eval)),
            EvalStatus::Blocked => self.blocked.block(Arc::clone(eval)),
            EvalStatus::Complete if eval.failed_tg_allocs.is_empty() => {
                self.blocked.untrack(&JobKey::new(eval.namespace.clone(), eval.job_id.clone()));
                None
            }
            _ => None,
        };
        if let Some(eval) = woken {
            self.broker.enqueue(eval, None, now);
        }
    }

    fn observe(&mut self, change: &Change, index: u64, state: &State, now: UnixNanos) {
        match change {
            Change::Eval(eval) => self.take_up(eval, now),
            Change::EvalRemoved(eval) => {
                self.broker.drop_waiting(eval.id);
            }
            Change::JobRemoved(job) => {
                self.blocked.untrack(&JobKey::new(job.namespace.clone(), job.id.clone()));
            }
            Change::Node(node) if node.is_ready() => self.capacity_on(node, index, now),
            Change::Alloc { alloc, freed: true } => {
                if let Some(node) = state.node(&alloc.node_id) {
                    let node = Arc::clone(node);
                    self.capacity_on(&node, index, now);
                }
            }
            Change::HostVolume(volume) => {
                if let Some(node) = state.node(&volume.node_id) {
                    let node = Arc::clone(node);
                    self.capacity_on(&node, index, now);
                }
            }
            _ => {}
        }
    }

    fn capacity_on(&mut self, node: &Node, index: u64, now: UnixNanos) {
        let capacity = Capacity::Class { class: node.computed_class.clone(), node: node.id };
        for eval in self.blocked.unblock(&capacity, index, now) {
            self.broker.enqueue(eval, None, now);
        }
    }
}
