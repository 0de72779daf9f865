//! Growing pauses between attempts, with jitter so that many agents do not come back at once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Doubles from `first` up to `most`, each pause varied by a quarter either way.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// The pause after one more failure.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        jitter(doubled.min(self.most))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

fn jitter(pause: Duration) -> Duration {
    // The standard library's hasher keys are random per instance; enough to spread agents out.
    let random = RandomState::new().build_hasher().finish() % 512;
    pause.mul_f64(0.75 + random as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let within = |pause: Duration, ms: u64| {
            let ms = Duration::from_millis(ms);
            assert!(
                pause >= ms.mul_f64(0.74) && pause <= ms.mul_f64(1.26),
                "{pause:?} not near {ms:?}"
            );
        };
        for expected in [100, 200, 400, 800, 1000, 1000] {
            within(backoff.next_pause(), expected);
        }
        backoff.reset();
        within(backoff.next_pause(), 100);
        backoff.failures = u32::MAX - 1;
        within(backoff.next_pause(), 1000);
    }
}
