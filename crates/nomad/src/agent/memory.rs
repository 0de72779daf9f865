//! Keeps an agent as small as what it holds: bursts of work must not leave their memory behind.

use std::time::Duration;

/// How many threads may wait for files and processes at once. Each keeps what it freed, so a burst on hundreds of
/// them leaves a gigabyte behind.
pub(super) const BLOCKING_THREADS: usize = 64;

/// How often memory is given back.
const PAUSE: Duration = Duration::from_secs(20);

/// Gives memory back now and then: what was freed, and code that is not used. Runs until dropped.
pub(super) async fn give_back() {
    loop {
        tokio::time::sleep(PAUSE).await;
        // It takes milliseconds, in which nothing else waits for it.
        let _ = tokio::task::spawn_blocking(caravan_host::give_memory_back).await;
    }
}
