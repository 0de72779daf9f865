//! What connections between agents need: certificates, limits, and addresses with their ports.

use std::sync::Arc;

use caravan_rpc::{Limits, Tls, TlsConfig, TlsVersion};

use crate::config::AgentConfig;

/// The port of servers when an address names none.
const RPC_PORT: u16 = 4647;

/// The certificates for connections between agents; none without `tls { rpc = true }`.
pub(super) fn tls(config: &AgentConfig) -> Result<Option<Arc<Tls>>, String> {
    let tls = &config.settings.tls;
    if !tls.rpc {
        return Ok(None);
    }
    let wanted = TlsConfig {
        ca_file: tls.ca_file.clone(),
        cert_file: tls.cert_file.clone(),
        key_file: tls.key_file.clone(),
        verify_server_hostname: tls.verify_server_hostname,
        rpc_upgrade_mode: tls.rpc_upgrade_mode,
        min_version: if tls.tls_min_version == "tls13" {
            TlsVersion::Tls13
        } else {
            TlsVersion::Tls12
        },
        cipher_suites: tls
            .tls_cipher_suites
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
    };
    Tls::load(wanted)
        .map(Some)
        .map_err(|error| format!("Error starting agent: {error}"))
}

/// Bounds on connections between agents.
pub(super) fn limits(config: &AgentConfig) -> Limits {
    let limits = &config.settings.limits;
    Limits {
        max_connections_per_ip: limits.rpc_max_conns_per_client as usize,
        handshake_timeout: limits.rpc_handshake_timeout,
        // A server that went silent must not hold others up.
        dial_timeout: std::time::Duration::from_secs(3),
        ..Limits::default()
    }
}

/// Addresses of servers, each with a port.
pub(super) fn addresses<'a>(lists: impl IntoIterator<Item = &'a Vec<String>>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for address in lists
        .into_iter()
        .flatten()
        .map(|text| with_port(text.trim()))
    {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

fn with_port(address: &str) -> String {
    if let Ok(ip) = address
        .trim_matches(['[', ']'])
        .parse::<std::net::Ipv6Addr>()
    {
        return format!("[{ip}]:{RPC_PORT}");
    }
    match address.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => address.to_owned(),
        _ => format!("{address}:{RPC_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_the_port_of_servers_once() {
        let lists = [
            vec!["a".to_owned(), "b:1".to_owned()],
            vec!["a:4647".to_owned(), "::1".to_owned()],
        ];
        assert_eq!(addresses(&lists), ["a:4647", "b:1", "[::1]:4647"]);
    }
}
