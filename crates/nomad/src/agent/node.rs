//! Starts the client room from the agent's configuration.

use crate::config::{AgentConfig, Machine, settings, sockaddr};
use caravan_client::{
    ArtifactConfig, Client, ClientConfig, ConsulConfig, GcConfig, NodeKeys, Prepared, Reserved,
    ServerLink, StartError, TemplateConfig, TlsConfig, VaultConfig,
};
use caravan_drivers::{Drivers, Settings};
use caravan_host::Supervisors;
use caravan_model::{HostNetwork, HostVolumeInfo, NodeId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The drivers that the configuration may speak of.
const DRIVERS: [&str; 6] = ["docker", "exec", "raw_exec", "java", "qemu", "mock_driver"];

/// Prepares the node agent: it looks at its machine from now on.
pub(super) fn prepare(config: &AgentConfig) -> Result<Prepared, String> {
    let resolved = resolve(config);
    let keys = NodeKeys::of(&resolved).map_err(failed)?;
    let drivers = drivers(config, keys.id)?;
    Client::prepare(resolved, keys, drivers).map_err(failed)
}

/// Starts the node agent.
pub(super) async fn start(
    prepared: Prepared,
    link: Arc<dyn ServerLink>,
) -> Result<Arc<Client>, String> {
    prepared.start(link).await.map_err(failed)
}

fn failed(error: StartError) -> String {
    format!("Error starting agent: client setup failed: {error}")
}

fn drivers(
    config: &AgentConfig,
    node: NodeId,
) -> Result<BTreeMap<String, Arc<dyn caravan_driver::Driver>>, String> {
    let plugins = DRIVERS
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                serde_json::Value::Object(config.driver_config(name)),
            )
        })
        .collect();
    let settings = Settings {
        plugins,
        node_id: node.to_string(),
        node_name: config.name.clone(),
        chroot_env: config.settings.client.chroot_env.clone(),
        images_dir: config.dirs.state.join("images"),
        mock: true,
    };
    let mut drivers =
        Drivers::builtin(&settings, Arc::new(Supervisors::default())).map_err(|error| {
            format!("Error starting agent: a driver's configuration is not usable: {error}")
        })?;
    drivers.retain(|name, _| config.allows("driver", name));
    Ok(drivers)
}

fn resolve(config: &AgentConfig) -> ClientConfig {
    let settings = &config.settings;
    let client = &settings.client;
    let defaults = ClientConfig::new(config.name.clone(), config.dirs.data.clone());
    ClientConfig {
        dev: config.dev.is_some(),
        region: settings.region.clone(),
        datacenter: settings.datacenter.clone(),
        node_class: client.node_class.clone(),
        node_pool: client.node_pool.clone(),
        meta: client.meta.clone(),
        state_dir: config.dirs.state.clone(),
        alloc_dir: config.dirs.alloc.clone(),
        host_volumes_dir: config.dirs.host_volumes.clone(),
        host_volume_plugin_dir: config.dirs.host_volume_plugins.clone(),
        common_plugin_dir: config.dirs.common_plugins.clone(),
        http_address: config.net.advertise_http.clone(),
        tls_enabled: settings.tls.http,
        cpu_total_compute: u64::from(client.cpu_total_compute),
        memory_total_mb: i64::from(client.memory_total_mb),
        disk_total_mb: signed(client.disk_total_mb),
        disk_free_mb: signed(client.disk_free_mb),
        reserved: reserved(client),
        reservable_cores: client.reservable_cores.clone(),
        network_interface: client.network_interface.clone(),
        network_speed: i64::from(client.network_speed),
        min_dynamic_port: i64::from(client.min_dynamic_port),
        max_dynamic_port: i64::from(client.max_dynamic_port),
        host_volumes: host_volumes(client),
        host_networks: host_networks(client),
        options: client.options.clone(),
        gc: GcConfig {
            interval: client.gc_interval,
            parallel_destroys: client.gc_parallel_destroys as usize,
            disk_usage_threshold: client.gc_disk_usage_threshold,
            inode_usage_threshold: client.gc_inode_usage_threshold,
            max_allocs: client.gc_max_allocs as usize,
        },
        max_kill_timeout: client.max_kill_timeout,
        node_max_allocs: i64::from(client.node_max_allocs),
        disable_remote_exec: client.disable_remote_exec,
        cgroup_parent: client.cgroup_parent.clone(),
        cni_paths: cni_paths(&client.cni_path, &defaults),
        cni_config_dir: client.cni_config_dir.clone(),
        bridge_network_name: client.bridge_network_name.clone(),
        bridge_network_subnet: client.bridge_network_subnet.clone(),
        bridge_network_subnet_ipv6: client.bridge_network_subnet_ipv6.clone(),
        bridge_hairpin_mode: client.bridge_network_hairpin_mode,
        service_discovery: client.nomad_service_discovery,
        default_ineligible: client.default_ineligible,
        gc_volumes_on_node_gc: client.gc_volumes_on_node_gc,
        template: templates(client),
        artifact: artifacts(client),
        consul: consul(config),
        vault: vault(config),
        ..defaults
    }
}

/// What tasks are not given.
fn reserved(client: &settings::Client) -> Reserved {
    let reserved = &client.reserved;
    Reserved {
        cpu: i64::from(reserved.cpu),
        memory_mb: i64::from(reserved.memory),
        disk_mb: signed(reserved.disk),
        cores: numbers(&reserved.cores),
        ports: reserved.reserved_ports.clone(),
    }
}

fn host_volumes(client: &settings::Client) -> Vec<HostVolumeInfo> {
    let volumes = client.host_volume.0.iter();
    let shown = volumes.map(|(name, volume)| HostVolumeInfo {
        name: name.clone(),
        path: volume.path.display().to_string(),
        read_only: volume.read_only,
        ..HostVolumeInfo::default()
    });
    shown.collect()
}

fn host_networks(client: &settings::Client) -> Vec<HostNetwork> {
    let networks = client.host_network.0.iter();
    let shown = networks.map(|(name, network)| HostNetwork {
        name: name.clone(),
        cidr: network.cidr.clone(),
        interface: network.interface.clone(),
        reserved_ports: network.reserved_ports.clone(),
    });
    shown.collect()
}

fn templates(client: &settings::Client) -> TemplateConfig {
    let template = &client.template;
    TemplateConfig {
        function_denylist: [
            &template.function_denylist[..],
            &template.function_blacklist,
        ]
        .concat(),
        disable_file_sandbox: template.disable_file_sandbox,
        vault_default_lease: template.vault_default_lease_duration,
        addresses: |text| sockaddr::expand(text, &Machine::gather()),
    }
}

/// The Consul that the configuration speaks of; one it does not mention is not looked for.
fn consul(config: &AgentConfig) -> Option<ConsulConfig> {
    let consul = config.settings.consul.0.get("default")?;
    let named = std::env::var_os("CONSUL_HTTP_ADDR").is_some();
    if !named && *consul == settings::Consul::default() {
        return None;
    }
    let token = Some(consul.token.clone()).filter(|token| !token.is_empty());
    Some(ConsulConfig {
        address: consul.address.clone(),
        https: consul.ssl,
        tls: TlsConfig {
            verify: consul.verify_ssl,
            ca_file: consul.ca_file.clone(),
            ca_path: String::new(),
            cert_file: consul.cert_file.clone(),
            key_file: consul.key_file.clone(),
        },
        auth: consul.auth.clone(),
        token: token
            .or_else(|| std::env::var("CONSUL_HTTP_TOKEN").ok())
            .unwrap_or_default(),
        namespace: consul.namespace.clone(),
        timeout: consul.timeout,
        task_auth_method: consul.task_auth_method.clone(),
        service_auth_method: consul.service_auth_method.clone(),
    })
}

fn vault(config: &AgentConfig) -> Option<VaultConfig> {
    let vault = config
        .settings
        .vault
        .0
        .get("default")
        .filter(|vault| vault.enabled == Some(true))?;
    Some(VaultConfig {
        address: vault.address.clone(),
        namespace: vault.namespace.clone(),
        tls: TlsConfig {
            verify: !vault.tls_skip_verify,
            ca_file: vault.ca_file.clone(),
            ca_path: vault.ca_path.clone(),
            cert_file: vault.cert_file.clone(),
            key_file: vault.key_file.clone(),
        },
        login_path: vault.jwt_auth_backend_path.clone(),
        role: vault.create_from_role.clone(),
    })
}

fn artifacts(client: &settings::Client) -> ArtifactConfig {
    let artifact = &client.artifact;
    let variables = artifact
        .set_environment_variables
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    ArtifactConfig {
        variables: variables.map(str::to_owned).collect(),
        http_read_timeout: artifact.http_read_timeout,
        http_max_bytes: artifact.http_max_size.0,
        git_timeout: artifact.git_timeout,
        hg_timeout: artifact.hg_timeout,
        s3_timeout: artifact.s3_timeout,
        gcs_timeout: artifact.gcs_timeout,
        decompression_max_bytes: artifact.decompression_size_limit.0,
        decompression_max_files: u64::from(artifact.decompression_file_count_limit),
        unsandboxed: artifact.disable_filesystem_isolation,
        extra_paths: artifact.filesystem_isolation_extra_paths.clone(),
        links_unchecked: artifact.disable_artifact_inspection,
        ..ArtifactConfig::default()
    }
}

/// Where CNI plugins are; where nothing else was said, also where Debian puts them.
fn cni_paths(configured: &str, defaults: &ClientConfig) -> Vec<PathBuf> {
    if configured == settings::Client::default().cni_path {
        return defaults.cni_paths.clone();
    }
    configured
        .split(':')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers and ranges, `0-2,7`; what is no number was refused with the configuration.
fn numbers(text: &str) -> Vec<u16> {
    let mut list = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            list.extend(first..=last);
        }
    }
    list
}
