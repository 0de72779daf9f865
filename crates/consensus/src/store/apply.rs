//! Feeds committed entries to the state machine, and takes and installs its snapshots.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot,
    storage::{ApplyResponder, EntryResponder, RaftStateMachine},
};

use crate::{
    Capture, Committed, StateMachine,
    raft::{Erased, LeaderId, LogId, SnapshotMeta, StoredMembership, Types},
    record::PeerInfo,
    store::snapshot::{Body, SnapshotStore},
};

/// Pause after a snapshot that could not be written; the next attempt comes with the next commit.
const FAILED_PAUSE: Duration = Duration::from_secs(10);
/// Commands that are applied in one call; the watchers of the state wake once for each call.
const BATCH: usize = 1024;

type StoredSnapshot = Snapshot<LeaderId, u64, PeerInfo, Body>;
type Responder = Option<ApplyResponder<Types>>;

/// The state machine and how far it has come.
pub(crate) struct Applier<M> {
    machine: M,
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshots: SnapshotStore,
}

impl<M: StateMachine> Applier<M> {
    pub(crate) fn new(machine: M, snapshots: SnapshotStore) -> Applier<M> {
        Applier {
            machine,
            applied: None,
            membership: StoredMembership::default(),
            snapshots,
        }
    }

    fn flush(
        &mut self,
        batch: &mut Vec<Committed>,
        responders: &mut Vec<Responder>,
    ) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let expected = batch.len();
        let first = batch[0].index;
        let commands = std::mem::take(batch);
        // A state machine that panics would do so on every node and at every start: this one stops
        // with a reason instead of leaving its proposers waiting. The broken machine is not used
        // again.
        let replies =
            catch_unwind(AssertUnwindSafe(|| self.machine.apply(commands))).map_err(|_| {
                io::Error::other(format!("the state machine panicked after index {first}"))
            })?;
        if replies.len() != expected {
            return Err(io::Error::other(format!(
                "the state machine gave {} replies to {expected} commands",
                replies.len()
            )));
        }
        for (reply, responder) in replies.into_iter().zip(responders.drain(..)) {
            if let Some(responder) = responder {
                responder.send(Erased(Some(Box::new(reply))));
            }
        }
        Ok(())
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
        }
    }
}

impl<M: StateMachine> RaftStateMachine<Types> for Applier<M> {
    type SnapshotData = Body;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Vec::new();
        let mut responders = Vec::new();
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let id = entry.log_id;
            match entry.payload {
                EntryPayload::Normal(command) => {
                    batch.push(Committed {
                        index: id.index,
                        term: id.leader_id.term,
                        command: command.bytes,
                    });
                    responders.push(responder);
                    if batch.len() >= BATCH {
                        self.flush(&mut batch, &mut responders)?;
                    }
                }
                EntryPayload::Blank | EntryPayload::Membership(_) => {
                    self.flush(&mut batch, &mut responders)?;
                    self.machine.advance(id.index);
                    if let EntryPayload::Membership(membership) = entry.payload {
                        self.membership = StoredMembership::new(Some(id), membership);
                    }
                    if let Some(responder) = responder {
                        responder.send(Erased(None));
                    }
                }
            }
            self.applied = Some(id);
        }
        self.flush(&mut batch, &mut responders)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            meta: self.meta(),
            capture: Some(self.machine.snapshot()),
            snapshots: self.snapshots.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Body,
    ) -> Result<(), io::Error> {
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let data = blocking(move || snapshot.load()).await?;
        self.machine
            .restore(index, &data)
            .map_err(io::Error::other)?;
        // After a restart it is the very one that is kept.
        if self.snapshots.meta().as_ref() != Some(meta) {
            let (snapshots, meta) = (self.snapshots.clone(), meta.clone());
            blocking(move || snapshots.save_received(&meta, data)).await?;
        }
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<StoredSnapshot>, io::Error> {
        Ok(self
            .snapshots
            .current()?
            .map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// A frozen state on its way to rest.
pub(crate) struct Builder {
    meta: SnapshotMeta,
    capture: Option<Capture>,
    snapshots: SnapshotStore,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Body;

    async fn build_snapshot(&mut self) -> Result<StoredSnapshot, io::Error> {
        let capture = self
            .capture
            .take()
            .ok_or_else(|| io::Error::other("this snapshot was built before"))?;
        let (snapshots, meta) = (self.snapshots.clone(), self.meta.clone());
        if let Err(error) = blocking(move || snapshots.save(&meta, capture)).await {
            // An error would end raft on this node, but nothing is lost: the log stays as it is.
            tracing::error!(%error, "raft snapshot cannot be written; the log is kept");
            tokio::time::sleep(FAILED_PAUSE).await;
        }
        let (meta, snapshot) = self
            .snapshots
            .current()?
            .unwrap_or_else(|| (SnapshotMeta::default(), Body::Bytes(Bytes::new())));
        Ok(Snapshot { meta, snapshot })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
