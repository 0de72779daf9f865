//! Starts the client room from the agent's configuration.

use crate::config::AgentConfig;
use caravan_client::{Client, ClientConfig, GcConfig, Reserved, ServerLink};
use caravan_drivers::{Drivers, Settings};
use caravan_host::Supervisors;
use caravan_model::{HostNetwork, HostVolumeInfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The drivers that the configuration may speak of.
const DRIVERS: [&str; 6] = ["docker", "exec", "raw_exec", "java", "qemu", "mock_driver"];

/// Starts the node agent.
pub(super) async fn start(config: &AgentConfig, link: Arc<dyn ServerLink>) -> Result<Arc<Client>, String> {
    let resolved = resolve(config);
    let drivers = drivers(config)?;
    Client::start(resolved, link, drivers)
        .await
        .map_err(|error| format!("Error starting agent: client setup failed: {error}"))
}

fn drivers(config: &AgentConfig) -> Result<BTreeMap<String, Arc<dyn caravan_driver::Driver>>, String> {
    let plugins = DRIVERS
        .iter()
        .map(|name| ((*name).to_owned(), serde_json::Value::Object(config.driver_config(name))))
        .collect();
    let settings = Settings {
        plugins,
        node_id: String::new(),
        node_name: config.name.clone(),
        chroot_env: config.settings.client.chroot_env.clone(),
        mock: true,
    };
    let mut drivers = Drivers::builtin(&settings, Arc::new(Supervisors::default()))
        .map_err(|error| format!("Error starting agent: a driver's configuration is not usable: {error}"))?;
    drivers.retain(|name, _| config.allows("driver", name));
    Ok(drivers)
}

fn resolve(config: &AgentConfig) -> ClientConfig {
    let settings = &config.settings;
    let client = &settings.client;
    let reserved = &client.reserved;
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
        http_address: config.net.advertise_http.clone(),
        tls_enabled: settings.tls.http,
        cpu_total_compute: u64::from(client.cpu_total_compute),
        memory_total_mb: i64::from(client.memory_total_mb),
        disk_total_mb: signed(client.disk_total_mb),
        disk_free_mb: signed(client.disk_free_mb),
        reserved: Reserved {
            cpu: i64::from(reserved.cpu),
            memory_mb: i64::from(reserved.memory),
            disk_mb: signed(reserved.disk),
            cores: numbers(&reserved.cores),
            ports: reserved.reserved_ports.clone(),
        },
        reservable_cores: client.reservable_cores.clone(),
        network_interface: client.network_interface.clone(),
        network_speed: i64::from(client.network_speed),
        min_dynamic_port: i64::from(client.min_dynamic_port),
        max_dynamic_port: i64::from(client.max_dynamic_port),
        host_volumes: client
            .host_volume
            .0
            .iter()
            .map(|(name, volume)| HostVolumeInfo {
                name: name.clone(),
                path: volume.path.display().to_string(),
                read_only: volume.read_only,
                ..HostVolumeInfo::default()
            })
            .collect(),
        host_networks: client
            .host_network
            .0
            .iter()
            .map(|(name, network)| HostNetwork {
                name: name.clone(),
                cidr: network.cidr.clone(),
                interface: network.interface.clone(),
                reserved_ports: network.reserved_ports.clone(),
            })
            .collect(),
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
        cni_config_dir: client.cni_config_dir.clone(),
        bridge_network_name: client.bridge_network_name.clone(),
        bridge_network_subnet: client.bridge_network_subnet.clone(),
        bridge_hairpin_mode: client.bridge_network_hairpin_mode,
        service_discovery: client.nomad_service_discovery,
        default_ineligible: client.default_ineligible,
        gc_volumes_on_node_gc: client.gc_volumes_on_node_gc,
        ..defaults
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers and ranges, `0-2,7`; what is no number was refused with the configuration.
fn numbers(text: &str) -> Vec<u16> {
    let mut list = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            list.extend(first..=last);
        }
    }
    list
}
