//! Since when each server is as well or as ill as it is. It must not know how that is told.

use caravan_model::{Timestamp, UnixNanos};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What was last seen of each server: whether it was well, and since when.
#[derive(Default)]
pub(crate) struct Stability(Mutex<BTreeMap<u64, (bool, UnixNanos)>>);

impl Stability {
    /// Since when a server is `healthy` or not, as far as it was looked at before `now`.
    pub(crate) fn since(&self, server: u64, healthy: bool, now: UnixNanos) -> Timestamp {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.entry(server).or_insert((healthy, now));
        if known.0 != healthy {
            *known = (healthy, now);
        }
        Timestamp::from(known.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_stable_since_its_health_last_changed() {
        let stability = Stability::default();
        let at = |healthy, now| stability.since(7, healthy, UnixNanos(now));
        assert_eq!(at(true, 1), Timestamp(1));
        assert_eq!(at(true, 5), Timestamp(1));
        assert_eq!(at(false, 6), Timestamp(6));
        assert_eq!(at(true, 9), Timestamp(9));
        assert_eq!(stability.since(8, true, UnixNanos(10)), Timestamp(10));
    }
}
