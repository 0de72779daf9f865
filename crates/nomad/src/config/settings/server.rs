//! The `server` block.

use std::path::PathBuf;
use std::time::Duration;

use super::super::setting::section;
use super::super::units::Bytes;
use super::{ServerJoin, later};

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const fn hours(count: u64) -> Duration {
    minutes(60 * count)
}

section! {
    Server {
        enabled: bool = false;
        bootstrap_expect: u32 = 0;
        data_dir: PathBuf = PathBuf::new();
        authoritative_region: String = String::new();
        encrypt: String = String::new(), later later::GOSSIP;
        raft_protocol: u32 = 3;
        raft_multiplier: u32 = 1;
        raft_snapshot_threshold: u64 = 8192;
        raft_snapshot_interval: Duration = Duration::from_secs(120);
        raft_trailing_logs: u64 = 10_240;
        raft_boltdb: BoltDb = BoltDb::default(), later later::RAFT_STORE;
        raft_logstore: RaftLogStore = RaftLogStore::default(), later later::RAFT_STORE;
        num_schedulers: Option<u32> = None;
        enabled_schedulers: Option<Vec<String>> = None;
        node_gc_threshold: Duration = hours(24);
        job_gc_interval: Duration = minutes(5);
        job_gc_threshold: Duration = hours(4);
        eval_gc_threshold: Duration = hours(1);
        batch_eval_gc_threshold: Duration = hours(24);
        deployment_gc_threshold: Duration = hours(1);
        csi_volume_claim_gc_interval: Duration = minutes(5);
        csi_volume_claim_gc_threshold: Duration = minutes(5);
        csi_plugin_gc_threshold: Duration = hours(1);
        acl_token_gc_threshold: Duration = hours(1);
        root_key_gc_interval: Duration = minutes(10);
        root_key_gc_threshold: Duration = hours(1);
        root_key_rotation_threshold: Duration = hours(720);
        heartbeat_grace: Duration = Duration::from_secs(10);
        min_heartbeat_ttl: Duration = Duration::from_secs(10);
        max_heartbeats_per_second: f64 = 50.0;
        failover_heartbeat_ttl: Duration = minutes(5);
        server_join: ServerJoin = ServerJoin::default();
        start_join: Vec<String> = Vec::new();
        retry_join: Vec<String> = Vec::new();
        retry_interval: Option<Duration> = None;
        retry_max: Option<u32> = None;
        rejoin_after_leave: bool = false;
        non_voting_server: bool = false, later later::AUTOPILOT;
        redundancy_zone: String = String::new(), later later::AUTOPILOT;
        upgrade_version: String = String::new(), later later::AUTOPILOT;
        default_scheduler_config: Option<SchedulerConfig> = None;
        plan_rejection_tracker: PlanRejectionTracker = PlanRejectionTracker::default();
        plan_apply_pipeline: u32 = 1;
        enable_event_broker: bool = true;
        event_buffer_size: u32 = 100;
        license_path: String = String::new(), later later::LICENCE;
        license_env: String = String::new(), later later::LICENCE;
        start_timeout: Duration = Duration::from_secs(30);
        search: Search = Search::default();
        deploy_query_rate_limit: f64 = 0.0;
        job_default_priority: u32 = 50;
        job_max_priority: u32 = 100;
        job_max_count: u32 = 50_000;
        job_max_source_size: Bytes = Bytes(1_000_000);
        job_tracked_versions: u32 = 6;
        client_introduction: ClientIntroduction = ClientIntroduction::default(), later later::CLOUD;
        oidc_issuer: String = String::new();
        non_production: bool = false, later later::LICENCE;
        log_file: PathBuf = PathBuf::new();
    }
}

section! {
    BoltDb {
        no_freelist_sync: bool = false;
    }
}

section! {
    RaftLogStore {
        backend: String = "boltdb".into();
        disable_log_cache: bool = false;
        boltdb: BoltDb = BoltDb::default();
        wal: Wal = Wal::default();
        verification: Verification = Verification::default();
    }
}

section! {
    Wal {
        segment_size_mb: u32 = 64;
    }
}

section! {
    Verification {
        enabled: bool = false;
        interval: Duration = Duration::ZERO;
    }
}

section! {
    /// The scheduler's settings of a *new* cluster; afterwards they live in the replicated state.
    SchedulerConfig {
        scheduler_algorithm: String = "binpack".into();
        preemption_config: Preemption = Preemption::default();
        memory_oversubscription_enabled: bool = false;
        reject_job_registration: bool = false;
        pause_eval_broker: bool = false;
    }
}

section! {
    Preemption {
        system_scheduler_enabled: bool = true;
        sysbatch_scheduler_enabled: bool = false;
        batch_scheduler_enabled: bool = false;
        service_scheduler_enabled: bool = false;
    }
}

section! {
    PlanRejectionTracker {
        enabled: bool = false;
        node_threshold: u32 = 100;
        node_window: Duration = minutes(5);
    }
}

section! {
    Search {
        fuzzy_enabled: bool = true;
        limit_query: u32 = 20;
        limit_results: u32 = 100;
        min_term_length: u32 = 2;
    }
}

section! {
    ClientIntroduction {
        enforcement: String = "warn".into();
        default_identity_ttl: Duration = minutes(5);
        max_identity_ttl: Duration = minutes(30);
    }
}

section! {
    Autopilot {
        cleanup_dead_servers: bool = true;
        last_contact_threshold: Duration = Duration::from_millis(200);
        max_trailing_logs: u32 = 250;
        server_stabilization_time: Duration = Duration::from_secs(10);
        min_quorum: u32 = 0;
        enable_redundancy_zones: bool = false;
        disable_upgrade_migration: bool = false;
        enable_custom_upgrades: bool = false;
    }
}
