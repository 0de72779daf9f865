//! What the log drives: decodes commands, applies them to the state, publishes the result.

use crate::log_size::LogSize;
use crate::store::Store;
use bytes::Bytes;
use caravan_consensus::{Capture, Committed, RestoreError, StateMachine};
use caravan_state::{Applied, ApplyError, Command, State};
use caravan_telemetry as telemetry;
use caravan_wire::{Format, WireError};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// The frame of a command in the log. Version 1 is a msgpack map of `caravan_state::Command`.
const COMMAND: Format = Format {
    name: "command",
    kind: 0x4301,
    version: 1,
    limit: 64 << 20,
};

/// What became of one command.
pub type Reply = Result<Arc<Applied>, ApplyError>;

/// A command as the log holds it.
///
/// # Errors
/// A command too large for the log.
pub(crate) fn encode(command: &Command) -> Result<Bytes, WireError> {
    COMMAND.encode(command).map(Bytes::from)
}

/// The command that bytes of the log are.
pub(crate) fn decode(bytes: &[u8]) -> Result<Command, WireError> {
    COMMAND.decode(bytes)
}

/// The replicated state behind the log.
pub struct Fsm {
    state: State,
    store: Store,
    log_size: Arc<LogSize>,
}

impl Fsm {
    /// A state machine that begins with what the store publishes.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            state: State::clone(&store.snapshot()),
            store,
            log_size: Arc::default(),
        }
    }

    pub(crate) fn log_size(&self) -> Arc<LogSize> {
        Arc::clone(&self.log_size)
    }

    fn apply_one(&mut self, committed: &Committed) -> Reply {
        let command: Command = COMMAND.decode(&committed.command).unwrap_or_else(|error| {
            // A server that skips what it cannot read would silently disagree with its peers.
            panic!(
                "the log's entry {} cannot be read by this version: {error}",
                committed.index
            )
        });
        let (timer, began) = (crate::measured::of_command(&command), Instant::now());
        let reply = self.state.apply(committed.index, command).map(Arc::new);
        telemetry::took(timer, began);
        reply
    }
}

/// Passes bytes on and counts them.
struct Counted<'o> {
    out: &'o mut dyn io::Write,
    bytes: usize,
}

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.bytes += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl StateMachine for Fsm {
    type Reply = Reply;

    fn apply(&mut self, batch: Vec<Committed>) -> Vec<Reply> {
        let began = Instant::now();
        let replies: Vec<Reply> = batch
            .iter()
            .map(|committed| self.apply_one(committed))
            .collect();
        let applied = replies
            .iter()
            .filter_map(|reply| reply.as_ref().ok().map(|applied| Applied::clone(applied)));
        self.store.publish(self.state.clone(), applied.collect());
        telemetry::took("nomad.raft.fsm.apply", began);
        self.log_size
            .add(batch.iter().map(|committed| committed.command.len()).sum());
        replies
    }

    fn advance(&mut self, index: u64) {
        self.state.advance(index);
        self.store.publish(self.state.clone(), Vec::new());
    }

    fn snapshot(&self) -> Capture {
        let (state, log_size) = (self.state.clone(), self.log_size());
        log_size.begin_anew();
        Box::new(move |out| {
            let mut counted = Counted { out, bytes: 0 };
            state.dump_into(&mut counted)?;
            log_size.saved(counted.bytes);
            Ok(())
        })
    }

    fn restore(&mut self, index: u64, data: &[u8]) -> Result<(), RestoreError> {
        let mut state = State::restore(data).map_err(|error| RestoreError(error.to_string()))?;
        state.advance(index);
        self.state = state.clone();
        self.store.replace(state);
        Ok(())
    }
}
