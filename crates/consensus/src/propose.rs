//! Proposals and reads that must see everything acknowledged before.

use std::time::Duration;

use bytes::Bytes;
use openraft::{
    ReadPolicy,
    async_runtime::watch::WatchReceiver as _,
    errors::{ForwardReason, LinearizableReadError},
};
use tokio::time::Instant;

use crate::{
    Consensus, ProposeError, StateMachine, TransferError,
    raft::{ClientWriteError, Command, ForwardToLeader, RaftError},
    status::member,
};

/// First pause before a refused call is tried again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// An acknowledged command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied<R> {
    pub index: u64,
    pub reply: R,
}

impl<M: StateMachine> Consensus<M> {
    /// Returns once the command is durable on a quorum and applied on this node.
    ///
    /// A fresh leader's first moments (no quorum has answered it yet) and elections under way are
    /// waited for; only a known other leader, or none for too long, is an error.
    pub async fn propose(
        &self,
        command: impl Into<Bytes>,
    ) -> Result<Applied<M::Reply>, ProposeError> {
        let bytes = command.into();
        self.append(Command {
            bytes,
            patient: false,
        })
        .await
    }

    /// The same for what nobody is in a hurry for: as long as nothing else is to be written, its write waits as long
    /// as one takes, so that it does not hold up what comes a moment later.
    pub async fn propose_patiently(
        &self,
        command: impl Into<Bytes>,
    ) -> Result<Applied<M::Reply>, ProposeError> {
        let bytes = command.into();
        self.append(Command {
            bytes,
            patient: true,
        })
        .await
    }

    async fn append(&self, command: Command) -> Result<Applied<M::Reply>, ProposeError> {
        let (size, limit) = (command.bytes.len(), self.config().command_limit);
        if size > limit {
            return Err(ProposeError::TooLarge { size, limit });
        }
        if self.is_full() {
            return Err(self.without_room().await);
        }
        let written = self
            .when_ready(|| self.raft().client_write(command.clone()), refused_write)
            .await?;
        let reply = written
            .data
            .0
            .and_then(|reply| reply.downcast::<M::Reply>().ok())
            .ok_or_else(|| ProposeError::Stopped("the state machine gave no reply".to_owned()))?;
        Ok(Applied {
            index: written.log_id.index,
            reply: *reply,
        })
    }

    /// A node that cannot write does not lead those who can.
    async fn without_room(&self) -> ProposeError {
        match self.transfer_leadership(None).await {
            Ok(_) | Err(TransferError::NotLeader { leader: Some(_) }) => ProposeError::NotLeader {
                leader: self.leader(),
            },
            Err(_) => ProposeError::DiskFull,
        }
    }

    /// Confirms with a quorum that this node still leads, and waits until everything that was
    /// acknowledged before the call is applied here; returns the index of that.
    pub async fn barrier(&self) -> Result<u64, ProposeError> {
        let read = self
            .when_ready(
                || self.raft().ensure_linearizable(ReadPolicy::ReadIndex),
                refused_read,
            )
            .await?;
        Ok(read.log_id().index)
    }

    /// Calls until it succeeds, the time is up, or there is no point in another try.
    pub(crate) async fn when_ready<T, E, F, C>(
        &self,
        call: C,
        refused: impl Fn(E) -> Refused,
    ) -> Result<T, ProposeError>
    where
        C: Fn() -> F,
        F: Future<Output = Result<T, RaftError<E>>>,
        E: std::error::Error,
    {
        let timeout = self.config().propose_timeout;
        let started = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let result = tokio::time::timeout_at(started + timeout, call())
                .await
                .map_err(|_| ProposeError::Timeout(timeout))?;
            let forward = match result {
                Ok(value) => return Ok(value),
                Err(RaftError::Fatal(fatal)) => {
                    return Err(ProposeError::Stopped(fatal.to_string()));
                }
                Err(RaftError::APIError(error)) => match refused(error) {
                    Refused::Final(error) => return Err(error),
                    Refused::Forward(forward) => forward,
                },
            };
            if let Some(leader) = self.other_leader(&forward) {
                return Err(ProposeError::NotLeader {
                    leader: Some(leader),
                });
            }
            if started.elapsed() >= self.config().leader_wait {
                return Err(ProposeError::NotLeader { leader: None });
            }
            self.pause(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The leader that the library points to, unless it is this node or a departing one.
    fn other_leader(&self, forward: &ForwardToLeader) -> Option<crate::Member> {
        let id = forward.leader_id.filter(|id| *id != self.node_id())?;
        if forward.reason == ForwardReason::LeadershipTransfer {
            // The successor was not elected yet.
            return None;
        }
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        member(&metrics.membership_config, id)
    }

    /// Sleeps, but not longer than until leadership changes.
    async fn pause(&self, pause: Duration) {
        let mut leadership = self.leadership_changes();
        leadership.mark_unchanged();
        // Either way the next attempt tells more.
        let _ = tokio::time::timeout(pause, leadership.changed()).await;
    }
}

/// Why the library did not do it.
pub(crate) enum Refused {
    Forward(Box<ForwardToLeader>),
    Final(ProposeError),
}

pub(crate) fn refused_write(error: ClientWriteError) -> Refused {
    match error {
        ClientWriteError::ForwardToLeader(forward) => Refused::Forward(Box::new(forward)),
        ClientWriteError::LogEntryDiscarded(_) => Refused::Final(ProposeError::Unknown),
        other @ (ClientWriteError::ChangeMembershipError(_)
        | ClientWriteError::PreconditionFailed(_)) => {
            Refused::Final(ProposeError::Stopped(other.to_string()))
        }
    }
}

fn refused_read(error: LinearizableReadError<crate::raft::Types>) -> Refused {
    match error {
        LinearizableReadError::ForwardToLeader(forward) => Refused::Forward(Box::new(forward)),
        // No quorum answered in time: the leader may be about to step down.
        LinearizableReadError::QuorumNotEnough(_) => {
            Refused::Forward(Box::new(ForwardToLeader::empty()))
        }
    }
}
