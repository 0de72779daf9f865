//! What one node needs to know to take part.

use std::{path::PathBuf, sync::Arc, time::Duration};

use openraft::{Config as RaftConfig, SnapshotPolicy};

use crate::StartError;

/// Where log, vote and snapshot live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nothing survives the process (`-dev`).
    Memory,
    /// A directory that this node alone uses; created when absent.
    Disk(PathBuf),
}

/// Settings of one node; [`Config::new`] has the defaults that servers use.
#[derive(Debug, Clone)]
pub struct Config {
    /// Never reused for another node of the same cluster.
    pub node_id: u64,
    /// Appears in the Raft library's log lines.
    pub cluster: String,
    pub storage: Storage,
    pub heartbeat: Duration,
    /// An election starts after a silence between this and `election_max`.
    pub election_min: Duration,
    pub election_max: Duration,
    /// A snapshot is taken after so many log entries.
    pub snapshot_threshold: u64,
    /// Entries kept behind a snapshot, so that a follower that blinked needs no snapshot.
    pub trailing_logs: u64,
    /// How long a proposal may wait for its quorum.
    pub propose_timeout: Duration,
    /// How long a proposal waits for an election before it reports that there is no leader.
    pub leader_wait: Duration,
    /// Longest command that is accepted.
    pub command_limit: usize,
    /// Bytes of recent, already durable entries that stay in memory.
    pub log_cache: usize,
}

impl Config {
    pub fn new(node_id: u64, storage: Storage) -> Config {
        Config {
            node_id,
            cluster: "caravan".to_owned(),
            storage,
            // Autopilot calls a server ill that was not heard of for 200 ms.
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(1000),
            election_max: Duration::from_millis(2000),
            snapshot_threshold: 8192,
            trailing_logs: 2048,
            propose_timeout: Duration::from_secs(30),
            leader_wait: Duration::from_secs(6),
            command_limit: 64 << 20,
            log_cache: 1 << 20,
        }
    }

    pub(crate) fn to_raft(&self) -> Result<Arc<RaftConfig>, StartError> {
        let config = RaftConfig {
            cluster_name: self.cluster.clone(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election_min),
            election_timeout_max: millis(self.election_max),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_threshold),
            max_in_snapshot_log_to_keep: self.trailing_logs,
            // A follower further behind than a snapshot plus its trail is not worth replaying to.
            replication_lag_threshold: self.snapshot_threshold + self.trailing_logs + 1,
            purge_batch_size: 1,
            max_payload_entries: 1024,
            install_snapshot_timeout: 60_000,
            enable_pre_vote: Some(true),
            // A restarted leader has to be elected again: only then is its whole log known to be
            // committed before it answers reads.
            enable_leader_restore: Some(false),
            backoff: "50ms 100ms 200ms ...1s".to_owned(),
            ..RaftConfig::default()
        };
        config
            .validate()
            .map(Arc::new)
            .map_err(|error| StartError::Config(error.to_string()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
