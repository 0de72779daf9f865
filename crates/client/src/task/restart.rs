//! Whether a task that ended starts again, and when (runtime sheet §G).

use caravan_model::task_event::{
    REASON_DELAY, REASON_NO_RESTARTS, REASON_UNRECOVERABLE, REASON_WITHIN_POLICY,
};
use caravan_model::{Duration, RestartPolicy, UnixNanos, restart_mode};

use crate::clock::after;

/// Why a decision is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The task ended by itself.
    Exit { success: bool },
    /// It could not be prepared or started.
    StartError { recoverable: bool },
    /// Somebody asked for a restart; `failure` counts in the policy.
    Triggered { failure: bool },
}

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Restart {
        delay: Duration,
        reason: String,
    },
    /// It ended well and is not to run again.
    Done,
    /// It failed for good.
    Fail {
        reason: String,
    },
}

/// Counts the restarts of a task.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    policy: RestartPolicy,
    /// Whether it also starts again after it ended well.
    on_success: bool,
    count: i64,
    window: UnixNanos,
    random: u64,
}

impl Tracker {
    pub(crate) fn new(policy: RestartPolicy, on_success: bool, now: UnixNanos, seed: u64) -> Self {
        Self {
            policy,
            on_success,
            count: 0,
            window: now,
            random: seed | 1,
        }
    }

    /// The clock was set: what was measured by it moves along.
    pub(crate) fn shift(&mut self, by: Duration) {
        self.window = after(self.window, by);
    }

    /// The policy of a new version of the job.
    pub(crate) fn set_policy(&mut self, policy: RestartPolicy) {
        self.policy = policy;
    }

    pub(crate) fn decide(&mut self, cause: Cause, now: UnixNanos) -> Decision {
        if let Cause::Triggered { failure: false } = cause {
            return Decision::Restart {
                delay: Duration::ZERO,
                reason: String::new(),
            };
        }
        let done = cause == Cause::Exit { success: true } && !self.on_success;
        if self.policy.attempts == 0 && self.policy.mode != restart_mode::DELAY {
            return if done {
                Decision::Done
            } else {
                fail(REASON_NO_RESTARTS)
            };
        }
        let end = self.window.0.saturating_add(self.policy.interval.0);
        if now.0 > end {
            self.count = 0;
            self.window = now;
        }
        self.count += 1;
        if cause == (Cause::StartError { recoverable: false }) {
            return fail(REASON_UNRECOVERABLE);
        }
        if done {
            return Decision::Done;
        }
        if self.count > self.policy.attempts {
            return self.exceeded(now);
        }
        let delay = self.policy.delay;
        let delay = Duration(delay.0.saturating_add(self.jitter(delay.0 / 4)));
        Decision::Restart {
            delay,
            reason: REASON_WITHIN_POLICY.to_owned(),
        }
    }

    fn exceeded(&self, now: UnixNanos) -> Decision {
        let policy = &self.policy;
        if policy.mode == restart_mode::DELAY {
            let end = self.window.0.saturating_add(policy.interval.0);
            let delay = Duration(end.saturating_sub(now.0).max(0));
            return Decision::Restart {
                delay,
                reason: REASON_DELAY.to_owned(),
            };
        }
        fail(&format!(
            "Exceeded allowed attempts {} in interval {} and mode is \"fail\"",
            policy.attempts, policy.interval
        ))
    }

    fn jitter(&mut self, most: i64) -> i64 {
        if most <= 0 {
            return 0;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random % most.unsigned_abs()).unwrap_or(0)
    }
}

fn fail(reason: &str) -> Decision {
    Decision::Fail {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn policy(attempts: i64, mode: &str) -> RestartPolicy {
        RestartPolicy {
            attempts,
            interval: Duration::from_secs(60),
            delay: Duration::from_secs(4),
            mode: mode.into(),
            render_templates: false,
        }
    }

    fn tracker(attempts: i64, mode: &str, on_success: bool) -> Tracker {
        Tracker::new(policy(attempts, mode), on_success, UnixNanos(0), 7)
    }

    const FAILED: Cause = Cause::Exit { success: false };
    const ENDED: Cause = Cause::Exit { success: true };

    #[test]
    fn restarts_until_attempts_are_used_up_and_again_in_the_next_interval() {
        let mut tracker = tracker(2, "fail", true);
        for at in [1, 2] {
            match tracker.decide(FAILED, UnixNanos(at * SECOND)) {
                Decision::Restart { delay, reason } => {
                    assert!((4 * SECOND..5 * SECOND).contains(&delay.0), "{delay:?}");
                    assert_eq!(reason, REASON_WITHIN_POLICY);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            tracker.decide(FAILED, UnixNanos(3 * SECOND)),
            fail("Exceeded allowed attempts 2 in interval 1m0s and mode is \"fail\"")
        );
        assert!(matches!(
            tracker.decide(FAILED, UnixNanos(61 * SECOND)),
            Decision::Restart { .. }
        ));
    }

    #[test]
    fn mode_delay_waits_for_the_end_of_the_window() {
        let mut tracker = tracker(0, "delay", true);
        let decision = tracker.decide(FAILED, UnixNanos(20 * SECOND));
        assert_eq!(
            decision,
            Decision::Restart {
                delay: Duration::from_secs(40),
                reason: REASON_DELAY.into()
            }
        );
    }

    #[test]
    fn batch_tasks_are_done_when_they_end_well() {
        assert_eq!(
            tracker(3, "fail", false).decide(ENDED, UnixNanos(1)),
            Decision::Done
        );
        assert_eq!(
            tracker(0, "fail", false).decide(ENDED, UnixNanos(1)),
            Decision::Done
        );
        assert_eq!(
            tracker(0, "fail", false).decide(FAILED, UnixNanos(1)),
            fail(REASON_NO_RESTARTS)
        );
        assert!(matches!(
            tracker(3, "fail", true).decide(ENDED, UnixNanos(1)),
            Decision::Restart { .. }
        ));
    }

    #[test]
    fn asked_restarts_do_not_count_unless_they_say_so() {
        let mut tracker = tracker(1, "fail", true);
        for _ in 0..5 {
            let decision = tracker.decide(Cause::Triggered { failure: false }, UnixNanos(1));
            assert_eq!(
                decision,
                Decision::Restart {
                    delay: Duration::ZERO,
                    reason: String::new()
                }
            );
        }
        let count = Cause::Triggered { failure: true };
        assert!(matches!(
            tracker.decide(count, UnixNanos(1)),
            Decision::Restart { .. }
        ));
        assert!(matches!(
            tracker.decide(count, UnixNanos(1)),
            Decision::Fail { .. }
        ));
    }

    #[test]
    fn what_cannot_be_helped_is_not_tried_again() {
        let cause = Cause::StartError { recoverable: false };
        assert_eq!(
            tracker(3, "fail", true).decide(cause, UnixNanos(1)),
            fail(REASON_UNRECOVERABLE)
        );
    }
}
