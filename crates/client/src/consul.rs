//! A Consul agent beside this node, over its HTTP API.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::grant::Granted;
use crate::tls::{TlsConfig, TlsError};

/// Where the agent is and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulConfig {
    /// `host:port`.
    pub address: String,
    /// Whether it is asked over TLS, and how.
    pub https: bool,
    pub tls: TlsConfig,
    /// `user:password`, for what stands before it; empty: none.
    pub auth: String,
    pub token: String,
    /// Empty: that of the token.
    pub namespace: String,
    pub timeout: Duration,
    /// How tasks log in with their identities.
    pub task_auth_method: String,
    /// How services do.
    pub service_auth_method: String,
}

impl Default for ConsulConfig {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8500".into(),
            https: false,
            tls: TlsConfig::default(),
            auth: String::new(),
            token: String::new(),
            namespace: String::new(),
            timeout: Duration::from_secs(5),
            task_auth_method: "nomad-workloads".into(),
            service_auth_method: "nomad-workloads".into(),
        }
    }
}

/// Why Consul does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsulError {
    #[error("Consul cannot be reached: {0}")]
    Unreachable(String),
    #[error("Consul answers {0}: {1}")]
    Refused(u16, String),
    #[error("there is no token of Consul: {0}")]
    NoToken(String),
}

impl ConsulError {
    /// Whether the same may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NoToken(_) => true,
            Self::Refused(code, _) => *code >= 500 || *code == 429,
        }
    }
}

/// The agent.
#[derive(Clone, Debug)]
pub(crate) struct Consul {
    pub(crate) config: ConsulConfig,
    http: reqwest::Client,
}

/// What lies at the bottom of an error: what is above it says where it was met.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

fn unreachable(error: reqwest::Error) -> ConsulError {
    ConsulError::Unreachable(cause(&error))
}

impl Consul {
    pub(crate) fn new(config: ConsulConfig) -> Result<Self, TlsError> {
        let http = config.tls.client(config.timeout)?;
        Ok(Self { config, http })
    }

    /// The same agent, asked with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        let mut other = self.clone();
        token.clone_into(&mut other.config.token);
        other
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let scheme = if self.config.https { "https" } else { "http" };
        let mut url = format!("{scheme}://{}{path}", self.config.address);
        if !self.config.namespace.is_empty() {
            let between = if path.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{between}ns={}", self.config.namespace));
        }
        let mut request = self.http.request(method, url);
        if let Some((user, password)) = self.config.auth.split_once(':') {
            request = request.basic_auth(user, Some(password));
        }
        if self.config.token.is_empty() {
            request
        } else {
            request.header("X-Consul-Token", &self.config.token)
        }
    }

    /// What is at a path; `None` when there is nothing.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ConsulError> {
        let answer = self
            .request(reqwest::Method::GET, path)
            .send()
            .await
            .map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        match status.as_u16() {
            404 => Ok(None),
            _ if status.is_success() => Ok(Some(body.to_vec())),
            code => Err(refused(code, &body)),
        }
    }

    /// The same, read as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, ConsulError> {
        let Some(bytes) = self.get(path).await? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes);
        read.map(Some)
            .map_err(|error| ConsulError::Refused(200, error.to_string()))
    }

    /// Exchanges a signed identity for a token.
    pub(crate) async fn login(&self, method: &str, jwt: &str) -> Result<Granted, ConsulError> {
        let body = serde_json::json!({"AuthMethod": method, "BearerToken": jwt});
        let request = self
            .request(reqwest::Method::PUT, "/v1/acl/login")
            .body(body.to_string());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(refused(status.as_u16(), &body));
        }
        let read: Value = serde_json::from_slice(&body)
            .map_err(|error| ConsulError::Refused(200, error.to_string()))?;
        // `1h30m0s` in answers, nanoseconds in some.
        let lasts = serde_json::from_value(read["ExpirationTTL"].clone());
        let lasts = lasts
            .ok()
            .map(|lasts: caravan_model::Duration| lasts.to_std());
        Ok(Granted {
            token: read["SecretID"].as_str().unwrap_or_default().to_owned(),
            lasts: lasts.filter(|lasts| !lasts.is_zero()),
        })
    }

    /// Has the agent take something in.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<(), ConsulError> {
        let request = self
            .request(reqwest::Method::PUT, path)
            .body(body.to_string());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = answer.bytes().await.unwrap_or_default();
        Err(refused(status.as_u16(), &body))
    }
}

fn refused(code: u16, body: &[u8]) -> ConsulError {
    ConsulError::Refused(
        code,
        String::from_utf8_lossy(&body[..body.len().min(512)])
            .trim()
            .to_owned(),
    )
}

/// A part of a path, so that what is in it cannot end it.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let each = text.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    each.collect()
}
