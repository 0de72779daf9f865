//! How to reach an agent and as whom: defaults, then the environment, then what the caller sets.

use crate::address::{self, Address};
use base64::Engine;

/// Where TLS material comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A file with certificates to trust; wins over `ca_path`.
    pub ca_cert: String,
    /// A folder of such files.
    pub ca_path: String,
    /// The client's certificate.
    pub client_cert: String,
    /// The client's key.
    pub client_key: String,
    /// The name to expect in the server's certificate.
    pub server_name: String,
    /// Trust anything.
    pub skip_verify: bool,
}

/// Settings of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Empty means the local agent's default.
    pub address: String,
    /// Empty means the agent's own.
    pub region: String,
    /// Empty means `default`.
    pub namespace: String,
    /// The secret id.
    pub token: String,
    /// `user:password` for HTTP basic authentication.
    pub basic_auth: Option<String>,
    /// TLS settings.
    pub tls: TlsConfig,
}

/// The address used when none is given.
pub(crate) const DEFAULT_ADDRESS: &str = "http://127.0.0.1:4646";

impl Config {
    /// Settings as the environment gives them; `env` looks a variable up.
    #[must_use]
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| env(name).unwrap_or_default();
        let auth = text("NOMAD_HTTP_AUTH");
        Self {
            address: text("NOMAD_ADDR"),
            region: text("NOMAD_REGION"),
            namespace: text("NOMAD_NAMESPACE"),
            token: text("NOMAD_TOKEN"),
            basic_auth: (!auth.is_empty()).then(|| with_colon(auth)),
            tls: TlsConfig {
                ca_cert: text("NOMAD_CACERT"),
                ca_path: text("NOMAD_CAPATH"),
                client_cert: text("NOMAD_CLIENT_CERT"),
                client_key: text("NOMAD_CLIENT_KEY"),
                server_name: text("NOMAD_TLS_SERVER_NAME"),
                skip_verify: parse_bool(&text("NOMAD_SKIP_VERIFY")).unwrap_or(false),
            },
        }
    }

    /// The address to ask, and the value of the `Authorization` header.
    pub(crate) fn target(&self) -> Result<(Address, Option<String>), String> {
        let text = match self.address.is_empty() {
            true => DEFAULT_ADDRESS,
            false => &self.address,
        };
        let parsed = address::parse(text)?;
        let user = parsed.user.map(with_colon).or(self.basic_auth.clone());
        let header = user.map(|user| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(user);
            format!("Basic {encoded}")
        });
        Ok((parsed.address, header))
    }
}

fn with_colon(user: String) -> String {
    match user.contains(':') {
        true => user,
        false => user + ":",
    }
}

/// A boolean in any spelling that Go accepts.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
