//! The one place where clocks are read: the wall's, which may be set, and one that only goes on.

use caravan_model::UnixNanos;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// How long until the next whole multiple of a period: what is done now and then is done together, and an agent at rest
/// is woken once for all of it.
pub(crate) fn until_next(period: Duration) -> Duration {
    let period = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX).max(1);
    Duration::from_nanos((period - steady().0 % period).unsigned_abs())
}

/// Nanoseconds since this process first asked: unlike [`now`] they never jump.
pub(crate) fn steady() -> UnixNanos {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Less is drift that is corrected, not a clock that was set.
const JUMP: i64 = 1_000_000_000;

/// Notices when the wall's clock was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jumps {
    /// The wall's clock less the steady one.
    between: i64,
}

impl Jumps {
    pub(crate) fn new() -> Self {
        Self::at(now(), steady())
    }

    fn at(wall: UnixNanos, steady: UnixNanos) -> Self {
        Self {
            between: wall.0.saturating_sub(steady.0),
        }
    }

    /// How far the wall's clock was set since the last look.
    pub(crate) fn look(&mut self) -> Option<caravan_model::Duration> {
        self.look_at(now(), steady())
    }

    fn look_at(&mut self, wall: UnixNanos, steady: UnixNanos) -> Option<caravan_model::Duration> {
        let between = wall.0.saturating_sub(steady.0);
        let moved = between.saturating_sub(self.between);
        if moved.abs() < JUMP {
            return None;
        }
        self.between = between;
        Some(caravan_model::Duration(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed_once() {
        const SECOND: i64 = 1_000_000_000;
        let at = |seconds: i64| UnixNanos(seconds * SECOND);
        let mut jumps = Jumps::at(at(1000), at(5));
        assert_eq!(jumps.look_at(at(1010), at(15)), None);
        let hour = caravan_model::Duration::from_secs(3600);
        assert_eq!(jumps.look_at(at(4620), at(25)), Some(hour));
        assert_eq!(jumps.look_at(at(4630), at(35)), None);
        let back = caravan_model::Duration(-7200 * SECOND);
        assert_eq!(jumps.look_at(at(-2560), at(45)), Some(back));
    }
}
