//! Keeps an agent as small as what it holds: bursts of work must not leave their memory behind.

use std::time::Duration;

/// How many threads may wait for files and processes at once. Each keeps what it freed, so a burst on hundreds of
/// them leaves a gigabyte behind.
pub(super) const BLOCKING_THREADS: usize = 64;

/// How often memory is given back at most.
const PAUSE: Duration = Duration::from_secs(20);
/// Who has worked less than this has little to give: it would only fetch its code again.
const WORK: Duration = Duration::from_millis(300);

/// Gives memory back after some work: what was freed, and code that is not used. Runs until dropped.
pub(super) async fn give_back() {
    // The start has more to give than any work after it.
    let mut given = None;
    loop {
        tokio::time::sleep(PAUSE).await;
        let worked = caravan_host::procs::own_cpu_time();
        if given.is_some_and(|given| worked < given + WORK) {
            continue;
        }
        // It takes milliseconds, in which nothing else waits for it.
        let _ = tokio::task::spawn_blocking(caravan_host::give_memory_back).await;
        given = Some(worked);
    }
}
