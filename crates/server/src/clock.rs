//! The one place where the server reads a clock or makes an id: decisions are told both.

use std::sync::OnceLock;
use std::time::Instant;

use caravan_model::{Duration, EvalId, UnixNanos};

/// How often a duty looks that has nothing to wait for.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The time now.
#[must_use]
pub(crate) fn now() -> UnixNanos {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Nanoseconds since this process first asked: unlike [`now`] they never jump. What a clock that is set must not bring
/// about goes by these.
pub(crate) fn steady() -> UnixNanos {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// As [`pause_until`], of a duty that goes by the [`steady`] clock.
pub(crate) fn pause_until_steady(wake: Option<UnixNanos>) -> std::time::Duration {
    let (now, steady) = (now(), steady());
    pause_from(now, wake.map(|at| now + at.since(steady)))
}

/// The pause of a duty that has something to do at a time, or nothing. All look on the whole minute, together: a server
/// at rest is woken once for all of them.
pub(crate) fn pause_until(wake: Option<UnixNanos>) -> std::time::Duration {
    pause_from(now(), wake)
}

fn pause_from(now: UnixNanos, wake: Option<UnixNanos>) -> std::time::Duration {
    let minute = now + Duration(LONGEST_PAUSE.0 - now.0.rem_euclid(LONGEST_PAUSE.0));
    let wake = wake.map_or(minute, |at| at.min(minute));
    wake.since(now).to_std()
}

/// A fresh number that ids are made of.
pub(crate) fn fresh() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

/// A fresh evaluation id.
#[must_use]
pub(crate) fn eval_id() -> EvalId {
    EvalId(uuid::Uuid::new_v4())
}

/// A fresh UUID as text.
#[must_use]
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A fresh seed for a decision that needs randomness.
#[must_use]
pub(crate) fn seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Thirty-two fresh bytes.
#[must_use]
pub(crate) fn seed_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_nothing_looks_on_the_whole_minute() {
        let at = |seconds: i64| UnixNanos(seconds * 1_000_000_000);
        let pause = |now: i64, wake: Option<i64>| pause_from(at(now), wake.map(at)).as_secs();
        for (now, wake, expected) in [
            (61, None, 59),
            (119, None, 1),
            (120, None, 60),
            (61, Some(100), 39),
            (61, Some(3600), 59),
            (61, Some(61), 0),
            (61, Some(10), 0),
        ] {
            assert_eq!(pause(now, wake), expected, "{now} {wake:?}");
        }
    }
}
