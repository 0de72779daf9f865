//! What the log drives.

use std::io;

use bytes::Bytes;

/// A committed command and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub index: u64,
    pub term: u64,
    pub command: Bytes,
}

/// Writes one frozen state; may be called more than once, on any thread.
pub type Capture = Box<dyn Fn(&mut dyn io::Write) -> io::Result<()> + Send + Sync>;

/// A snapshot that the state machine could not read; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("the state machine refused the snapshot: {0}")]
pub struct RestoreError(pub String);

/// Deterministic consumer of the log. Every method runs on one task, never two at a time.
pub trait StateMachine: Send + Sync + 'static {
    /// What the proposer gets back. It stays in this process: only the node that proposed sees it.
    type Reply: Send + Sync + 'static;

    /// Applies commands in order; returns one reply for each.
    fn apply(&mut self, batch: Vec<Committed>) -> Vec<Self::Reply>;

    /// An index that carries no command (an election, a membership change) has been passed.
    fn advance(&mut self, index: u64);

    /// Freezes the present state cheaply; the returned closure serialises it elsewhere.
    fn snapshot(&self) -> Capture;

    /// Replaces the state by a snapshot of `index`; all or nothing.
    fn restore(&mut self, index: u64, data: &[u8]) -> Result<(), RestoreError>;
}
