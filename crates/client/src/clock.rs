//! The one place where the clock is read.

use caravan_model::UnixNanos;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
pub(crate) fn now() -> UnixNanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// How long until `at`; nothing when it has passed.
pub(crate) fn until(at: UnixNanos) -> Duration {
    Duration::from_nanos(at.0.saturating_sub(now().0).max(0).unsigned_abs())
}

/// `at` and a duration later.
pub(crate) fn after(at: UnixNanos, duration: caravan_model::Duration) -> UnixNanos {
    UnixNanos(at.0.saturating_add(duration.0))
}

/// A random share of `most`, so that nodes do not act in step.
pub(crate) fn jitter(most: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(random % nanos)
}
