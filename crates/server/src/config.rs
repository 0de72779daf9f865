//! What a server needs to know, resolved: no files, no flags.

use caravan_consensus::Storage;
use caravan_control::gc::GcThresholds;
use caravan_control::liveness::Pace;
use caravan_control::rejections::RejectionLimit;
use caravan_model::{Identity, SchedulerConfiguration};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The configuration of one server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Its name in the cluster: `<node name>.<region>`.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Where the log lives; none keeps everything in memory.
    pub data_dir: Option<PathBuf>,
    /// `ip:port` at which other agents reach its RPC listener.
    pub rpc_address: String,
    /// How many workers schedule.
    pub schedulers: usize,
    /// How many servers form the cluster at first.
    pub bootstrap_expect: usize,
    /// The first scheduler configuration of a new cluster.
    pub default_scheduler_config: SchedulerConfiguration,
    /// How heartbeats are paced.
    pub pace: Pace,
    /// When a node has rejected so many plans that it takes no more; none when that never is.
    pub plan_rejections: Option<RejectionLimit>,
    /// Job sources larger than this (bytes) are not kept.
    pub job_max_source_size: usize,
    /// The highest priority that a job may have.
    pub job_max_priority: i64,
    /// The priority of jobs that name none.
    pub job_default_priority: i64,
    /// How many allocations the groups of one job may ask for together.
    pub job_max_count: i64,
    /// The Vault clusters that jobs may use.
    pub vault_clusters: BTreeSet<String>,
    /// The identities that tasks log in with at Vault which declare none, by cluster.
    pub vault_identities: BTreeMap<String, Identity>,
    /// The same for Consul.
    pub consul_identities: BTreeMap<String, Identity>,
    /// Those that services in Consul log in with which declare none, by cluster.
    pub consul_service_identities: BTreeMap<String, Identity>,
    /// How many batches of events are kept for late subscribers.
    pub event_buffer_size: usize,
    /// Whether requests need tokens.
    pub acl_enabled: bool,
    /// How short and how long tokens may live that end by themselves.
    pub token_life: (caravan_model::Duration, caravan_model::Duration),
    /// How long what garbage collection forgets must have been over.
    pub gc: GcThresholds,
    /// How the replicated log is kept.
    pub raft: RaftTuning,
}

/// How the replicated log is kept; the defaults fit a local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaftTuning {
    /// Times of heartbeats and elections are multiplied by this.
    pub multiplier: u32,
    /// A snapshot is taken after so many entries.
    pub snapshot_threshold: u64,
    /// Entries that are kept behind a snapshot.
    pub trailing_logs: u64,
}

impl Default for RaftTuning {
    fn default() -> Self {
        Self {
            multiplier: 1,
            snapshot_threshold: 8192,
            trailing_logs: 10_240,
        }
    }
}

impl RaftTuning {
    /// The settings of a node of the log.
    pub(crate) fn of_node(self, node_id: u64, storage: Storage) -> caravan_consensus::Config {
        let usual = caravan_consensus::Config::new(node_id, storage);
        caravan_consensus::Config {
            heartbeat: usual.heartbeat * self.multiplier,
            election_min: usual.election_min * self.multiplier,
            election_max: usual.election_max * self.multiplier,
            snapshot_threshold: self.snapshot_threshold,
            trailing_logs: self.trailing_logs,
            ..usual
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            name: "local.global".to_owned(),
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            data_dir: None,
            rpc_address: "127.0.0.1:4647".to_owned(),
            schedulers: std::thread::available_parallelism().map_or(1, usize::from),
            bootstrap_expect: 1,
            default_scheduler_config: SchedulerConfiguration::initial(),
            pace: Pace::default(),
            plan_rejections: None,
            job_max_source_size: 1_000_000,
            job_max_priority: 100,
            job_default_priority: 50,
            job_max_count: 50_000,
            vault_clusters: BTreeSet::new(),
            vault_identities: BTreeMap::new(),
            consul_identities: BTreeMap::new(),
            consul_service_identities: BTreeMap::new(),
            event_buffer_size: 100,
            acl_enabled: false,
            token_life: (
                caravan_model::Duration::from_secs(60),
                caravan_model::Duration::from_secs(24 * 3600),
            ),
            gc: GcThresholds::default(),
            raft: RaftTuning::default(),
        }
    }
}
