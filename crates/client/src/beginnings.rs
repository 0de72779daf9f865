//! How many allocations begin at once. A node that is given thousands makes them ready and starts them one after
//! another, rather than all of them half: what is in memory stays small, and the first run at once.
//!
//! An allocation has begun when a task of it was started, or could not be. One that takes longer, for an image or for
//! data of another node, does not hold the others back: after a moment it counts no more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// More would only compete for processors and disk.
const AT_ONCE: usize = 128;
/// How long one counts at most.
const LONGEST: Duration = Duration::from_secs(1);

/// The places.
pub(crate) struct Beginnings(Arc<Semaphore>);

/// One place; free again when this goes.
pub(crate) struct Beginning {
    _place: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl Default for Beginnings {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Beginnings {
    /// Waits for a place; who came first has the first.
    pub(crate) async fn take(&self) -> Beginning {
        // It is never closed.
        let place = Arc::clone(&self.0).acquire_owned().await.ok();
        Beginning {
            _place: place,
            until: Instant::now() + LONGEST,
        }
    }
}

/// When the place must be given back; never without one.
pub(crate) async fn is_over(beginning: Option<&Beginning>) {
    match beginning {
        Some(beginning) => tokio::time::sleep_until(beginning.until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_with_its_allocation_or_after_a_moment() {
        let places = Beginnings::default();
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(places.take().await);
        }
        let full = tokio::time::timeout(LONGEST / 2, places.take()).await;
        assert!(full.is_err(), "no more than that begin at once");
        taken.pop();
        taken.push(places.take().await);

        let began = Instant::now();
        is_over(taken.last()).await;
        assert_eq!(began.elapsed(), LONGEST);
        let never = tokio::time::timeout(LONGEST * 9, is_over(None)).await;
        assert!(never.is_err());
    }
}
