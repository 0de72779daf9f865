//! What follows from several settings together: folders under the data folder, the addresses to bind
//! and to advertise, the node's name.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::settings::{Addresses, Settings};
use super::sockaddr::{expand, preferred_address};

/// Where things are kept. All absolute; nothing is created here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirs {
    pub data: PathBuf,
    pub server: PathBuf,
    /// The client's state database and ids.
    pub state: PathBuf,
    pub alloc: PathBuf,
    pub alloc_mounts: PathBuf,
    pub host_volumes: PathBuf,
    pub host_volume_plugins: PathBuf,
    pub common_plugins: PathBuf,
    pub plugins: PathBuf,
}

/// Where the agent listens, and what it tells others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// The public API may listen on several addresses.
    pub http: Vec<SocketAddr>,
    pub rpc: SocketAddr,
    pub serf: SocketAddr,
    /// `host:port`; the host may be a name.
    pub advertise_http: String,
    pub advertise_rpc: String,
    pub advertise_serf: String,
}

pub(super) fn dirs(settings: &Settings, dev: bool, machine: &Machine) -> Dirs {
    let data = match (settings.data_dir.as_os_str().is_empty(), dev) {
        (true, true) => machine.scratch.clone(),
        _ => settings.data_dir.clone(),
    };
    let under = |written: &Path, default: &str| {
        if written.as_os_str().is_empty() {
            data.join(default)
        } else {
            written.to_owned()
        }
    };
    let client = &settings.client;
    Dirs {
        server: under(&settings.server.data_dir, "server"),
        state: under(&client.state_dir, "client"),
        alloc: under(&client.alloc_dir, "alloc"),
        alloc_mounts: under(&client.alloc_mounts_dir, "alloc_mounts"),
        host_volumes: under(&client.host_volumes_dir, "host_volumes"),
        host_volume_plugins: under(&client.host_volume_plugin_dir, "host_volume_plugins"),
        common_plugins: under(&client.common_plugin_dir, "common_plugins"),
        plugins: under(&settings.plugin_dir, "plugins"),
        data,
    }
}

/// Expands address templates wherever one may stand.
pub(super) fn expand_templates(
    settings: &mut Settings,
    machine: &Machine,
    problems: &mut Vec<String>,
) {
    let mut one = |key: &str, text: &mut String| match expand(text, machine) {
        Ok(expanded) if expanded.trim().is_empty() && !text.is_empty() => {
            problems.push(format!(
                "{key}: the template {text:?} finds no address on this machine"
            ));
        }
        Ok(expanded) => *text = expanded.trim().to_owned(),
        Err(message) => problems.push(format!("{key}: {message}")),
    };
    one("bind_addr", &mut settings.bind_addr);
    let mut addresses = |block: &str, addresses: &mut Addresses| {
        one(&format!("{block}.http"), &mut addresses.http);
        one(&format!("{block}.rpc"), &mut addresses.rpc);
        one(&format!("{block}.serf"), &mut addresses.serf);
    };
    addresses("addresses", &mut settings.addresses);
    addresses("advertise", &mut settings.advertise);
    let lists = [
        ("client.servers", &mut settings.client.servers),
        (
            "client.server_join.retry_join",
            &mut settings.client.server_join.retry_join,
        ),
        (
            "server.server_join.start_join",
            &mut settings.server.server_join.start_join,
        ),
        (
            "server.server_join.retry_join",
            &mut settings.server.server_join.retry_join,
        ),
        ("server.start_join", &mut settings.server.start_join),
        ("server.retry_join", &mut settings.server.retry_join),
    ];
    for (key, list) in lists {
        list.iter_mut().for_each(|text| one(key, text));
    }
    for (name, network) in &mut settings.client.host_network.0 {
        one(
            &format!("client.host_network.{name}.cidr"),
            &mut network.cidr,
        );
        one(
            &format!("client.host_network.{name}.interface"),
            &mut network.interface,
        );
    }
}

/// Addresses to listen on and to advertise. Problems name the key.
pub(super) fn net(
    settings: &Settings,
    machine: &Machine,
    warnings: &mut Vec<String>,
) -> Result<Net, String> {
    let ports = &settings.ports;
    let bind = |key: &str, written: &str, port: u16| -> Result<Vec<SocketAddr>, String> {
        let written = if written.trim().is_empty() {
            settings.bind_addr.as_str()
        } else {
            written
        };
        written
            .split_whitespace()
            .map(|host| lookup(key, host, port))
            .collect()
    };
    let single = |key: &str, written: &str, port: u16| -> Result<SocketAddr, String> {
        match bind(key, written, port)?.as_slice() {
            [one] => Ok(*one),
            _ => Err(format!(
                "{key}: exactly one address is needed, found {written:?}"
            )),
        }
    };
    let http = bind("addresses.http", &settings.addresses.http, ports.http)?;
    let rpc = single("addresses.rpc", &settings.addresses.rpc, ports.rpc)?;
    let serf = single("addresses.serf", &settings.addresses.serf, ports.serf)?;
    let Some(first) = http.first() else {
        return Err("addresses.http: an address is needed".into());
    };
    let mut advertise = |key: &str, written: &str, bound: &SocketAddr| -> Result<String, String> {
        advertise_address(key, written, bound, machine, warnings)
    };
    Ok(Net {
        advertise_http: advertise("advertise.http", &settings.advertise.http, first)?,
        advertise_rpc: advertise("advertise.rpc", &settings.advertise.rpc, &rpc)?,
        advertise_serf: advertise("advertise.serf", &settings.advertise.serf, &serf)?,
        http,
        rpc,
        serf,
    })
}

fn lookup(key: &str, host: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let found = (bare, port)
        .to_socket_addrs()
        .map_err(|error| format!("{key}: {host:?} is not an address of this machine: {error}"))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .first()
        .copied()
        .ok_or_else(|| format!("{key}: {host:?} has no address"))
}

fn advertise_address(
    key: &str,
    written: &str,
    bound: &SocketAddr,
    machine: &Machine,
    warnings: &mut Vec<String>,
) -> Result<String, String> {
    if !written.is_empty() {
        return with_port(key, written, bound.port());
    }
    if !bound.ip().is_unspecified() {
        return Ok(bound.to_string());
    }
    let address = preferred_address(machine).unwrap_or_else(|| {
        warnings.push(format!(
            "{key}: this machine has no address that others could reach; advertising 127.0.0.1"
        ));
        IpAddr::from([127, 0, 0, 1])
    });
    Ok(SocketAddr::new(address, bound.port()).to_string())
}

/// `host` or `host:port`; IPv6 with a port needs brackets.
fn with_port(key: &str, written: &str, port: u16) -> Result<String, String> {
    if let Ok(ip) = written
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
    {
        return Ok(SocketAddr::new(ip, port).to_string());
    }
    match written.rsplit_once(':') {
        None => Ok(format!("{written}:{port}")),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(written.to_owned())
        }
        Some(_) => Err(format!("{key}: {written:?} is not host or host:port")),
    }
}
