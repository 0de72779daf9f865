//! How long the locks of variables still hold: kept by the leader, moved by renewals (server sheet §11).

use crate::clock;
use crate::server::Shared;
use caravan_model::*;
use caravan_state::{Command, EncryptedVariable, ScopedKey, State, Table, VariableOp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A lock is given up after this many times its time to live without a renewal.
const GRACE: i64 = 2;

/// When each held lock is given up.
#[derive(Default)]
pub(crate) struct Locks {
    /// By the steady clock: nobody loses a lock because a clock was set.
    deadlines: Mutex<BTreeMap<(ScopedKey, String), UnixNanos>>,
    moved: Notify,
}

impl Locks {
    /// How many locks' time runs.
    pub(crate) fn active(&self) -> usize {
        self.deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Begins a lock's time anew.
    pub(crate) fn renew(&self, key: ScopedKey, lock: &VariableLock, now: UnixNanos) {
        let until = UnixNanos(now.0.saturating_add(lock.ttl.0.saturating_mul(GRACE)));
        let mut deadlines = self
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        deadlines.insert((key, lock.id.clone()), until);
        drop(deadlines);
        self.moved.notify_one();
    }

    /// The locks that are over, and when the next one is.
    fn due(
        &self,
        state: &State,
        now: UnixNanos,
    ) -> (Vec<Arc<EncryptedVariable>>, Option<UnixNanos>) {
        let mut deadlines = self
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut held = BTreeMap::new();
        let mut over = Vec::new();
        for variable in state.variables() {
            let Some(lock) = &variable.metadata.lock else {
                continue;
            };
            let key = ScopedKey::new(
                variable.metadata.namespace.clone(),
                variable.metadata.path.clone(),
            );
            let name = (key, lock.id.clone());
            let fresh = UnixNanos(now.0.saturating_add(lock.ttl.0.saturating_mul(GRACE)));
            let until = deadlines.get(&name).copied().unwrap_or(fresh);
            let released = UnixNanos(until.0.saturating_add(lock.lock_delay.0));
            if released <= now {
                over.push(Arc::clone(variable));
            }
            held.insert(name, until);
        }
        let next = held.values().min().copied();
        *deadlines = held;
        (over, next)
    }

    fn forget_all(&self) {
        self.deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Gives up locks that nobody renews: the leader's duty. Every held lock has its full time after an election.
pub(crate) async fn expire(shared: Arc<Shared>) {
    shared.locks.forget_all();
    loop {
        let state = shared.store.snapshot();
        let (over, next) = shared.locks.due(&state, clock::steady());
        let looked_at = state.index_of(Table::Variables);
        drop(state);
        for variable in over {
            let variable = Box::new(EncryptedVariable {
                metadata: variable.metadata.clone(),
                ..EncryptedVariable::default()
            });
            let path = variable.metadata.path.clone();
            let command = Command::ApplyVariable {
                operation: VariableOp::LockRelease,
                variable,
                now: clock::now(),
            };
            if let Err(error) = shared.proposer.propose(&command).await {
                tracing::warn!(path, %error, "an expired lock could not be released");
            }
        }
        // Deadlines do not know the delay that follows them, so a second is waited at least.
        let pause = clock::pause_until_steady(next).max(std::time::Duration::from_secs(1));
        tokio::select! {
            () = shared.locks.moved.notified() => {}
            () = shared.store.tables_moved(&[Table::Variables], looked_at) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
