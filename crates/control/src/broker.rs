//! The evaluation broker (scheduler sheet §3): hands out evaluations by priority, one in flight a job.
//!
//! ```text
//!            wait_until                 another of the job is in flight
//!   enqueue ───────────▶ delayed    enqueue ───────────▶ pending ──ack──▶ ready (the best) + cancelable (the rest)
//!      │                    │ tick                          
//!      ▼                    ▼                               
//!    ready ◀────────────────┘                               
//!      │ dequeue                                            
//!      ▼                                                    
//!  outstanding ──ack──▶ gone         ──nack, time-out──▶ delayed again, or failed after three deliveries
//! ```

use caravan_model::*;
use caravan_state::JobKey;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a worker may hold an evaluation before it counts as lost.
pub const NACK_TIMEOUT: Duration = Duration::from_secs(60);
/// How often an evaluation is handed out before it counts as undeliverable.
pub const DELIVERY_LIMIT: u32 = 3;
/// The pause before the second delivery.
const FIRST_NACK_DELAY: Duration = Duration::from_secs(1);
/// The pause before each later delivery, times the deliveries before it.
const LATER_NACK_DELAY: Duration = Duration::from_secs(20);

/// Why a worker's word about an evaluation does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody holds the evaluation.
    #[error("evaluation is not outstanding")]
    NotOutstanding,
    /// Somebody else holds it.
    #[error("evaluation token does not match")]
    Mismatch,
}

/// Counters of the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Could be handed out now.
    pub ready: usize,
    /// Handed out.
    pub unacked: usize,
    /// Wait for another one of their job.
    pub pending: usize,
    /// Wait for a time.
    pub waiting: usize,
    /// Wait to be canceled.
    pub cancelable: usize,
    /// Were handed out too often.
    pub failed: usize,
}

/// What to hand out first: higher priority, then older.
type ReadyKey = (Reverse<i64>, u64, EvalId);
/// Which of a job's waiting evaluations goes next: higher priority, then newer.
type PendingKey = (Reverse<i64>, Reverse<u64>, EvalId);

#[derive(Debug)]
struct Outstanding {
    token: String,
    /// When the worker counts as lost; none while its plan is in the queue.
    expires: Option<UnixNanos>,
}

/// Evaluations that a leader hands to workers. Empty and off until [`Broker::set_enabled`].
#[derive(Debug, Default)]
pub struct Broker {
    enabled: bool,
    evals: BTreeMap<EvalId, Arc<Evaluation>>,
    deliveries: BTreeMap<EvalId, u32>,
    ready: BTreeMap<String, BTreeSet<ReadyKey>>,
    failed: BTreeSet<ReadyKey>,
    in_flight: BTreeMap<JobKey, EvalId>,
    pending: BTreeMap<JobKey, BTreeSet<PendingKey>>,
    delayed: BTreeSet<(UnixNanos, EvalId)>,
    delayed_until: BTreeMap<EvalId, UnixNanos>,
    outstanding: BTreeMap<EvalId, Outstanding>,
    /// Enqueued again by the worker that holds them; taken up when it is done.
    requeued: BTreeMap<EvalId, Arc<Evaluation>>,
    cancelable: Vec<Arc<Evaluation>>,
}

fn job_of(eval: &Evaluation) -> JobKey {
    JobKey::new(eval.namespace.clone(), eval.job_id.clone())
}

fn ready_key(eval: &Evaluation) -> ReadyKey {
    (Reverse(eval.priority), eval.create_index, eval.id)
}

impl Broker {
    /// Turns the broker on, or off and empty.
    pub fn set_enabled(&mut self, enabled: bool) {
        if !enabled {
            *self = Self::default();
        }
        self.enabled = enabled;
    }

    /// Whether evaluations are taken and handed out.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Takes an evaluation in. One that is known already is not taken twice; with the token of the worker that
    /// holds it, it is taken again once that worker is done.
    pub fn enqueue(&mut self, eval: Arc<Evaluation>, token: Option<&str>, now: UnixNanos) {
        if !self.enabled {
            return;
        }
        if self.evals.contains_key(&eval.id) {
            let holder = self.outstanding.get(&eval.id);
            if token.is_some_and(|token| holder.is_some_and(|held| held.token == token)) {
                self.requeued.insert(eval.id, eval);
            }
            return;
        }
        let until = if eval.wait.0 > 0 {
            now + eval.wait
        } else {
            eval.wait_until.into()
        };
        self.evals.insert(eval.id, Arc::clone(&eval));
        if until > now {
            self.delay(eval.id, until);
        } else {
            self.make_ready(eval);
        }
    }

    fn delay(&mut self, id: EvalId, until: UnixNanos) {
        self.delayed.insert((until, id));
        self.delayed_until.insert(id, until);
    }

    /// Whether an evaluation is in the broker's hands: waiting, ready or handed out.
    #[must_use]
    pub fn knows(&self, id: EvalId) -> bool {
        self.evals.contains_key(&id)
    }

    fn make_ready(&mut self, eval: Arc<Evaluation>) {
        let job = job_of(&eval);
        match self.in_flight.get(&job) {
            Some(other) if *other != eval.id && !eval.job_id.is_empty() => {
                let key = (Reverse(eval.priority), Reverse(eval.modify_index), eval.id);
                self.pending.entry(job).or_default().insert(key);
            }
            _ => {
                self.in_flight.insert(job, eval.id);
                self.ready
                    .entry(eval.r#type.clone())
                    .or_default()
                    .insert(ready_key(&eval));
            }
        }
    }

    /// Hands out the most urgent evaluation of these types. `token` proves later that the worker holds it.
    pub fn dequeue(
        &mut self,
        types: &[&str],
        token: String,
        now: UnixNanos,
    ) -> Option<Arc<Evaluation>> {
        let heads = types
            .iter()
            .filter_map(|name| Some((self.ready.get(*name)?.first()?, *name)));
        let (key, name) = heads.min().map(|(key, name)| (*key, name))?;
        if let Some(queue) = self.ready.get_mut(name) {
            queue.remove(&key);
        }
        Some(self.hand_out(key.2, token, now))
    }

    /// Whether some evaluation was delivered too often.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Hands out an evaluation that was delivered too often, to be given up.
    pub fn dequeue_failed(&mut self, token: String, now: UnixNanos) -> Option<Arc<Evaluation>> {
        let key = self.failed.pop_first()?;
        Some(self.hand_out(key.2, token, now))
    }

    fn hand_out(&mut self, id: EvalId, token: String, now: UnixNanos) -> Arc<Evaluation> {
        *self.deliveries.entry(id).or_default() += 1;
        self.outstanding.insert(
            id,
            Outstanding {
                token,
                expires: Some(now + NACK_TIMEOUT),
            },
        );
        Arc::clone(&self.evals[&id])
    }

    fn held(&mut self, id: EvalId, token: &str) -> Result<&mut Outstanding, TokenError> {
        let held = self
            .outstanding
            .get_mut(&id)
            .ok_or(TokenError::NotOutstanding)?;
        if held.token == token {
            Ok(held)
        } else {
            Err(TokenError::Mismatch)
        }
    }

    /// Whether this worker still holds the evaluation.
    ///
    /// # Errors
    /// Nobody or somebody else holds it.
    pub fn check(&mut self, id: EvalId, token: &str) -> Result<(), TokenError> {
        self.held(id, token).map(|_| ())
    }

    /// The worker is alive: its time starts anew.
    ///
    /// # Errors
    /// Nobody or somebody else holds the evaluation.
    pub fn reset(&mut self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        self.held(id, token)?.expires = Some(now + NACK_TIMEOUT);
        Ok(())
    }

    /// The worker waits for its plan: its time stands still until [`Broker::reset`].
    ///
    /// # Errors
    /// Nobody or somebody else holds the evaluation.
    pub fn pause(&mut self, id: EvalId, token: &str) -> Result<(), TokenError> {
        self.held(id, token)?.expires = None;
        Ok(())
    }

    /// The worker is done: the job's best waiting evaluation is ready, its others are superfluous.
    ///
    /// # Errors
    /// Nobody or somebody else holds the evaluation.
    pub fn ack(&mut self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        self.held(id, token)?;
        self.outstanding.remove(&id);
        self.deliveries.remove(&id);
        let requeued = self.requeued.remove(&id);
        if let Some(eval) = self.evals.remove(&id) {
            self.next_of_job(&job_of(&eval));
        }
        if let Some(eval) = requeued {
            self.enqueue(eval, None, now);
        }
        Ok(())
    }

    fn next_of_job(&mut self, job: &JobKey) {
        self.in_flight.remove(job);
        let Some(waiting) = self.pending.remove(job) else {
            return;
        };
        let mut waiting = waiting
            .into_iter()
            .filter_map(|(_, _, id)| self.evals.get(&id).cloned());
        let best = waiting.next();
        let rest: Vec<Arc<Evaluation>> = waiting.collect();
        for eval in rest {
            self.evals.remove(&eval.id);
            self.cancelable.push(eval);
        }
        if let Some(best) = best {
            self.make_ready(best);
        }
    }

    /// The worker gave up: the evaluation is delivered again later, or given up after [`DELIVERY_LIMIT`] times.
    ///
    /// # Errors
    /// Nobody or somebody else holds the evaluation.
    pub fn nack(&mut self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        self.held(id, token)?;
        self.give_back(id, now);
        Ok(())
    }

    fn give_back(&mut self, id: EvalId, now: UnixNanos) {
        self.outstanding.remove(&id);
        self.requeued.remove(&id);
        let deliveries = self.deliveries.get(&id).copied().unwrap_or(0);
        let Some(eval) = self.evals.get(&id).cloned() else {
            return;
        };
        if deliveries >= DELIVERY_LIMIT {
            self.failed.insert(ready_key(&eval));
            return;
        }
        let delay = match deliveries {
            0 => Duration::ZERO,
            1 => FIRST_NACK_DELAY,
            more => Duration(LATER_NACK_DELAY.0 * i64::from(more - 1)),
        };
        // It keeps its job's place: nothing of the job overtakes it while it waits.
        self.delay(id, now + delay);
    }

    /// Drops an evaluation that waits for its time and has become moot. Returns whether it was there.
    pub fn drop_waiting(&mut self, id: EvalId) -> bool {
        let Some(until) = self.delayed_until.remove(&id) else {
            return false;
        };
        self.delayed.remove(&(until, id));
        if let Some(eval) = self.evals.remove(&id) {
            let job = job_of(&eval);
            if self.in_flight.get(&job) == Some(&id) {
                self.next_of_job(&job);
            }
        }
        true
    }

    /// Makes ready what has waited long enough and takes back what lost workers hold.
    /// Returns when to be asked again.
    pub fn tick(&mut self, now: UnixNanos) -> Option<UnixNanos> {
        while let Some((until, id)) = self
            .delayed
            .first()
            .copied()
            .filter(|(until, _)| *until <= now)
        {
            self.delayed.remove(&(until, id));
            self.delayed_until.remove(&id);
            if let Some(eval) = self.evals.get(&id).cloned() {
                self.make_ready(eval);
            }
        }
        let lost: Vec<EvalId> = self
            .outstanding
            .iter()
            .filter(|(_, held)| held.expires.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.give_back(id, now);
        }
        let expiry = self
            .outstanding
            .values()
            .filter_map(|held| held.expires)
            .min();
        self.next_delayed().into_iter().chain(expiry).min()
    }

    /// When the first of those that wait for a time is ready.
    #[must_use]
    pub fn next_delayed(&self) -> Option<UnixNanos> {
        self.delayed.first().map(|(until, _)| *until)
    }

    /// Whether an evaluation is about to be canceled for a newer one of its job.
    #[must_use]
    pub fn is_cancelable(&self, id: EvalId) -> bool {
        self.cancelable.iter().any(|eval| eval.id == id)
    }

    /// Whether there are evaluations to be canceled.
    #[must_use]
    pub fn has_cancelable(&self) -> bool {
        !self.cancelable.is_empty()
    }

    /// Takes up to `limit` evaluations that newer ones of their job made superfluous.
    pub fn take_cancelable(&mut self, limit: usize) -> Vec<Arc<Evaluation>> {
        let count = self.cancelable.len().min(limit);
        self.cancelable.drain(..count).collect()
    }

    /// Whether some evaluation of these types could be handed out.
    #[must_use]
    pub fn has_ready(&self, types: &[&str]) -> bool {
        types
            .iter()
            .any(|name| self.ready.get(*name).is_some_and(|queue| !queue.is_empty()))
    }

    /// By type of evaluation: how many could be handed out now, and how many are. Types that were never seen are left out.
    #[must_use]
    pub fn stats_by_type(&self) -> Vec<(String, usize, usize)> {
        let unacked = |name: &str| {
            let held = self.outstanding.keys().filter_map(|id| self.evals.get(id));
            held.filter(|eval| eval.r#type == name).count()
        };
        let rows = self.ready.iter();
        rows.map(|(name, queue)| (name.clone(), queue.len(), unacked(name)))
            .collect()
    }

    /// Counters for metrics.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        BrokerStats {
            ready: self.ready.values().map(BTreeSet::len).sum(),
            unacked: self.outstanding.len(),
            pending: self.pending.values().map(BTreeSet::len).sum(),
            waiting: self.delayed.len(),
            cancelable: self.cancelable.len(),
            failed: self.failed.len(),
        }
    }
}

#[cfg(test)]
mod tests;
