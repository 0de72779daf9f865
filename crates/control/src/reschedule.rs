//! Whether a failed allocation may still be replaced by its group's policy (scheduler sheet §14).

use caravan_model::*;

/// Whether the policy allows one more attempt for an allocation that failed at this time.
pub(crate) fn may_reschedule(
    policy: &ReschedulePolicy,
    alloc: &Allocation,
    failed: UnixNanos,
) -> bool {
    if policy.unlimited {
        return true;
    }
    if policy.attempts <= 0 {
        return false;
    }
    let Some(tracker) = &alloc.reschedule_tracker else {
        return true;
    };
    if tracker.events.is_empty() {
        return false;
    }
    let attempted = tracker
        .events
        .iter()
        .filter(|event| failed.since(event.reschedule_time) < policy.interval)
        .count();
    i64::try_from(attempted).unwrap_or(i64::MAX) < policy.attempts
        && next_delay(policy, &tracker.events, failed) < policy.interval
}

/// How long the next attempt would wait.
fn next_delay(
    policy: &ReschedulePolicy,
    events: &[RescheduleEvent],
    failed: UnixNanos,
) -> Duration {
    let Some(last) = events.last() else {
        return policy.delay;
    };
    let delay = match policy.delay_function.as_str() {
        delay_function::EXPONENTIAL => Duration(last.delay.0.saturating_mul(2)),
        delay_function::FIBONACCI => match events.len().checked_sub(2).map(|at| events[at].delay) {
            Some(before) if before == policy.max_delay && last.delay == policy.delay => {
                policy.delay
            }
            Some(before) => Duration(before.0.saturating_add(last.delay.0)),
            None => last.delay,
        },
        _ => policy.delay,
    };
    if policy.max_delay.0 > 0 && delay > policy.max_delay {
        let calm = failed.since(last.reschedule_time) > policy.max_delay;
        return if calm { policy.delay } else { policy.max_delay };
    }
    delay
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn tried(at: &[(i64, i64)]) -> Allocation {
        let events = at
            .iter()
            .map(|(at, delay)| RescheduleEvent {
                reschedule_time: UnixNanos(0) + secs(*at),
                delay: secs(*delay),
                ..RescheduleEvent::default()
            })
            .collect();
        let tracker = RescheduleTracker {
            events,
            ..RescheduleTracker::default()
        };
        Allocation {
            reschedule_tracker: Some(Box::new(tracker)),
            ..Allocation::default()
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
        assert!(may_reschedule(&policy, &Allocation::default(), at));
        assert!(
            !may_reschedule(&policy, &tried(&[]), at),
            "a tracker without events is not eligible"
        );
        assert!(may_reschedule(&policy, &tried(&[(10, 5), (150, 5)]), at));
        assert!(!may_reschedule(&policy, &tried(&[(140, 5), (150, 5)]), at));
        let none = ReschedulePolicy {
            attempts: 0,
            ..policy.clone()
        };
        assert!(!may_reschedule(&none, &Allocation::default(), at));
        let unlimited = ReschedulePolicy {
            unlimited: true,
            ..none
        };
        assert!(may_reschedule(
            &unlimited,
            &tried(&[(140, 5), (150, 5)]),
            at
        ));
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
            let alloc = tried(&[(0, delay)]);
            may_reschedule(&policy, &alloc, UnixNanos(0) + secs(1))
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
            let alloc = tried(events);
            let events = alloc
                .reschedule_tracker
                .map(|tracker| tracker.events)
                .unwrap_or_default();
            next_delay(&policy(function), &events, UnixNanos(0) + secs(failed))
        };
        let table = [
            (delay_function::CONSTANT, &[(0, 5)][..], 1, 5),
            (delay_function::EXPONENTIAL, &[], 1, 5),
            (delay_function::EXPONENTIAL, &[(0, 5)], 1, 10),
            (delay_function::EXPONENTIAL, &[(0, 40)], 1, 60),
            (delay_function::EXPONENTIAL, &[(0, 40)], 100, 5),
            (delay_function::FIBONACCI, &[(0, 5)], 1, 5),
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
