//! The broker and the blocked evaluations as one: what is applied to the state moves evaluations between them.
//!
//! Every evaluation that is not terminal is in exactly one of them, or a duplicate about to be canceled.

use crate::blocked::{Blocked, least_asked, only_node, seen};
use crate::broker::{Broker, TokenError};
use crate::follow_up::key_of_eval;
use caravan_model::*;
use caravan_state::{Applied, Change, JobKey, State, Table};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// A leader's evaluations. Empty and off until [`Queues::establish`].
#[derive(Debug, Default)]
pub struct Queues {
    /// Those that are or will be ready.
    pub broker: Broker,
    /// Those that wait for room.
    pub blocked: Blocked,
}

fn is_paused(state: &State) -> bool {
    state
        .scheduler_config()
        .is_some_and(|config| config.pause_eval_broker)
}

/// Whether an allocation of the job may have gone since an evaluation looked: it was not yet waiting then, so nobody
/// told it. One that changed otherwise after its end counts as well; the evaluation then looks once in vain.
fn left_unseen(state: &State, job: &JobKey, eval: &Evaluation) -> bool {
    let mut allocs = state.allocs_of_job(job);
    allocs.any(|alloc| alloc.client_terminal() && alloc.modify_index > seen(eval))
}

/// Whether the rules by which all are judged have changed since an evaluation looked.
fn rules_unseen(state: &State, eval: &Evaluation) -> bool {
    let config = state.scheduler_config();
    config.is_some_and(|config| config.modify_index > seen(eval))
}

/// Whether a job that keeps to its volumes may have been freed from one since an evaluation looked.
fn claims_unseen(state: &State, job: &JobKey, eval: &Evaluation) -> bool {
    let groups = state.job(job).into_iter().flat_map(|job| &job.task_groups);
    let mut volumes = groups.flat_map(|group| group.volumes.values());
    volumes.any(|volume| volume.sticky) && state.index_of(Table::VolumeClaims) > seen(eval)
}

/// Whether the only node that an evaluation waits for is gone: no room will ever come free there.
fn node_is_gone(state: &State, eval: &Evaluation) -> bool {
    let only = only_node(eval);
    !only.is_nil() && state.node(&only).is_none()
}

impl Queues {
    /// Begins to lead, or takes everything up anew: every evaluation that is not terminal, unless an operator has
    /// paused the broker.
    pub fn establish(&mut self, state: &State, now: UnixNanos) {
        if is_paused(state) {
            self.set_enabled(false);
        } else {
            self.set_enabled(true);
            self.take_up_all(state, now);
        }
    }

    /// Whether an open evaluation waits for room, or is about to be canceled for another one of its job.
    #[must_use]
    pub fn waits(&self, eval: &Evaluation) -> bool {
        self.blocked.knows(eval.id) || self.broker.is_cancelable(eval.id)
    }

    /// Whether there are evaluations to be canceled.
    #[must_use]
    pub fn has_superfluous(&self) -> bool {
        self.broker.has_cancelable() || self.blocked.has_duplicates()
    }

    /// Stops leading: forgets everything.
    pub fn revoke(&mut self) {
        self.set_enabled(false);
    }

    /// Takes up what a batch of commands changed. `state` is not older than the batch.
    pub fn observe(&mut self, batch: &[Applied], state: &State, now: UnixNanos) {
        for applied in batch {
            for change in &applied.changes {
                self.observe_one(change, applied.index, state, now);
            }
        }
        self.wake(state, now);
    }

    /// An evaluation is done; `reblock` is the same one when it goes on waiting for room. `state` is not older than
    /// what it left behind.
    ///
    /// # Errors
    /// Nobody or somebody else holds the evaluation; nothing is changed then.
    pub fn ack(
        &mut self,
        id: EvalId,
        token: &str,
        reblock: Option<Evaluation>,
        state: &State,
        now: UnixNanos,
    ) -> Result<(), TokenError> {
        self.broker.ack(id, token, now)?;
        self.blocked.done(id);
        // Only now, for the broker takes nothing in that it still has out.
        if let Some(eval) = reblock {
            self.block(&Arc::new(eval), state, now);
        }
        self.wake(state, now);
        Ok(())
    }

    /// Makes ready what has waited long enough. Returns when to be asked again.
    pub fn tick(&mut self, state: &State, now: UnixNanos) -> Option<UnixNanos> {
        self.wake(state, now);
        let blocked = self.blocked.tick(now);
        self.broker.tick(now).into_iter().chain(blocked).min()
    }

    /// When [`Queues::tick`] has something to do at the earliest, if it is called once a minute besides: nobody holds an
    /// evaluation for less.
    #[must_use]
    pub fn due(&self, now: UnixNanos) -> Option<UnixNanos> {
        let trial = self.blocked.trial_end(now);
        self.broker.next_delayed().into_iter().chain(trial).min()
    }

    fn set_enabled(&mut self, enabled: bool) {
        self.broker.set_enabled(enabled);
        self.blocked.set_enabled(enabled);
    }

    /// Takes up everything that is open, and offers whatever came free since the blocked ones were judged.
    fn take_up_all(&mut self, state: &State, now: UnixNanos) {
        for eval in state.evals().filter(|eval| !eval.is_terminal()) {
            self.take_up(eval, state, now);
        }
        let Some(oldest) = self.blocked.oldest_seen() else {
            return;
        };
        // Nothing tells any more which nodes a job that was purged has left.
        let purged = state.index_of(Table::Jobs);
        for node in state.nodes() {
            let allocs = state
                .allocs_of_node(&node.id)
                .map(|alloc| alloc.modify_index);
            let newest = allocs.max().unwrap_or(0).max(node.modify_index).max(purged);
            if newest > oldest {
                self.blocked.freed(node.id, newest, now);
            }
        }
        self.wake(state, now);
    }

    fn take_up(&mut self, eval: &Arc<Evaluation>, state: &State, now: UnixNanos) {
        match eval.status {
            EvalStatus::Pending => self.broker.enqueue(Arc::clone(eval), None, now),
            // Whoever holds it says at the end whether it goes on waiting.
            EvalStatus::Blocked if self.broker.knows(eval.id) => {}
            EvalStatus::Blocked => self.block(eval, state, now),
            EvalStatus::Complete | EvalStatus::Failed | EvalStatus::Canceled => {
                let placed_all = eval.failed_tg_allocs.is_empty();
                if eval.status == EvalStatus::Complete && placed_all {
                    self.blocked.untrack(&key_of_eval(eval));
                }
                // One that waits for its time has nothing left to do then.
                self.broker.drop_waiting(eval.id);
                self.blocked.forget(eval.id);
            }
        }
    }

    fn block(&mut self, eval: &Arc<Evaluation>, state: &State, now: UnixNanos) {
        self.blocked
            .block(Arc::clone(eval), least_asked(state, eval));
        let job = key_of_eval(eval);
        let missed = left_unseen(state, &job, eval)
            || rules_unseen(state, eval)
            || claims_unseen(state, &job, eval);
        if missed {
            self.look_again(&job, now);
        } else if node_is_gone(state, eval) {
            self.look_elsewhere(only_node(eval), now);
        }
    }

    /// What forbade this job's allocations may be gone: who waits of the job goes to the broker.
    fn look_again(&mut self, job: &JobKey, now: UnixNanos) {
        for eval in self.blocked.unblock_job(job) {
            self.broker.enqueue(eval, None, now);
        }
    }

    /// A node is gone: who waits for room there goes to the broker, for nothing else would wake them.
    fn look_elsewhere(&mut self, gone: NodeId, now: UnixNanos) {
        for eval in self.blocked.unblock_node(gone) {
            self.broker.enqueue(eval, None, now);
        }
    }

    /// Whoever may be served by what is free now goes to the broker.
    fn wake(&mut self, state: &State, now: UnixNanos) {
        for eval in self.blocked.wake(state, now) {
            self.broker.enqueue(eval, None, now);
        }
    }

    fn observe_one(&mut self, change: &Change, index: u64, state: &State, now: UnixNanos) {
        match change {
            // As it is by now: what was heard late may be over.
            Change::Eval(eval) => {
                if let Some(eval) = state.eval(&eval.id) {
                    self.take_up(eval, state, now);
                }
            }
            Change::EvalRemoved(eval) => {
                self.broker.drop_waiting(eval.id);
                self.blocked.forget(eval.id);
            }
            Change::JobRemoved(job) => {
                self.blocked
                    .untrack(&JobKey::new(job.namespace.clone(), job.id.clone()));
            }
            Change::Node(node) if node.is_ready() => self.blocked.freed(node.id, index, now),
            Change::NodeRemoved(node) => self.look_elsewhere(node.id, now),
            Change::HostVolume(volume) => self.blocked.freed(volume.node_id, index, now),
            Change::Alloc { alloc, freed: true } => {
                self.blocked.freed(alloc.node_id, index, now);
                let job = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
                self.look_again(&job, now);
            }
            // Its job was purged: nobody waits for what still runs of it.
            Change::AllocRemoved(alloc) if !alloc.client_terminal() => {
                self.blocked.freed(alloc.node_id, index, now);
            }
            Change::VolumeClaimRemoved(job) => self.look_again(job, now),
            Change::SchedulerConfig(config) => self.rules_changed(config, state, now),
            _ => {}
        }
    }

    /// How all are judged has changed, or an operator has stopped or restarted the broker.
    fn rules_changed(&mut self, config: &SchedulerConfiguration, state: &State, now: UnixNanos) {
        if config.pause_eval_broker {
            self.set_enabled(false);
        } else if !self.broker.is_enabled() {
            self.set_enabled(true);
            self.take_up_all(state, now);
        } else {
            for eval in self.blocked.unblock_all() {
                self.broker.enqueue(eval, None, now);
            }
        }
    }
}
