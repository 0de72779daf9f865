//! The `client` block.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::super::setting::{Labelled, section};
use super::super::units::Bytes;
use super::{ServerJoin, later};

section! {
    Client {
        enabled: bool = false;
        servers: Vec<String> = Vec::new();
        server_join: ServerJoin = ServerJoin::default();
        state_dir: PathBuf = PathBuf::new();
        alloc_dir: PathBuf = PathBuf::new();
        alloc_mounts_dir: PathBuf = PathBuf::new();
        host_volumes_dir: PathBuf = PathBuf::new();
        host_volume_plugin_dir: PathBuf = PathBuf::new();
        common_plugin_dir: PathBuf = PathBuf::new();
        node_class: String = String::new();
        node_pool: String = "default".into();
        meta: BTreeMap<String, String> = BTreeMap::new();
        options: BTreeMap<String, String> = BTreeMap::new();
        chroot_env: BTreeMap<String, String> = BTreeMap::new();
        network_interface: String = String::new();
        network_speed: u32 = 0;
        preferred_address_family: String = String::new();
        cpu_total_compute: u32 = 0;
        cpu_disable_dmidecode: bool = false;
        memory_total_mb: u32 = 0;
        disk_total_mb: u64 = 0;
        disk_free_mb: u64 = 0;
        reservable_cores: String = String::new();
        max_kill_timeout: Duration = Duration::from_secs(30);
        client_min_port: u16 = 14_000;
        client_max_port: u16 = 14_512;
        min_dynamic_port: u16 = 20_000;
        max_dynamic_port: u16 = 32_000;
        reserved: Reserved = Reserved::default();
        gc_interval: Duration = Duration::from_secs(60);
        gc_parallel_destroys: u32 = 2;
        gc_disk_usage_threshold: f64 = 80.0;
        gc_inode_usage_threshold: f64 = 70.0;
        gc_max_allocs: u32 = 50;
        gc_volumes_on_node_gc: bool = false;
        node_max_allocs: u32 = 0;
        no_host_uuid: bool = true;
        disable_remote_exec: bool = false;
        template: Template = Template::default();
        artifact: Artifact = Artifact::default();
        host_volume: Labelled<HostVolume> = Labelled::default();
        host_network: Labelled<HostNetwork> = Labelled::default();
        bind_wildcard_default_host_network: bool = true;
        cni_path: String = "/opt/cni/bin:/usr/libexec/cni".into();
        cni_config_dir: PathBuf = "/opt/cni/config".into();
        bridge_network_name: String = "nomad".into();
        bridge_network_subnet: String = "172.26.64.0/20".into();
        bridge_network_subnet_ipv6: String = String::new();
        bridge_network_hairpin_mode: bool = false;
        cgroup_parent: String = String::new();
        nomad_service_discovery: bool = true;
        drain_on_shutdown: Option<DrainOnShutdown> = None;
        users: Users = Users::default();
        fingerprint: Labelled<Fingerprint> = Labelled::default();
        default_ineligible: bool = false;
        log_file: PathBuf = PathBuf::new();
        intro_token: String = String::new(), later later::CLOUD;
    }
}

section! {
    /// What the node keeps for itself.
    Reserved {
        cpu: u32 = 0;
        memory: u32 = 0;
        disk: u64 = 0;
        cores: String = String::new();
        reserved_ports: String = String::new();
    }
}

section! {
    HostVolume {
        path: PathBuf = PathBuf::new();
        read_only: bool = false;
    }
}

section! {
    HostNetwork {
        cidr: String = String::new();
        interface: String = String::new();
        reserved_ports: String = String::new();
    }
}

section! {
    DrainOnShutdown {
        deadline: Duration = Duration::from_secs(3600);
        force: bool = false;
        ignore_system_jobs: bool = false;
    }
}

section! {
    Users {
        dynamic_user_min: u32 = 80_000;
        dynamic_user_max: u32 = 89_999;
    }
}

section! {
    Fingerprint {
        retry_interval: Duration = Duration::ZERO;
        retry_attempts: i64 = 0;
        exit_on_failure: bool = false;
    }
}

section! {
    /// Bounds for artifact downloads.
    Artifact {
        http_read_timeout: Duration = HALF_HOUR;
        http_max_size: Bytes = HUNDRED_GB;
        gcs_timeout: Duration = HALF_HOUR;
        git_timeout: Duration = HALF_HOUR;
        hg_timeout: Duration = HALF_HOUR;
        s3_timeout: Duration = HALF_HOUR;
        decompression_size_limit: Bytes = HUNDRED_GB;
        decompression_file_count_limit: u32 = 4096;
        disable_artifact_inspection: bool = false;
        disable_filesystem_isolation: bool = false;
        filesystem_isolation_extra_paths: Vec<String> = Vec::new();
        set_environment_variables: String = String::new();
    }
}

const HALF_HOUR: Duration = Duration::from_secs(1800);
const HUNDRED_GB: Bytes = Bytes(100_000_000_000);

section! {
    Template {
        function_denylist: Vec<String> = ["executeTemplate", "plugin", "writeToFile"].map(String::from).to_vec();
        function_blacklist: Vec<String> = Vec::new();
        disable_file_sandbox: bool = false;
        max_stale: Duration = Duration::from_secs(87_600 * 3600);
        block_query_wait: Duration = Duration::from_secs(300);
        wait: Wait = Wait::default();
        wait_bounds: Option<Wait> = None;
        consul_retry: Retry = Retry::default();
        vault_retry: Retry = Retry::default();
        nomad_retry: Retry = Retry::default();
        vault_default_lease_duration: Duration = Duration::from_secs(300);
    }
}

section! {
    Wait {
        min: Duration = Duration::from_secs(5);
        max: Duration = Duration::from_secs(240);
    }
}

section! {
    Retry {
        attempts: u32 = 12;
        backoff: Duration = Duration::from_millis(250);
        max_backoff: Duration = Duration::from_secs(60);
    }
}
