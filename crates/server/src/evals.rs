//! The leader's evaluations: the broker and the blocked ones behind one lock, and who waits for work.

use crate::clock;
use caravan_control::Queues;
use caravan_control::broker::{NACK_TIMEOUT, TokenError};
use caravan_model::*;
use caravan_state::{Applied, State};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The types of jobs that workers schedule.
const SCHEDULED_TYPES: &[&str] = &[
    job_type::SERVICE,
    job_type::BATCH,
    job_type::SYSTEM,
    job_type::SYSBATCH,
];

// Whoever holds one too long is noticed in time, though only the next look of the clock knows of it.
const _: () = assert!(clock::LONGEST_PAUSE.0 <= NACK_TIMEOUT.0);

/// Evaluations to be scheduled. Empty and off on servers that do not lead.
#[derive(Default)]
pub(crate) struct Evals {
    queues: Mutex<Queues>,
    /// One could be handed out.
    ready: Notify,
    /// Some are to be canceled.
    superfluous: Notify,
    /// Some are to be given up.
    undeliverable: Notify,
    /// Something has to be done sooner than the clock would look.
    sooner: Notify,
    /// When the clock looks next.
    next_tick: AtomicI64,
}

impl Evals {
    /// The queues, to be asked. Never hold this across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic while it was held leaves plain collections behind, which stay usable.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queues, and wakes those who have something to do now. There are two changes for each evaluation,
    /// so nobody is woken for nothing.
    fn change<T>(&self, change: impl FnOnce(&mut Queues) -> T) -> T {
        let mut queues = self.lock();
        let result = change(&mut queues);
        let ready = queues.broker.has_ready(SCHEDULED_TYPES);
        let superfluous = queues.has_superfluous();
        let undeliverable = queues.broker.has_failed();
        let due = queues.due(clock::now());
        drop(queues);
        if ready {
            self.ready.notify_one();
        }
        if superfluous {
            self.superfluous.notify_one();
        }
        if undeliverable {
            self.undeliverable.notify_one();
        }
        if due.is_some_and(|due| due.0 < self.next_tick.load(Ordering::Relaxed)) {
            self.sooner.notify_one();
        }
        result
    }

    /// Begins to lead, or takes everything up anew: every evaluation that is not terminal, unless an operator has
    /// paused the broker.
    pub(crate) fn establish(&self, state: &State, now: UnixNanos) {
        self.change(|queues| queues.establish(state, now));
    }

    /// Stops leading: forgets everything.
    pub(crate) fn revoke(&self) {
        self.change(Queues::revoke);
    }

    /// Takes up what a batch of commands changed.
    pub(crate) fn observe(&self, batch: &[Applied], state: &State, now: UnixNanos) {
        self.change(|queues| queues.observe(batch, state, now));
    }

    /// Hands out the next evaluation, waiting for one.
    pub(crate) async fn dequeue(&self) -> (Arc<Evaluation>, String) {
        let token = uuid::Uuid::new_v4().to_string();
        loop {
            // When there is another one, the next worker is woken by this.
            let next = self.change(|queues| {
                let (types, token) = (SCHEDULED_TYPES, token.clone());
                queues.broker.dequeue(types, token, clock::now())
            });
            if let Some(eval) = next {
                return (eval, token);
            }
            self.ready.notified().await;
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
        self.change(|queues| queues.ack(id, token, reblock, state, now))
    }

    pub(crate) fn nack(&self, id: EvalId, token: &str, now: UnixNanos) -> Result<(), TokenError> {
        self.change(|queues| queues.broker.nack(id, token, now))
    }

    /// Makes ready those that lost too many races for room.
    pub(crate) fn retry_crowded_out(&self, now: UnixNanos) {
        self.change(|queues| {
            for eval in queues.blocked.unblock_failed() {
                queues.broker.enqueue(eval, None, now);
            }
        });
    }

    /// Takes up to `limit` of those that newer ones of their job made superfluous, and up to `limit` that wait beside
    /// another one of their job; waits until there are some.
    pub(crate) async fn superfluous(
        &self,
        limit: usize,
    ) -> (Vec<Arc<Evaluation>>, Vec<Arc<Evaluation>>) {
        loop {
            let taken = self.change(|queues| {
                let cancelable = queues.broker.take_cancelable(limit);
                (cancelable, queues.blocked.take_duplicates(limit))
            });
            if !(taken.0.is_empty() && taken.1.is_empty()) {
                return taken;
            }
            self.superfluous.notified().await;
        }
    }

    /// Hands out one that was delivered too often, to be given up; waits until there is one.
    pub(crate) async fn undeliverable(&self) -> (Arc<Evaluation>, String) {
        let token = clock::uuid();
        loop {
            let failed = self.change(|queues| {
                let (token, now) = (token.clone(), clock::now());
                queues.broker.dequeue_failed(token, now)
            });
            if let Some(eval) = failed {
                return (eval, token);
            }
            self.undeliverable.notified().await;
        }
    }

    /// Makes ready what has waited long enough, now and whenever it is time.
    pub(crate) async fn keep_time(&self, snapshot: impl Fn() -> Arc<State>) {
        loop {
            let now = clock::now();
            let next = self.lock().tick(&snapshot(), now);
            let pause = clock::pause_until(next);
            let at = now + Duration::from(pause);
            self.next_tick.store(at.0, Ordering::Relaxed);
            // Also what was delayed between the tick and now.
            self.change(|_| ());
            tokio::select! {
                () = self.sooner.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_state::Command;
    use futures::FutureExt as _;

    const NOW: UnixNanos = UnixNanos(1_000_000_000);

    fn pending(number: u128) -> Evaluation {
        Evaluation {
            id: EvalId::from_u128(number),
            job_id: format!("job-{number}").into(),
            r#type: job_type::SERVICE.to_owned(),
            ..Evaluation::default()
        }
    }

    fn waiting(number: u128, millis: i64) -> Evaluation {
        Evaluation {
            wait: Duration::from_millis(millis),
            ..pending(number)
        }
    }

    fn leading() -> (Arc<Evals>, State) {
        let (evals, state) = (Arc::new(Evals::default()), State::default());
        evals.establish(&state, NOW);
        (evals, state)
    }

    fn tell(evals: &Evals, state: &mut State, index: u64, pending: Vec<Evaluation>) {
        let command = Command::UpsertEvals {
            evals: pending,
            now: NOW,
        };
        let applied = state.apply(index, command).unwrap();
        evals.observe(&[applied], state, NOW);
    }

    #[tokio::test]
    async fn as_many_workers_wake_as_have_something_to_do() {
        let (evals, mut state) = leading();
        let worker = || {
            let evals = Arc::clone(&evals);
            tokio::spawn(async move { evals.dequeue().await.0.id })
        };
        let (first, second) = (worker(), worker());
        // Both wait before there is anything.
        tokio::task::yield_now().await;
        tell(&evals, &mut state, 1, vec![pending(1), pending(2)]);
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn one_that_waits_for_a_time_is_handed_out_then() {
        let (evals, mut state) = leading();
        let clock = Arc::clone(&evals);
        let ticking =
            tokio::spawn(async move { clock.keep_time(|| Arc::new(State::default())).await });
        tell(&evals, &mut state, 1, vec![waiting(1, 1)]);
        assert_eq!(evals.dequeue().await.0.id, EvalId::from_u128(1));
        ticking.abort();
    }

    #[test]
    fn the_clock_is_woken_only_for_what_is_due_before_it_looks() {
        let (evals, mut state) = leading();
        let next = NOW + Duration::from_secs(1);
        evals.next_tick.store(next.0, Ordering::Relaxed);
        tell(&evals, &mut state, 1, vec![waiting(1, 2000)]);
        assert!(evals.sooner.notified().now_or_never().is_none());
        tell(&evals, &mut state, 2, vec![waiting(2, 10)]);
        assert!(evals.sooner.notified().now_or_never().is_some());
    }

    #[tokio::test]
    async fn those_delivered_too_often_are_waited_for() {
        let (evals, mut state) = leading();
        let reaper = {
            let evals = Arc::clone(&evals);
            tokio::spawn(async move { evals.undeliverable().await.0.id })
        };
        tokio::task::yield_now().await;
        tell(&evals, &mut state, 1, vec![pending(1)]);
        let mut now = clock::now();
        for _ in 0..caravan_control::broker::DELIVERY_LIMIT {
            // Whatever it waits for between two deliveries is over.
            now = now + Duration::from_secs(3600);
            evals.lock().tick(&state, now);
            let (held, token) = evals.dequeue().await;
            evals.nack(held.id, &token, now).unwrap();
        }
        assert_eq!(reaper.await.unwrap(), EvalId::from_u128(1));
    }

    #[test]
    fn the_clock_is_woken_while_room_is_offered() {
        let (evals, mut state) = leading();
        let next = clock::now() + Duration::from_secs(60);
        evals.next_tick.store(next.0, Ordering::Relaxed);
        evals.change(|_| ());
        assert!(evals.sooner.notified().now_or_never().is_none());
        let blocked = Evaluation {
            status: EvalStatus::Blocked,
            escaped_computed_class: true,
            ..pending(1)
        };
        tell(&evals, &mut state, 1, vec![blocked]);
        evals.change(|queues| {
            let (node, now) = (NodeId::from_u128(1), clock::now());
            queues.blocked.freed(node, 2, now);
        });
        assert!(evals.sooner.notified().now_or_never().is_some());
    }

    #[tokio::test]
    async fn superfluous_ones_are_waited_for() {
        let (evals, mut state) = leading();
        let reaper = {
            let evals = Arc::clone(&evals);
            tokio::spawn(async move { evals.superfluous(10).await.0 })
        };
        tokio::task::yield_now().await;
        let of_one_job = |number| Evaluation {
            job_id: "job".into(),
            ..pending(number)
        };
        let three = (1..=3).map(of_one_job).collect();
        tell(&evals, &mut state, 1, three);
        let (held, token) = evals.dequeue().await;
        evals.ack(held.id, &token, None, &state, NOW).unwrap();
        assert_eq!(reaper.await.unwrap().len(), 1, "one is held, one is ready");
    }
}
