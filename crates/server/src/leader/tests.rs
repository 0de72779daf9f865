//! What a leader goes on trying.

use super::*;
use crate::testing::server_of;
use caravan_consensus::PeerInfo;
use caravan_state::State;
use std::collections::BTreeMap;
use std::time::Duration as Wall;

/// Three evaluations of a job, the first of which is done: one of the others is superfluous.
async fn make_one_superfluous(shared: &Shared) -> EvalId {
    let (mut state, now) = (State::default(), clock::now());
    shared.evals.establish(&state, now);
    let eval = |number| Evaluation {
        id: EvalId::from_u128(number),
        job_id: "job".into(),
        r#type: job_type::SERVICE.to_owned(),
        ..Evaluation::default()
    };
    let evals = (1..=3).map(eval).collect();
    let applied = state.apply(1, Command::UpsertEvals { evals, now }).unwrap();
    shared.evals.observe(&[applied], &state, now);
    let (held, token) = shared.evals.dequeue().await;
    shared
        .evals
        .ack(held.id, &token, None, &state, now)
        .unwrap();
    let queues = shared.evals.lock();
    let mut all = state.evals().map(|eval| eval.id);
    all.find(|id| queues.broker.is_cancelable(*id)).unwrap()
}

#[tokio::test]
async fn superfluous_evaluations_are_canceled_though_it_fails_at_first() {
    // Nobody can lead yet.
    let server = server_of(3).await;
    let shared = &server.shared;
    let superfluous = make_one_superfluous(shared).await;
    let reaping = tokio::spawn(reap_superfluous(Arc::clone(shared)));
    while shared.evals.lock().has_superfluous() {
        tokio::task::yield_now().await;
    }
    // What is proposed after it is refused after it.
    let nothing = Command::UpsertEvals {
        evals: Vec::new(),
        now: clock::now(),
    };
    assert!(shared.proposer.propose(&nothing).await.is_err());
    let alone = BTreeMap::from([(1, PeerInfo::default())]);
    shared.consensus.bootstrap(alone).await.unwrap();
    let mut index = shared.store.index();
    let is_canceled = || {
        let state = shared.store.snapshot();
        let eval = state.eval(&superfluous);
        eval.is_some_and(|eval| eval.status == EvalStatus::Canceled)
    };
    let canceled = index.wait_for(|_| is_canceled());
    let canceled = tokio::time::timeout(Wall::from_secs(30), canceled).await;
    assert!(canceled.is_ok(), "nobody tried again");
    reaping.abort();
}
