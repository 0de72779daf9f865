//! The handle on one node: start, bootstrap, status, snapshot, shutdown.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use openraft::{Raft, async_runtime::watch::WatchReceiver as _, errors::InitializeError};
use tokio::sync::watch;

use crate::{
    BootstrapError, Config, Leadership, Member, PeerInfo, PeerTransport, ProposeError, StartError,
    StateMachine, Status, Storage,
    inbound::Arriving,
    leadership,
    peer::client::PeerClients,
    raft::{RaftError, Types},
    status,
    store::{
        apply::Applier,
        disk::{self, Counters},
        log::LogStore,
        snapshot::SnapshotStore,
        snapshot_file,
    },
    ticker,
};

pub(crate) const LOG_FILE: &str = "raft.redb";
pub(crate) const SNAPSHOT_FILE: &str = "snapshot";
/// Longest wait for a sole voter to elect itself; its disk decides.
const SOLE_ELECTION: Duration = Duration::from_secs(10);
const SNAPSHOT_WAIT: Duration = Duration::from_secs(300);
const CLOSE_WAIT: Duration = Duration::from_secs(10);

type Library<M> = Raft<Types, Applier<M>>;

/// One node's part in the cluster. Cheap to clone; every clone is the same node.
pub struct Consensus<M: StateMachine> {
    inner: Arc<Inner<M>>,
}

pub(crate) struct Inner<M: StateMachine> {
    pub(crate) raft: Library<M>,
    config: Config,
    leadership: watch::Receiver<Leadership>,
    arriving: Mutex<Arriving>,
    counters: Arc<Counters>,
    started: Instant,
    /// Milliseconds after `started`, plus one; zero: no leader was heard yet.
    heard: AtomicU64,
    /// Whether the disk of the log has no room.
    full: Arc<AtomicBool>,
    closed: Option<watch::Receiver<bool>>,
}

impl<M: StateMachine> Clone for Consensus<M> {
    fn clone(&self) -> Self {
        Consensus {
            inner: Arc::clone(&self.inner),
        }
    }
}

struct Opened {
    log: LogStore,
    snapshots: SnapshotStore,
    counters: Arc<Counters>,
    full: Arc<AtomicBool>,
    closed: Option<watch::Receiver<bool>>,
}

impl<M: StateMachine> Consensus<M> {
    /// Opens this node's storage, restores the state machine from the snapshot, and takes part.
    ///
    /// A node that was part of a cluster rejoins it; a sole voter leads when this returns. A new
    /// node waits for [`Consensus::bootstrap`], or to be added by the leader.
    pub async fn start(
        config: Config,
        machine: M,
        transport: Arc<dyn PeerTransport>,
    ) -> Result<Consensus<M>, StartError> {
        let settings = config.to_raft()?;
        let opened = {
            let config = config.clone();
            tokio::task::spawn_blocking(move || open(&config))
                .await
                .map_err(|error| StartError::Raft(error.to_string()))?
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err((error, closed)) => {
                released(closed).await;
                return Err(error);
            }
        };
        let clients = PeerClients {
            node_id: config.node_id,
            transport,
        };
        let applier = Applier::new(machine, opened.snapshots);
        let raft = match Raft::new(config.node_id, settings, clients, opened.log, applier).await {
            Ok(raft) => raft,
            Err(fatal) => {
                released(opened.closed).await;
                return Err(StartError::Raft(fatal.to_string()));
            }
        };
        let (sender, leadership) = watch::channel(Leadership::default());
        let ended = raft.metrics();
        tokio::spawn(leadership::follow(
            raft.server_metrics(),
            sender,
            move || {
                status::failure(&ended.borrow_watched()).unwrap_or_else(|| "shut down".to_owned())
            },
        ));
        let node = Consensus {
            inner: Arc::new(Inner {
                raft,
                config,
                leadership,
                arriving: Mutex::default(),
                counters: opened.counters,
                started: Instant::now(),
                heard: AtomicU64::new(0),
                full: opened.full,
                closed: opened.closed,
            }),
        };
        let metrics = node.raft().server_metrics();
        tokio::spawn(ticker::follow(Arc::downgrade(&node.inner), metrics));
        node.lead_if_alone().await?;
        Ok(node)
    }

    /// Nobody else can be elected, so nobody has to be waited for.
    async fn lead_if_alone(&self) -> Result<(), StartError> {
        let initialized = self
            .raft()
            .is_initialized()
            .await
            .map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        let mut voters = self.members().into_iter().filter(|member| member.voter);
        let alone = voters
            .next()
            .is_some_and(|voter| voter.id == self.node_id())
            && voters.next().is_none();
        if !(initialized && alone) {
            return Ok(());
        }
        self.raft()
            .trigger()
            .elect(false)
            .await
            .map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        let mut leadership = self.leadership_changes();
        let elected = leadership.wait_for(|now| now.is_leader || now.stopped.is_some());
        match tokio::time::timeout(SOLE_ELECTION, elected).await {
            Ok(Ok(now)) => match &now.stopped {
                None => Ok(()),
                Some(reason) => Err(StartError::Raft(reason.clone())),
            },
            Ok(Err(closed)) => Err(StartError::Raft(closed.to_string())),
            Err(_) => Err(StartError::Raft(format!(
                "the only voter was not elected within {SOLE_ELECTION:?}"
            ))),
        }
    }

    /// Forms a new cluster of these voters; each of them may do so, with the same list.
    pub async fn bootstrap(&self, members: BTreeMap<u64, PeerInfo>) -> Result<(), BootstrapError> {
        let alone = members.len() == 1;
        match self.raft().initialize(members).await {
            Ok(()) => {}
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {
                return Err(BootstrapError::AlreadyDone);
            }
            Err(RaftError::APIError(InitializeError::NotInMembers(_))) => {
                return Err(BootstrapError::NotMember { id: self.node_id() });
            }
            Err(RaftError::Fatal(fatal)) => {
                return Err(BootstrapError::Stopped(fatal.to_string()));
            }
        }
        if alone {
            self.lead_if_alone()
                .await
                .map_err(|error| BootstrapError::Stopped(error.to_string()))?;
        }
        Ok(())
    }

    pub fn node_id(&self) -> u64 {
        self.inner.config.node_id
    }

    pub fn is_leader(&self) -> bool {
        self.inner.leadership.borrow().is_leader
    }

    pub fn leader(&self) -> Option<Member> {
        self.inner.leadership.borrow().leader.clone()
    }

    /// A receiver that sees every change of leader, and the end of raft on this node.
    pub fn leadership_changes(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// A member of a cluster, or about to be one: it has a log.
    pub fn is_bootstrapped(&self) -> bool {
        !self.members().is_empty()
    }

    pub fn status(&self) -> Status {
        let metrics = self.raft().metrics();
        let mut status = status::read(&metrics.borrow_watched());
        let data = self.raft().data_metrics();
        status.last_log_term = data.borrow_watched().last_log.map(|id| id.leader_id.term);
        status.last_contact = self.last_contact(&status);
        status.log_transactions = self.inner.counters.transactions.load(Ordering::Relaxed);
        status.log_entries = self.inner.counters.entries.load(Ordering::Relaxed);
        status
    }

    fn last_contact(&self, status: &Status) -> Option<Duration> {
        if status.role == status::Role::Leader {
            return Some(Duration::ZERO);
        }
        let heard = self.inner.heard.load(Ordering::Relaxed).checked_sub(1)?;
        let elapsed = self.inner.started.elapsed();
        Some(elapsed.saturating_sub(Duration::from_millis(heard)))
    }

    pub(crate) fn heard_from_leader(&self) {
        let millis = self.inner.started.elapsed().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.inner.heard.store(millis + 1, Ordering::Relaxed);
    }

    /// Freezes the state and writes it, unless that was done since the last change; returns the index that the
    /// snapshot holds.
    pub async fn trigger_snapshot(&self) -> Result<u64, ProposeError> {
        let stopped = |error: &dyn std::fmt::Display| ProposeError::Stopped(error.to_string());
        let Some(target) = self.status().applied else {
            return Err(ProposeError::NotLeader { leader: None });
        };
        let mut metrics = self.raft().metrics();
        let written = async {
            // One that is being written already lets no other one begin, and may hold less than what is asked for.
            let mut asked = None;
            loop {
                let (snapshot, failure) = {
                    let now = metrics.borrow_watched();
                    (now.snapshot.map(|id| id.index), status::failure(&now))
                };
                if let Some(reason) = failure {
                    return Err(ProposeError::Stopped(reason));
                }
                if let Some(index) = snapshot.filter(|index| *index >= target) {
                    return Ok(index);
                }
                if asked != Some(snapshot) {
                    asked = Some(snapshot);
                    let trigger = self.raft().trigger();
                    trigger.snapshot().await.map_err(|fatal| stopped(&fatal))?;
                }
                metrics.changed().await.map_err(|closed| stopped(&closed))?;
            }
        };
        tokio::time::timeout(SNAPSHOT_WAIT, written)
            .await
            .map_err(|_| ProposeError::Timeout(SNAPSHOT_WAIT))?
    }

    /// Ends this node's part and releases its files; what was acknowledged is durable already.
    pub async fn shutdown(&self) {
        // A vote that waits for room on the disk does not hold up the end.
        match tokio::time::timeout(CLOSE_WAIT, self.raft().shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "raft did not end cleanly"),
            Err(_) => tracing::warn!("raft did not end within {CLOSE_WAIT:?}"),
        }
        released(self.inner.closed.clone()).await;
    }

    /// Whether this node's disk has no room for what is to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.inner.full.load(Ordering::Relaxed)
    }

    pub(crate) fn raft(&self) -> &Library<M> {
        &self.inner.raft
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn arriving(&self) -> &Mutex<Arriving> {
        &self.inner.arriving
    }
}

/// Waits until the log's file is free again for another start.
async fn released(closed: Option<watch::Receiver<bool>>) {
    let Some(mut closed) = closed else { return };
    let released = closed.wait_for(|closed| *closed);
    if tokio::time::timeout(CLOSE_WAIT, released).await.is_err() {
        tracing::warn!("the raft log is still open");
    }
}

/// A refusal, and what tells when the log that had been opened is closed again.
type Refusal = (StartError, Option<watch::Receiver<bool>>);

fn open(config: &Config) -> Result<Opened, Refusal> {
    match &config.storage {
        Storage::Memory => Ok(Opened {
            log: LogStore::memory(),
            snapshots: SnapshotStore::memory(),
            counters: Arc::default(),
            full: Arc::default(),
            closed: None,
        }),
        Storage::Disk(directory) => open_disk(config, directory),
    }
}

fn open_disk(config: &Config, directory: &Path) -> Result<Opened, Refusal> {
    let io = |source| StartError::Io {
        path: directory.to_owned(),
        source,
    };
    fs::create_dir_all(directory).map_err(|error| (io(error), None))?;
    // Opening the log locks the directory; only then is the rest ours to touch.
    let log = disk::open(&directory.join(LOG_FILE), config.node_id, config.log_cache)
        .map_err(|error| (error, None))?;
    let closed = log.closed;
    let store = LogStore::on_disk(log.tail, log.disk);
    let path = directory.join(SNAPSHOT_FILE);
    let snapshots = snapshot_file::remove_leftovers(&path)
        .map_err(io)
        .and_then(|()| open_snapshot(&path, store.purged()));
    match snapshots {
        Ok(snapshots) => Ok(Opened {
            log: store,
            snapshots,
            counters: log.counters,
            full: log.full,
            closed: Some(closed),
        }),
        Err(error) => Err((error, Some(closed))),
    }
}

/// The snapshot, which must reach as far as the log was purged.
fn open_snapshot(path: &Path, purged: Option<u64>) -> Result<SnapshotStore, StartError> {
    let snapshots = SnapshotStore::open(path)?;
    let held = snapshots
        .meta()
        .and_then(|meta| meta.last_log_id)
        .map(|id| id.index);
    match purged {
        Some(purged) if held.is_none_or(|held| held < purged) => Err(StartError::MissingSnapshot {
            path: path.to_owned(),
            purged,
        }),
        _ => Ok(snapshots),
    }
}
