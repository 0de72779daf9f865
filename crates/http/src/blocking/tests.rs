//! Blocking against an implementation that counts.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::*;
use crate::{answer::Body, op::Op};

struct Counter {
    index: watch::Sender<u64>,
    calls: AtomicU64,
    missing: bool,
}

impl Counter {
    fn new(index: u64) -> Self {
        Self {
            index: watch::Sender::new(index),
            calls: AtomicU64::new(0),
            missing: false,
        }
    }
}

#[async_trait]
impl Api for Counter {
    async fn call(&self, _: ApiRequest) -> Result<Answer, ApiError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let index = *self.index.borrow();
        let meta = Meta::read(index).watching([1], index);
        if self.missing {
            return Err(ApiError::not_found("node pool not found").with_meta(meta));
        }
        Answer::json(&index, meta)
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut seen = self.index.subscribe();
            let _ = seen.wait_for(|index| *index > watch.at).await;
        })
    }
}

fn ask(index: u64, wait_ms: u64) -> ApiRequest {
    let mut request = ApiRequest::internal(Op::JobList);
    request.options.index = index;
    request.options.wait_ms = Some(wait_ms);
    request
}

fn text(answer: &Answer) -> String {
    match &answer.body {
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_passed_index_is_answered_at_once() {
    let api = Counter::new(7);
    for index in [0, 6] {
        let before = Instant::now();
        call(&api, ask(index, 5000)).await.expect("answered");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn the_present_index_waits_and_answers_the_same() {
    let api = Counter::new(7);
    let before = Instant::now();
    let answer = call(&api, ask(7, 1600)).await.expect("answered");
    let took = before.elapsed();
    assert!(
        took >= Duration::from_millis(1600) && took <= Duration::from_millis(1702),
        "{took:?}"
    );
    assert_eq!(
        (text(&answer), answer.head.meta.index),
        ("7".to_owned(), Some(7))
    );
    assert_eq!(api.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_wait_and_smaller_ones_do_not() {
    let api = Counter::new(7);
    let before = Instant::now();
    let change = async {
        for index in [8, 9, 10] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            api.index.send_replace(index);
        }
    };
    let (answer, ()) = tokio::join!(call(&api, ask(9, 20_000)), change);
    assert_eq!(text(&answer.expect("answered")), "10");
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_can_be_waited_on_and_zero_is_never_said() {
    let mut api = Counter::new(0);
    api.missing = true;
    let error = call(&api, ask(5, 1000)).await.expect_err("not found");
    assert_eq!(error.meta.expect("meta").index, Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_clamped() {
    let api = Counter::new(7);
    let before = Instant::now();
    call(&api, ask(7, 3_600_000)).await.expect("answered");
    assert!(
        before.elapsed() <= Duration::from_secs(638),
        "ten minutes and a sixteenth"
    );
}

#[tokio::test(start_paused = true)]
async fn routes_that_do_not_block_answer_at_once() {
    let api = Counter::new(7);
    let mut request = ask(99, 60_000);
    request.op = Op::StatusLeader;
    let before = Instant::now();
    call(&api, request).await.expect("answered");
    assert_eq!(before.elapsed(), Duration::ZERO);
}
