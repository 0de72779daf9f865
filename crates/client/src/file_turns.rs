//! Work on files of allocations, in turn: a few threads take one piece after the other as long as there are any. A piece
//! does not wake a thread of its own, which costs more than to make some directories.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many pieces are worked on at once: more would only wait for each other.
const MOST: usize = 4;

type Piece = Box<dyn FnOnce() + Send>;

/// The pieces that wait. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct FileTurns(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    /// bounded by a few for each allocation of the node.
    pieces: VecDeque<Piece>,
    threads: usize,
}

/// A piece of work was not done: it panicked, or the agent ends.
#[derive(Debug, thiserror::Error)]
#[error("the work on files was broken off")]
pub(crate) struct BrokenOff;

impl FileTurns {
    /// Does this when its turn has come.
    pub(crate) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BrokenOff> {
        let (done, result) = oneshot::channel();
        self.put(Box::new(move || {
            // Who asked may have gone.
            let _ = done.send(work());
        }));
        result.await.map_err(|_| BrokenOff)
    }

    fn put(&self, piece: Piece) {
        let mut waiting = self.lock();
        waiting.pieces.push_back(piece);
        if waiting.threads < MOST {
            waiting.threads += 1;
            let all = self.clone();
            tokio::task::spawn_blocking(move || all.work());
        }
    }

    fn work(&self) {
        loop {
            let mut waiting = self.lock();
            let Some(piece) = waiting.pieces.pop_front() else {
                waiting.threads -= 1;
                return;
            };
            drop(waiting);
            // Who asked hears of a panic; the others have their turn all the same.
            let _ = catch_unwind(AssertUnwindSafe(piece));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn everything_has_its_turn_and_never_too_much_at_once() {
        let (turns, now, most) = (
            FileTurns::default(),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let all = (0..200).map(|number| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            turns.take(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                assert!(number % 50 != 7, "one that fails");
                number
            })
        });
        let done = futures::future::join_all(all).await;
        assert_eq!(done.iter().filter(|result| result.is_err()).count(), 4);
        assert_eq!(done[199].as_ref().ok(), Some(&199));
        assert!((1..=MOST).contains(&most.load(Ordering::SeqCst)));
    }
}
