//! The room as other rooms see it: real sockets, real certificates, both directions.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod authority;
mod calls;
mod endpoints;
mod pool;
mod reverse;
mod strangers;
mod tls;

use std::future::Future;
use std::time::Duration;

/// Nothing here takes long; a test that hangs must fail and say so.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_elapsed) => panic!("it took too long: {what}"),
    }
}

/// Waits until a condition holds that nothing reports.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
