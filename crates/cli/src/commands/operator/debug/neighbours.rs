//! Consul and Vault, when it is known where they are.

use crate::context::Context;
use crate::failure::Failure;
use crate::hostfiles::io_text;
use caravan_sdk::{Config, TlsConfig};

/// A service beside the cluster, and what to ask it.
pub(super) struct Neighbour {
    pub(super) name: &'static str,
    pub(super) config: Config,
    /// The header that carries the token, and the token.
    pub(super) token: (&'static str, String),
    pub(super) routes: &'static [(&'static str, &'static str)],
}

impl Neighbour {
    /// Consul, if flags or environment say where it is.
    pub(super) fn consul(context: &Context) -> Result<Option<Self>, Failure> {
        let file = setting(context, "consul-token-file", "CONSUL_HTTP_TOKEN_FILE");
        let mut token = setting(context, "consul-token", "CONSUL_HTTP_TOKEN");
        if token.is_empty() && !file.is_empty() {
            token = std::fs::read_to_string(&file)
                .map_err(|error| format!("Error reading {file}: {}", io_text(&error)))?;
        }
        let address = setting(context, "consul-http-addr", "CONSUL_HTTP_ADDR");
        let tls = tls(context, "consul", "CONSUL");
        Ok(config(&address, tls).map(|config| Self {
            name: "consul",
            config,
            token: ("X-Consul-Token", token.trim().to_owned()),
            routes: &[
                ("agent-self", "/v1/agent/self"),
                ("agent-metrics", "/v1/agent/metrics"),
                ("leader", "/v1/status/leader"),
            ],
        }))
    }

    /// Vault, if flags or environment say where it is.
    pub(super) fn vault(context: &Context) -> Result<Option<Self>, Failure> {
        let address = setting(context, "vault-address", "VAULT_ADDR");
        let tls = tls(context, "vault", "VAULT");
        Ok(config(&address, tls).map(|config| Self {
            name: "vault",
            config,
            token: (
                "X-Vault-Token",
                setting(context, "vault-token", "VAULT_TOKEN"),
            ),
            routes: &[
                ("sys-health", "/v1/sys/health"),
                ("leader", "/v1/sys/leader"),
            ],
        }))
    }
}

/// What a flag says, or else the environment.
fn setting(context: &Context, flag: &str, variable: &str) -> String {
    match context.given.text(flag) {
        "" => std::env::var(variable).unwrap_or_default(),
        text => text.to_owned(),
    }
}

fn tls(context: &Context, flags: &str, variables: &str) -> TlsConfig {
    let of = |flag: &str, variable: &str| {
        setting(
            context,
            &format!("{flags}-{flag}"),
            &format!("{variables}_{variable}"),
        )
    };
    TlsConfig {
        ca_cert: of("ca-cert", "CACERT"),
        ca_path: of("ca-path", "CAPATH"),
        client_cert: of("client-cert", "CLIENT_CERT"),
        client_key: of("client-key", "CLIENT_KEY"),
        ..TlsConfig::default()
    }
}

fn config(address: &str, tls: TlsConfig) -> Option<Config> {
    let address = match address {
        "" => return None,
        address if address.contains("://") => address.to_owned(),
        address => format!("http://{address}"),
    };
    Some(Config {
        address,
        tls,
        ..Config::default()
    })
}
