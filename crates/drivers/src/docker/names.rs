//! What a container in the network of another reads of names. The engine takes no settings for it (it would have that
//! other one's), so it gets files of its own.

use std::io;
use std::path::PathBuf;

use bollard::Docker;
use caravan_driver::{DnsConfig, DriverError, TaskConfig};

use super::fingerprint::gateway;
use super::options::DockerConfig;

/// What the engine calls the machine it runs on.
const GATEWAY: &str = "host-gateway";

/// The files that take the place of the container's; `None`: as it is.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) hosts: Option<PathBuf>,
    pub(super) resolv: Option<PathBuf>,
}

/// Makes what is asked for.
pub(super) async fn make(
    engine: &Docker,
    config: &TaskConfig,
    task: &DockerConfig,
) -> Result<Names, DriverError> {
    let failed = |error: io::Error| {
        DriverError::recoverable(format!("names of the container cannot be given: {error}"))
    };
    let mut names = Names::default();
    if let Some(dns) = dns(config, task) {
        let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let text = dns.resolv_conf(&host);
        names.resolv = Some(write(config, "resolv.conf", &text).map_err(failed)?);
    }
    let network = config.network.as_ref();
    let generated = network
        .map(|network| &network.hosts_file)
        .filter(|file| !file.as_os_str().is_empty());
    if let Some(file) = generated
        && !task.extra_hosts.is_empty()
    {
        let gateway = match task.extra_hosts.iter().any(|host| host.ends_with(GATEWAY)) {
            true => gateway(engine).await,
            false => None,
        };
        let mut text = std::fs::read_to_string(file).map_err(failed)?;
        for host in &task.extra_hosts {
            text.push_str(&line(host, gateway.as_deref())?);
        }
        names.hosts = Some(write(config, "hosts", &text).map_err(failed)?);
    }
    Ok(names)
}

/// Those of the group, else those of the task.
fn dns(config: &TaskConfig, task: &DockerConfig) -> Option<DnsConfig> {
    let own = DnsConfig {
        servers: task.dns_servers.clone(),
        searches: task.dns_search_domains.clone(),
        options: task.dns_options.clone(),
    };
    let asked = own != DnsConfig::default();
    config.dns.clone().or(Some(own).filter(|_| asked))
}

/// `name:address` as a line of a hosts file.
fn line(host: &str, gateway: Option<&str>) -> Result<String, DriverError> {
    let wrong = || {
        DriverError::fatal(format!(
            "cannot use {host:?} as extra_hosts (must be host:IP)"
        ))
    };
    let (name, address) = host.split_once([':', '=']).ok_or_else(wrong)?;
    let address = match address {
        GATEWAY => gateway.ok_or_else(|| {
            DriverError::recoverable(format!("{host:?}: the engine has no network of its own"))
        })?,
        address => address.trim_start_matches('[').trim_end_matches(']'),
    };
    match (name.is_empty(), address.parse::<std::net::IpAddr>()) {
        (false, Ok(address)) => Ok(format!("{address} {name}\n")),
        _ => Err(wrong()),
    }
}

/// Writes a file where no task can.
fn write(config: &TaskConfig, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = config.dirs.private.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_lines() {
        let of = |host: &str| line(host, Some("172.17.0.1")).map_err(|error| error.to_string());
        assert_eq!(of("db:10.1.2.3").as_deref(), Ok("10.1.2.3 db\n"));
        assert_eq!(of("six:fd00::1").as_deref(), Ok("fd00::1 six\n"));
        assert_eq!(of("six=[fd00::1]").as_deref(), Ok("fd00::1 six\n"));
        assert_eq!(of("me:host-gateway").as_deref(), Ok("172.17.0.1 me\n"));
        for wrong in ["db", ":1.2.3.4", "db:", "db:name", "a:1.2.3.4\nb"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert!(line("me:host-gateway", None).is_err());
    }
}
