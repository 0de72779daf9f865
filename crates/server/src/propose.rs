//! Proposes commands: encodes, replicates, waits until applied here.

use crate::fsm::{self, Fsm};
use caravan_consensus::{Consensus, ProposeError as LogError};
use caravan_state::{Applied, ApplyError, Command};
use caravan_telemetry as telemetry;
use std::sync::Arc;
use std::time::Instant;

/// Why a command did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The state refused it; nothing was changed.
    #[error(transparent)]
    Refused(#[from] ApplyError),
    /// There is no leader, or it is another server.
    #[error("No cluster leader")]
    NoLeader,
    /// The command is too large for the log.
    #[error("the change is too large: {0}")]
    TooLarge(String),
    /// The log failed; whether the command came about is not known.
    #[error("the replicated log failed: {0}")]
    Log(String),
}

/// Puts commands through the log.
#[derive(Clone)]
pub struct Proposer {
    consensus: Consensus<Fsm>,
}

impl Proposer {
    pub(crate) fn new(consensus: Consensus<Fsm>) -> Self {
        Self { consensus }
    }

    /// Replicates a command and returns what it did, with its index.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn propose(&self, command: &Command) -> Result<Arc<Applied>, ProposeError> {
        self.put_through(command, false).await
    }

    /// The same for what nobody is in a hurry for: it lets others go first.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn propose_patiently(&self, command: &Command) -> Result<Arc<Applied>, ProposeError> {
        self.put_through(command, true).await
    }

    async fn put_through(
        &self,
        command: &Command,
        patient: bool,
    ) -> Result<Arc<Applied>, ProposeError> {
        let bytes =
            fsm::encode(command).map_err(|error| ProposeError::TooLarge(error.to_string()))?;
        let began = Instant::now();
        let proposed = match patient {
            true => self.consensus.propose_patiently(bytes).await,
            false => self.consensus.propose(bytes).await,
        };
        let applied = proposed.map_err(|error| match error {
            LogError::NotLeader { .. } => ProposeError::NoLeader,
            LogError::TooLarge { .. } => ProposeError::TooLarge(error.to_string()),
            other => ProposeError::Log(other.to_string()),
        })?;
        telemetry::count("nomad.raft.apply");
        telemetry::took("nomad.raft.commitTime", began);
        applied.reply.map_err(ProposeError::Refused)
    }
}
