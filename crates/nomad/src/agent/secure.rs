//! What connections between agents need: certificates, limits, and addresses with their ports.

use std::sync::{Arc, PoisonError, RwLock};

use caravan_http::TlsConfig as TlsServer;
use caravan_rpc::{Limits, Tls, TlsConfig, TlsError, TlsVersion};

use crate::config::AgentConfig;

/// The port of servers when an address names none.
const RPC_PORT: u16 = 4647;

/// The certificates of this agent, as far as it uses any.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    loaded: Option<Arc<Tls>>,
    rpc: bool,
    https: Option<Https>,
}

/// What the public API answers with, and how that is made of the files again.
#[derive(Clone)]
struct Https {
    current: TlsServer,
    renew: Arc<dyn Fn() -> Result<(), TlsError> + Send + Sync>,
}

impl Certificates {
    /// Reads the files that the configuration names.
    pub(super) fn load(config: &AgentConfig) -> Result<Self, String> {
        let tls = &config.settings.tls;
        if !tls.rpc && !tls.http {
            return Ok(Self::default());
        }
        let failed = |error: TlsError| format!("Error starting agent: {error}");
        let loaded = load(config).map_err(failed)?;
        let https = match tls.http {
            true => Some(Https::of(&loaded, tls.verify_https_client).map_err(failed)?),
            false => None,
        };
        Ok(Self {
            loaded: Some(loaded),
            rpc: tls.rpc,
            https,
        })
    }

    /// For connections between agents; none without `tls { rpc = true }`.
    pub(super) fn rpc(&self) -> Option<Arc<Tls>> {
        self.loaded.clone().filter(|_| self.rpc)
    }

    /// For the public API; none without `tls { http = true }`.
    pub(super) fn https(&self) -> Option<TlsServer> {
        self.https.as_ref().map(|https| Arc::clone(&https.current))
    }

    /// Reads the files again; new connections use what is in them.
    pub(super) fn reload(&self) -> Result<(), String> {
        let Some(loaded) = &self.loaded else {
            return Ok(());
        };
        loaded.reload().map_err(|error| error.to_string())?;
        match &self.https {
            Some(https) => (https.renew)().map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

impl Https {
    fn of(tls: &Arc<Tls>, verify_client: bool) -> Result<Self, TlsError> {
        let held = Arc::new(RwLock::new(tls.https_config(verify_client)?));
        let read = Arc::clone(&held);
        let current: TlsServer =
            Arc::new(move || Arc::clone(&read.read().unwrap_or_else(PoisonError::into_inner)));
        let tls = Arc::clone(tls);
        let renew = move || {
            let fresh = tls.https_config(verify_client)?;
            *held.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            Ok(())
        };
        Ok(Self {
            current,
            renew: Arc::new(renew),
        })
    }
}

fn load(config: &AgentConfig) -> Result<Arc<Tls>, TlsError> {
    let tls = &config.settings.tls;
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
}

/// Bounds on connections between agents.
pub(super) fn limits(config: &AgentConfig) -> Limits {
    let (limits, rpc) = (&config.settings.limits, &config.settings.rpc);
    Limits {
        max_connections_per_ip: limits.rpc_max_conns_per_client as usize,
        handshake_timeout: limits.rpc_handshake_timeout,
        // A server that went silent must not hold others up for long.
        dial_timeout: rpc.dial_timeout.min(std::time::Duration::from_secs(3)),
        keep_alive_interval: rpc.keep_alive_interval,
        keep_alive_timeout: rpc.connection_write_timeout,
        ..Limits::default()
    }
}

/// Addresses of servers, each with a port.
pub(crate) fn addresses<'a>(lists: impl IntoIterator<Item = &'a Vec<String>>) -> Vec<String> {
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
