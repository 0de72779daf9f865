//! When the token of a service is replaced. Must never know how, nor what the time is.

use std::time::{Duration, Instant};

/// No login follows another sooner: neither one that failed nor one whose token is refused.
const PAUSE: Duration = Duration::from_secs(5);

/// A token, and when there may be another.
pub(super) struct Held<T> {
    pub(super) token: Option<T>,
    /// `None`: it does not end.
    renewed: Option<Instant>,
    /// The last login.
    pub(super) tried: Option<Instant>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            token: None,
            renewed: None,
            tried: None,
        }
    }
}

impl<T> Held<T> {
    /// Whether it is time for a login. Until that has worked, a token is used that is still there.
    pub(super) fn may_log_in(&self, now: Instant) -> bool {
        let due = self.renewed.is_some_and(|at| at <= now);
        (self.token.is_none() || due) && !self.tried_just_before(now)
    }

    /// A login gave a token.
    pub(super) fn take(&mut self, token: T, lasts: Option<Duration>, now: Instant) {
        self.token = Some(token);
        // With a third of its life left.
        self.renewed = lasts.map(|lasts| now + lasts / 3 * 2);
    }

    /// The token is no good: the next that asks gets another, unless it is quite new.
    pub(super) fn refused(&mut self, now: Instant) {
        if !self.tried_just_before(now) {
            self.token = None;
        }
    }

    fn tried_just_before(&self, now: Instant) -> bool {
        self.tried
            .is_some_and(|tried| now.duration_since(tried) < PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_in_time_and_used_until_then() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut held = Held::default();
        assert!(held.may_log_in(start));
        held.tried = Some(start);
        assert!(!held.may_log_in(start + 4 * second), "one that failed");
        assert!(held.may_log_in(start + 5 * second));
        held.take("first", Some(90 * second), start);
        assert!(!held.may_log_in(start + 59 * second));
        assert!(held.may_log_in(start + 60 * second));
        held.tried = Some(start + 60 * second);
        assert!(!held.may_log_in(start + 61 * second));
        assert_eq!(held.token, Some("first"), "a third of its life is left");
        held.take("second", None, start + 60 * second);
        assert!(!held.may_log_in(start + 100_000 * second));
    }

    #[test]
    fn a_refused_token_is_given_up_unless_it_is_new() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut held = Held {
            tried: Some(start),
            ..Held::default()
        };
        held.take("token", None, start);
        held.refused(start + second);
        assert_eq!(held.token, Some("token"));
        held.refused(start + 5 * second);
        assert_eq!(held.token, None);
        assert!(held.may_log_in(start + 5 * second));
    }
}
