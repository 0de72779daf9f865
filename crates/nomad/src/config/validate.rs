//! Start-up checks: settings that parse, but cannot be meant.

use std::path::Path;

use super::machine::Machine;
use super::settings::{Client, Settings};
use super::units::parse_ranges;

/// The first thing that keeps an agent from starting, in the words that it has always been said in.
pub(super) fn refuse(settings: &Settings, dev: bool) -> Result<(), String> {
    let (server, client) = (&settings.server, &settings.client);
    if !dev && !server.enabled && !client.enabled {
        return Err("Must specify either server, client or dev mode for the agent.".into());
    }
    folders(settings, dev)?;
    names(settings)?;
    node(client)?;
    choices(settings)?;
    bounds(settings)?;
    secrets(settings)
}

/// Ports, cores, networks and volumes of a node.
fn node(client: &Client) -> Result<(), String> {
    for (key, low, high) in [
        (
            "dynamic_port",
            client.min_dynamic_port,
            client.max_dynamic_port,
        ),
        (
            "client_port",
            client.client_min_port,
            client.client_max_port,
        ),
    ] {
        if low > high {
            return Err(format!(
                "client: min_{key} {low} is greater than max_{key} {high}"
            ));
        }
    }
    for (key, text) in [
        (
            "client.reserved.reserved_ports",
            &client.reserved.reserved_ports,
        ),
        ("client.reserved.cores", &client.reserved.cores),
        ("client.reservable_cores", &client.reservable_cores),
    ] {
        parse_ranges(text).map_err(|error| format!("{key}: {error}"))?;
    }
    for (name, network) in &client.host_network.0 {
        parse_ranges(&network.reserved_ports)
            .map_err(|error| format!("client.host_network.{name}.reserved_ports: {error}"))?;
    }
    for (name, volume) in &client.host_volume.0 {
        if !volume.path.is_absolute() {
            return Err(format!(
                "client.host_volume.{name}.path must be an absolute path, found {:?}",
                volume.path.display().to_string()
            ));
        }
    }
    Ok(())
}

fn no_servers(settings: &Settings) -> bool {
    let server = &settings.server;
    server.server_join.retry_join.is_empty()
        && server.server_join.start_join.is_empty()
        && server.retry_join.is_empty()
        && server.start_join.is_empty()
}

fn folders(settings: &Settings, dev: bool) -> Result<(), String> {
    let client = &settings.client;
    let absolute = |flag: &str, path: &Path| {
        if path.as_os_str().is_empty() || path.is_absolute() {
            return Ok(());
        }
        Err(format!(
            "{flag} must be given as an absolute path: got {}",
            path.display()
        ))
    };
    for (flag, path) in [
        ("data-dir", &settings.data_dir),
        ("plugin-dir", &settings.plugin_dir),
        ("state-dir", &client.state_dir),
        ("alloc-dir", &client.alloc_dir),
        ("alloc-mounts-dir", &client.alloc_mounts_dir),
        ("host-volumes-dir", &client.host_volumes_dir),
        ("host-volume-plugin-dir", &client.host_volume_plugin_dir),
        ("common-plugin-dir", &client.common_plugin_dir),
        ("server.data_dir", &settings.server.data_dir),
    ] {
        absolute(flag, path)?;
    }
    let given = |path: &Path| !path.as_os_str().is_empty();
    let each = given(&client.alloc_dir)
        && given(&client.state_dir)
        && given(&client.alloc_mounts_dir)
        && given(&settings.plugin_dir);
    if dev || given(&settings.data_dir) || (each && !settings.server.enabled) {
        return Ok(());
    }
    Err("Must specify \"data_dir\" config option or \"data-dir\" CLI flag".into())
}

fn names(settings: &Settings) -> Result<(), String> {
    if settings.datacenter.is_empty() || settings.datacenter.contains(['*', '\0']) {
        return Err(format!(
            "datacenter {:?} is invalid: it must not be empty or contain '*' or the null character",
            settings.datacenter
        ));
    }
    if settings.region.is_empty() || settings.region.contains(['\0', ' ', '/']) {
        return Err(format!(
            "region {:?} is invalid: it must not be empty or contain spaces, slashes or the null character",
            settings.region
        ));
    }
    let pool = &settings.client.node_pool;
    let valid = (1..=128).contains(&pool.len())
        && pool
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if pool == "all" || !valid {
        return Err(format!(
            "client.node_pool {pool:?} is invalid: it must be 1 to 128 letters, digits, dashes or underscores, and not \"all\""
        ));
    }
    for key in settings.client.meta.keys() {
        let interpolatable = !key.is_empty()
            && !key.starts_with('.')
            && !key.ends_with('.')
            && !key.contains("..")
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || "_-.[]\"/:@ ".contains(c));
        if !interpolatable {
            return Err(format!(
                "client.meta: the key {key:?} could not be used in ${{meta.…}}"
            ));
        }
    }
    Ok(())
}

fn choices(settings: &Settings) -> Result<(), String> {
    let one_of = |key: &str, value: &str, known: &[&str]| {
        if known.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            return Ok(());
        }
        Err(format!(
            "{key}: {value:?} is not one of {}",
            known
                .iter()
                .filter(|known| !known.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(", ")
        ))
    };
    one_of(
        "log_level",
        &settings.log_level,
        &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"],
    )?;
    one_of(
        "client.preferred_address_family",
        &settings.client.preferred_address_family,
        &["", "ipv4", "ipv6"],
    )?;
    one_of(
        "tls.tls_min_version",
        &settings.tls.tls_min_version,
        &["tls10", "tls11", "tls12", "tls13"],
    )?;
    one_of(
        "server.client_introduction.enforcement",
        &settings.server.client_introduction.enforcement,
        &["none", "warn", "strict"],
    )?;
    if let Some(config) = &settings.server.default_scheduler_config {
        one_of(
            "server.default_scheduler_config.scheduler_algorithm",
            &config.scheduler_algorithm,
            &["binpack", "spread"],
        )?;
    }
    for scheduler in settings.server.enabled_schedulers.iter().flatten() {
        one_of(
            "server.enabled_schedulers",
            scheduler,
            &["service", "batch", "system", "sysbatch", "_core"],
        )?;
    }
    Ok(())
}

fn bounds(settings: &Settings) -> Result<(), String> {
    if settings.server.enabled && !(2..=3).contains(&settings.server.raft_protocol) {
        return Err(format!(
            "server.raft_protocol {} is not supported; use 3",
            settings.server.raft_protocol
        ));
    }
    let (default, max) = (
        settings.server.job_default_priority,
        settings.server.job_max_priority,
    );
    if !(100..=32_766).contains(&max) || default == 0 || default > max {
        return Err(format!(
            "server: job_max_priority {max} must be from 100 to 32766, and job_default_priority {default} from 1 to it"
        ));
    }
    if settings.server.job_tracked_versions == 0 {
        return Err("server.job_tracked_versions must be greater than 0".into());
    }
    if settings.client.users.dynamic_user_min > settings.client.users.dynamic_user_max {
        return Err("client.users: dynamic_user_min is greater than dynamic_user_max".into());
    }
    if settings
        .keyring
        .0
        .iter()
        .filter(|one| one.settings.active)
        .count()
        > 1
    {
        return Err("keyring: only one provider can be active".into());
    }
    Ok(())
}

fn secrets(settings: &Settings) -> Result<(), String> {
    use base64::Engine as _;
    let key = &settings.server.encrypt;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(key)
        .map_err(|error| format!("server.encrypt is not base64: {error}"))?;
    if !key.is_empty() && ![16, 24, 32].contains(&bytes.len()) {
        return Err(format!(
            "server.encrypt must be 16, 24 or 32 bytes in base64, found {} bytes",
            bytes.len()
        ));
    }
    let tls = &settings.tls;
    if (tls.http || tls.rpc)
        && [&tls.ca_file, &tls.cert_file, &tls.key_file]
            .iter()
            .any(|path| path.as_os_str().is_empty())
    {
        return Err(
            "tls: ca_file, cert_file and key_file must be given when http or rpc is true".into(),
        );
    }
    Ok(())
}

/// What an operator should know, but may have meant.
pub(super) fn warnings(settings: &Settings, dev: bool, machine: &Machine) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.server.enabled && !dev {
        match settings.server.bootstrap_expect {
            0 if no_servers(settings) => warnings.push(
                "WARNING: server.bootstrap_expect is not set and no server is named to join; there is no leader until this server is joined to others."
                    .into(),
            ),
            1 => warnings
                .push("WARNING: Bootstrap mode enabled! Potentially unsafe operation.".into()),
            count if count > 0 && count.is_multiple_of(2) => {
                warnings.push(
                    "WARNING: Number of bootstrap servers should ideally be set to an odd number."
                        .into(),
                );
            }
            _ => {}
        }
    }
    let secured = settings.tls.http && settings.tls.rpc;
    if !dev && !secured {
        warnings.push("WARNING: mTLS is not configured - Nomad is not secure without mTLS!".into());
    }
    if settings.client.enabled && !machine.root {
        warnings.push(
            "WARNING: the client does not run as root; drivers that need it are not available."
                .into(),
        );
    }
    warnings
}
