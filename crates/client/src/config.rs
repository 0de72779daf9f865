//! What a node agent is told when it starts: plain values, already merged and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use caravan_model::{HostNetwork, HostVolumeInfo};

use crate::consul::ConsulConfig;
use crate::vault::VaultConfig;

/// Settings of a node agent.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Everything is kept in memory and tasks end with the agent.
    pub dev: bool,
    pub region: String,
    pub datacenter: String,
    /// The node's name.
    pub name: String,
    pub node_class: String,
    pub node_pool: String,
    pub meta: BTreeMap<String, String>,
    /// The state database, ids and secrets; mode 0700.
    pub state_dir: PathBuf,
    /// A directory per allocation; mode 0711.
    pub alloc_dir: PathBuf,
    pub host_volumes_dir: PathBuf,
    pub host_volume_plugin_dir: PathBuf,
    /// Programs that the operator adds, by kind: `secrets/`.
    pub common_plugin_dir: PathBuf,
    /// `host:port` where the HTTP API of this agent is reached.
    pub http_address: String,
    pub tls_enabled: bool,
    /// What the agent says of itself, such as `2.0.5`.
    pub version: String,
    pub revision: String,
    /// MHz; 0: found out.
    pub cpu_total_compute: u64,
    /// MiB; 0: found out.
    pub memory_total_mb: i64,
    pub disk_total_mb: i64,
    pub disk_free_mb: i64,
    pub reserved: Reserved,
    /// Empty: all.
    pub reservable_cores: String,
    /// Empty: the one of the default route, `lo` in dev mode.
    pub network_interface: String,
    /// Megabits a second; 0: found out.
    pub network_speed: i64,
    pub min_dynamic_port: i64,
    pub max_dynamic_port: i64,
    pub host_volumes: Vec<HostVolumeInfo>,
    pub host_networks: Vec<HostNetwork>,
    /// `client.options`.
    pub options: BTreeMap<String, String>,
    pub gc: GcConfig,
    pub max_kill_timeout: Duration,
    /// 0: without limit.
    pub node_max_allocs: i64,
    pub disable_remote_exec: bool,
    pub cgroup_parent: String,
    pub cni_paths: Vec<PathBuf>,
    pub cni_config_dir: PathBuf,
    pub bridge_network_name: String,
    pub bridge_network_subnet: String,
    /// Empty: no IPv6 inside.
    pub bridge_network_subnet_ipv6: String,
    pub bridge_hairpin_mode: bool,
    pub service_discovery: bool,
    pub default_ineligible: bool,
    pub gc_volumes_on_node_gc: bool,
    /// Tasks end when the agent stops.
    pub stop_tasks_on_shutdown: bool,
    pub template: TemplateConfig,
    pub artifact: ArtifactConfig,
    /// None: services for Consul are not announced, and templates wait for its keys.
    pub consul: Option<ConsulConfig>,
    /// None: templates wait for secrets.
    pub vault: Option<VaultConfig>,
}

/// What of the node is not for tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    pub cpu: i64,
    pub memory_mb: i64,
    pub disk_mb: i64,
    pub cores: Vec<u16>,
    /// Such as `22,8000-8010`.
    pub ports: String,
}

/// When ended allocations are removed.
#[derive(Clone, Debug, PartialEq)]
pub struct GcConfig {
    pub interval: Duration,
    pub parallel_destroys: usize,
    pub disk_usage_threshold: f64,
    pub inode_usage_threshold: f64,
    pub max_allocs: usize,
}

impl Default for GcConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            parallel_destroys: 2,
            disk_usage_threshold: 80.0,
            inode_usage_threshold: 70.0,
            max_allocs: 50,
        }
    }
}

/// What templates may do.
#[derive(Clone, Debug)]
pub struct TemplateConfig {
    pub function_denylist: Vec<String>,
    pub disable_file_sandbox: bool,
    /// How long secrets without a lease are taken for good.
    pub vault_default_lease: Duration,
    /// Makes an address of a template of one (`sockaddr`), as in the agent's configuration.
    pub addresses: fn(&str) -> Result<String, String>,
}

impl Default for TemplateConfig {
    fn default() -> Self {
        let denied = ["executeTemplate", "plugin", "writeToFile"];
        Self {
            function_denylist: denied.map(str::to_owned).to_vec(),
            disable_file_sandbox: false,
            vault_default_lease: Duration::from_secs(300),
            addresses: |_| Err("this agent makes no addresses".to_owned()),
        }
    }
}

/// How artifacts are fetched, and what that may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactConfig {
    /// The program that fetches: this one.
    pub helper: PathBuf,
    pub helper_args: Vec<String>,
    /// Variables of the agent's environment that it gets.
    pub variables: Vec<String>,
    pub http_read_timeout: Duration,
    pub http_max_bytes: u64,
    pub git_timeout: Duration,
    pub hg_timeout: Duration,
    pub s3_timeout: Duration,
    pub gcs_timeout: Duration,
    pub decompression_max_bytes: u64,
    pub decompression_max_files: u64,
    /// The kernel does not keep it inside the task's directory.
    pub unsandboxed: bool,
    /// What else it may use, as `<d|f>:<mode>:<path>`.
    pub extra_paths: Vec<String>,
    /// Links in artifacts may lead anywhere.
    pub links_unchecked: bool,
}

/// No artifact takes longer than the longest of its timeouts and this, nor is it broken off before that.
const LEAST_TIME: Duration = Duration::from_secs(30 * 60);

impl ArtifactConfig {
    /// How long a source may take.
    pub(crate) fn timeout_of(&self, source: &str) -> Duration {
        let own = match source.split_once("::").map(|(kind, _)| kind) {
            Some("git") => self.git_timeout,
            Some("hg") => self.hg_timeout,
            Some("s3") => self.s3_timeout,
            Some("gcs") => self.gcs_timeout,
            _ => self.http_read_timeout,
        };
        own.max(LEAST_TIME) + Duration::from_secs(60)
    }
}

impl Default for ArtifactConfig {
    fn default() -> Self {
        Self {
            helper: "/proc/self/exe".into(),
            helper_args: vec!["fetch-artifact".into()],
            variables: Vec::new(),
            http_read_timeout: LEAST_TIME,
            http_max_bytes: 100_000_000_000,
            git_timeout: LEAST_TIME,
            hg_timeout: LEAST_TIME,
            s3_timeout: LEAST_TIME,
            gcs_timeout: LEAST_TIME,
            decompression_max_bytes: 100_000_000_000,
            decompression_max_files: 4096,
            unsandboxed: false,
            extra_paths: Vec::new(),
            links_unchecked: false,
        }
    }
}

impl ClientConfig {
    /// The defaults, with everything below `data_dir`.
    #[must_use]
    pub fn new(name: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            dev: false,
            region: "global".into(),
            datacenter: "dc1".into(),
            name: name.into(),
            node_class: String::new(),
            node_pool: "default".into(),
            meta: BTreeMap::new(),
            state_dir: data_dir.join("client"),
            alloc_dir: data_dir.join("alloc"),
            host_volumes_dir: data_dir.join("host_volumes"),
            host_volume_plugin_dir: data_dir.join("host_volume_plugins"),
            common_plugin_dir: data_dir.join("common_plugins"),
            http_address: "127.0.0.1:4646".into(),
            tls_enabled: false,
            version: "2.0.5".into(),
            revision: String::new(),
            cpu_total_compute: 0,
            memory_total_mb: 0,
            disk_total_mb: 0,
            disk_free_mb: 0,
            reserved: Reserved::default(),
            reservable_cores: String::new(),
            network_interface: String::new(),
            network_speed: 0,
            min_dynamic_port: 20000,
            max_dynamic_port: 32000,
            host_volumes: Vec::new(),
            host_networks: Vec::new(),
            options: BTreeMap::new(),
            gc: GcConfig::default(),
            max_kill_timeout: Duration::from_secs(30),
            node_max_allocs: 0,
            disable_remote_exec: false,
            cgroup_parent: String::new(),
            cni_paths: vec![
                "/opt/cni/bin".into(),
                "/usr/libexec/cni".into(),
                "/usr/lib/cni".into(),
            ],
            cni_config_dir: "/opt/cni/config".into(),
            bridge_network_name: "nomad".into(),
            bridge_network_subnet: "172.26.64.0/20".into(),
            bridge_network_subnet_ipv6: String::new(),
            bridge_hairpin_mode: false,
            service_discovery: true,
            default_ineligible: false,
            gc_volumes_on_node_gc: false,
            stop_tasks_on_shutdown: false,
            template: TemplateConfig::default(),
            artifact: ArtifactConfig::default(),
            consul: None,
            vault: None,
        }
    }

    /// An entry of a comma list in `options`, by either of its names.
    pub(crate) fn option_list(&self, names: &[&str]) -> Option<Vec<String>> {
        let text = names.iter().find_map(|name| self.options.get(*name))?;
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        Some(items.map(str::to_owned).collect())
    }
}
