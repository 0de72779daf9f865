//! Blocking queries: the answer is held back until its index passes the one that the caller has.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::{Answer, Meta, Watch},
    api::Api,
    error::ApiError,
    request::{ApiRequest, QueryOptions},
};

const DEFAULT_WAIT: Duration = Duration::from_secs(300);
const MAX_WAIT: Duration = Duration::from_secs(600);

/// Calls `api`, and again after each change, until the answer is newer than `index` or `wait` is over.
///
/// Dropping the future (the caller went away) ends the wait. An answer without a `watch` is given at once: it
/// came from another agent, which has waited already.
pub async fn call(api: &dyn Api, request: ApiRequest) -> Result<Answer, ApiError> {
    call_until(api, request, &CancellationToken::new()).await
}

/// The same, but `closing` also ends the wait, as if its time were over.
pub async fn call_until(
    api: &dyn Api,
    request: ApiRequest,
    closing: &CancellationToken,
) -> Result<Answer, ApiError> {
    let index = request.options.index;
    if index == 0 || !request.route().blocking {
        return api.call(request).await;
    }
    let deadline = Instant::now() + wait(&request.options);
    loop {
        let mut answer = api.call(request.clone()).await;
        let Some(watch) = held_back(&mut answer, index) else {
            return answer;
        };
        tokio::select! {
            () = api.changed(&watch) => {}
            () = sleep_until(deadline) => return answer,
            () = closing.cancelled() => return answer,
        }
    }
}

/// What to wait on, when the answer is not newer than what the caller has.
fn held_back(answer: &mut Result<Answer, ApiError>, have: u64) -> Option<Watch> {
    let meta: &mut Meta = match answer {
        Ok(answer) => &mut answer.head.meta,
        Err(error) => error.meta.as_deref_mut()?,
    };
    // A blocking read never says 0: the caller would ask again at once.
    let index = meta.index.map(|index| index.max(1));
    meta.index = index;
    if index? > have {
        None
    } else {
        meta.watch.take()
    }
}

fn wait(options: &QueryOptions) -> Duration {
    let asked = options
        .wait_ms
        .filter(|ms| *ms > 0)
        .map_or(DEFAULT_WAIT, Duration::from_millis)
        .min(MAX_WAIT);
    let sixteenth = u64::try_from(asked.as_millis() / 16).unwrap_or(0);
    let jitter = RandomState::new().build_hasher().finish() % (sixteenth + 1);
    asked + Duration::from_millis(jitter)
}

#[cfg(test)]
mod tests;
