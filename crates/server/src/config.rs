//! What a server needs to know, resolved: no files, no flags.

use caravan_control::gc::GcThresholds;
use caravan_control::liveness::Pace;
use caravan_model::SchedulerConfiguration;
use std::collections::BTreeSet;
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
    /// How many batches of events are kept for late subscribers.
    pub event_buffer_size: usize,
    /// Whether requests need tokens.
    pub acl_enabled: bool,
    /// How long what garbage collection forgets must have been over.
    pub gc: GcThresholds,
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
            job_max_source_size: 1_000_000,
            job_max_priority: 100,
            job_default_priority: 50,
            job_max_count: 50_000,
            vault_clusters: BTreeSet::new(),
            event_buffer_size: 100,
            acl_enabled: false,
            gc: GcThresholds::default(),
        }
    }
}
