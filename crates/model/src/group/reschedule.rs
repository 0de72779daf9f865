//! Whether and when a failed allocation may be replaced once more (scheduler sheet §14).

use super::{ReschedulePolicy, delay_function};
use crate::{Duration, RescheduleTracker, UnixNanos};

impl ReschedulePolicy {
    /// Whether one more attempt is allowed for what failed at this time, after the attempts that led to it.
    ///
    /// A tracker without attempts is what is left of one that found no node: it was none, and may be tried again.
    #[must_use]
    pub fn allows(&self, tracker: Option<&RescheduleTracker>, failed_at: UnixNanos) -> bool {
        if self.unlimited {
            return true;
        }
        let events = tracker.map_or(&[][..], |tracker| &tracker.events);
        let recent = events
            .iter()
            .filter(|event| failed_at.since(event.reschedule_time) < self.interval)
            .count();
        i64::try_from(recent).unwrap_or(i64::MAX) < self.attempts
            && (events.is_empty() || self.next_delay(tracker, failed_at) < self.interval)
    }

    /// How long the next attempt waits after the failure.
    #[must_use]
    pub fn next_delay(
        &self,
        tracker: Option<&RescheduleTracker>,
        failed_at: UnixNanos,
    ) -> Duration {
        let events = tracker.map_or(&[][..], |tracker| &tracker.events);
        let Some(last) = events.last() else {
            return self.delay;
        };
        let delay = match (self.delay_function.as_str(), events) {
            (delay_function::EXPONENTIAL, _) => Duration(last.delay.0.saturating_mul(2)),
            // The series was started again after it had reached its ceiling.
            (delay_function::FIBONACCI, [.., before, _])
                if before.delay == self.max_delay && last.delay == self.delay =>
            {
                self.delay
            }
            (delay_function::FIBONACCI, [.., before, _]) => {
                Duration(before.delay.0.saturating_add(last.delay.0))
            }
            _ => return self.delay,
        };
        if self.max_delay.0 <= 0 || delay <= self.max_delay {
            return delay;
        }
        let calm = failed_at.since(last.reschedule_time) > self.max_delay;
        if calm { self.delay } else { self.max_delay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RescheduleEvent;

    fn secs(seconds: i64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn tried(at: &[(i64, i64)]) -> RescheduleTracker {
        let events = at
            .iter()
            .map(|(at, delay)| RescheduleEvent {
                reschedule_time: UnixNanos(0) + secs(*at),
                delay: secs(*delay),
                ..RescheduleEvent::default()
            })
            .collect();
        RescheduleTracker {
            events,
            ..RescheduleTracker::default()
        }
    }

    #[test]
    fn attempts_count_within_the_interval() {
        let policy = ReschedulePolicy {
            attempts: 2,
            interval: secs(100),
            delay: secs(5),
            delay_function: delay_function::CONSTANT.to_owned(),
            ..ReschedulePolicy::default()
        };
        let at = UnixNanos(0) + secs(200);
        assert!(policy.allows(None, at));
        assert!(
            policy.allows(Some(&tried(&[])), at),
            "what found no node was no attempt"
        );
        assert!(policy.allows(Some(&tried(&[(10, 5), (150, 5)])), at));
        assert!(!policy.allows(Some(&tried(&[(140, 5), (150, 5)])), at));
        let none = ReschedulePolicy {
            attempts: 0,
            ..policy.clone()
        };
        assert!(!none.allows(None, at));
        let unlimited = ReschedulePolicy {
            unlimited: true,
            ..none
        };
        assert!(unlimited.allows(Some(&tried(&[(140, 5), (150, 5)])), at));
    }

    #[test]
    fn an_attempt_that_would_wait_as_long_as_the_interval_is_none() {
        let after = |delay: i64| {
            let policy = ReschedulePolicy {
                attempts: 5,
                interval: secs(15),
                delay: secs(delay),
                delay_function: delay_function::EXPONENTIAL.to_owned(),
                ..ReschedulePolicy::default()
            };
            policy.allows(Some(&tried(&[(0, delay)])), UnixNanos(0) + secs(1))
        };
        assert!(after(7), "the next one waits 14 s");
        assert!(!after(8));
    }

    #[test]
    fn delays_grow_as_the_function_says() {
        let policy = |function: &str| ReschedulePolicy {
            delay: secs(5),
            max_delay: secs(60),
            delay_function: function.to_owned(),
            ..ReschedulePolicy::default()
        };
        let delay = |function: &str, events: &[(i64, i64)], failed: i64| {
            policy(function).next_delay(Some(&tried(events)), UnixNanos(0) + secs(failed))
        };
        let table = [
            (delay_function::CONSTANT, &[(0, 8)][..], 1, 5),
            (delay_function::EXPONENTIAL, &[], 1, 5),
            (delay_function::EXPONENTIAL, &[(0, 5)], 1, 10),
            (delay_function::EXPONENTIAL, &[(0, 40)], 1, 60),
            (delay_function::EXPONENTIAL, &[(0, 40)], 100, 5),
            (delay_function::FIBONACCI, &[(0, 8)], 1, 5),
            (delay_function::FIBONACCI, &[(0, 5), (5, 10)], 6, 15),
            (delay_function::FIBONACCI, &[(0, 60), (5, 5)], 6, 5),
        ];
        for (function, events, failed, expected) in table {
            assert_eq!(
                delay(function, events, failed),
                secs(expected),
                "{function} {events:?}"
            );
        }
    }
}
