//! A Vault that tasks' templates read secrets from, over its HTTP API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::consul::escaped;
use crate::tls::{TlsConfig, TlsError};

/// Where Vault is, and how a task's identity becomes a token of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConfig {
    /// With its scheme.
    pub address: String,
    pub namespace: String,
    pub tls: TlsConfig,
    /// Where identities are exchanged.
    pub login_path: String,
    /// What a task logs in as; that of tasks that name none, where no task is meant.
    pub role: String,
}

impl VaultConfig {
    /// The same for a task, which may have a namespace and a role of its own.
    pub(crate) fn of_task(&self, block: &caravan_model::Vault) -> Self {
        let mut own = self.clone();
        for (given, name) in [
            (&block.namespace, &mut own.namespace),
            (&block.role, &mut own.role),
        ] {
            if !given.is_empty() {
                name.clone_from(given);
            }
        }
        own
    }
}

/// The name of the identity that a task logs in with.
pub(crate) fn identity(block: &caravan_model::Vault) -> String {
    let cluster = match block.cluster.as_str() {
        "" => "default",
        named => named,
    };
    format!("vault_{cluster}")
}

/// Why Vault gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("Vault cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("Vault cannot be asked: {0}")]
    Tls(#[from] TlsError),
    #[error("Vault answers {0}: {1}")]
    Refused(u16, String),
}

impl VaultError {
    /// Whether the same may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Tls(_) => false,
            Self::Refused(code, _) => *code >= 500 || *code == 429,
        }
    }
}

/// Vault, with the token of one task.
pub(crate) struct Vault {
    config: VaultConfig,
    http: reqwest::Client,
    token: String,
    lasts: Option<Duration>,
}

const TIMEOUT: Duration = Duration::from_secs(30);

impl Vault {
    /// Exchanges a signed identity for a token.
    pub(crate) async fn login(config: VaultConfig, jwt: &str) -> Result<Self, VaultError> {
        let http = config.tls.client(TIMEOUT)?;
        let mut vault = Self {
            http,
            token: String::new(),
            lasts: None,
            config: config.clone(),
        };
        let path = format!("auth/{}/login", config.login_path.trim_matches('/'));
        let answer = vault
            .ask(
                reqwest::Method::POST,
                &path,
                Some(json!({"jwt": jwt, "role": config.role})),
            )
            .await?;
        vault.token = answer["auth"]["client_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let seconds = answer["auth"]["lease_duration"].as_u64();
        vault.lasts = seconds
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        Ok(vault)
    }

    /// Vault for who has a token already.
    pub(crate) fn with_token(config: VaultConfig, token: &str) -> Result<Self, VaultError> {
        Ok(Self {
            http: config.tls.client(TIMEOUT)?,
            token: token.to_owned(),
            lasts: None,
            config,
        })
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// How long the token lasts; `None`: for ever.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        self.lasts
    }

    /// A secret as templates see it; `Null` where there is none.
    pub(crate) async fn read(&self, path: &str) -> Result<Value, VaultError> {
        let path = self.versioned(path, "data").await;
        match self.ask(reqwest::Method::GET, &path, None).await {
            Ok(found) => Ok(secret(&found)),
            Err(VaultError::Refused(404, _)) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }

    /// What Vault gives for what is written to it, as `name=value`.
    pub(crate) async fn write(&self, path: &str, pairs: &[String]) -> Result<Value, VaultError> {
        let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
        let body = pairs.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let body = Value::Object(body.collect());
        let found = self.ask(reqwest::Method::PUT, path, Some(body)).await?;
        Ok(secret(&found))
    }

    /// Has a lease last longer; says how long it does.
    pub(crate) async fn renew_lease(&self, id: &str) -> Result<Duration, VaultError> {
        let body = json!({"lease_id": id});
        let found = self
            .ask(reqwest::Method::PUT, "sys/leases/renew", Some(body))
            .await?;
        let seconds = found["lease_duration"].as_u64().unwrap_or_default();
        Ok(Duration::from_secs(seconds))
    }

    /// Has the token last longer; says how long it does, `None`: for ever.
    pub(crate) async fn renew(&self) -> Result<Option<Duration>, VaultError> {
        let path = "auth/token/renew-self";
        let found = self
            .ask(reqwest::Method::PUT, path, Some(json!({})))
            .await?;
        let seconds = found["auth"]["lease_duration"].as_u64();
        Ok(seconds
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs))
    }

    /// In a store of the second version for keys and values, what is stored has a place of its own below the mount.
    async fn versioned(&self, path: &str, place: &str) -> String {
        let (bare, query) = match path.find('?') {
            Some(at) => path.split_at(at),
            None => (path, ""),
        };
        let bare = bare.trim_matches('/');
        let mount = format!("sys/internal/ui/mounts/{bare}");
        // Where that may not be asked, the path is meant as it is written.
        let Ok(found) = self.ask(reqwest::Method::GET, &mount, None).await else {
            return path.to_owned();
        };
        let mount = found["data"]["path"].as_str().unwrap_or_default();
        let mount = mount.trim_matches('/');
        if mount.is_empty() || found["data"]["options"]["version"] != "2" {
            return path.to_owned();
        }
        match bare.strip_prefix(mount) {
            Some(rest) if rest.starts_with(&format!("/{place}/")) => path.to_owned(),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{mount}/{place}{rest}{query}")
            }
            _ => path.to_owned(),
        }
    }

    /// The names of what is below a path; none where nothing is.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<String>, VaultError> {
        let path = self.versioned(path, "metadata").await;
        let path = format!("{}?list=true", path.trim_end_matches('/'));
        match self.ask(reqwest::Method::GET, &path, None).await {
            Ok(found) => {
                Ok(serde_json::from_value(found["data"]["keys"].clone()).unwrap_or_default())
            }
            Err(VaultError::Refused(404, _)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, VaultError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        let address = self.config.address.trim_end_matches('/');
        let url = format!("{address}/v1/{}{query}", escaped(path.trim_matches('/')));
        let mut request = self
            .http
            .request(method, url)
            .header("X-Vault-Request", "true");
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        if !self.config.namespace.is_empty() {
            request = request.header("X-Vault-Namespace", &self.config.namespace);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if !status.is_success() {
            let words = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).into_owned();
            return Err(VaultError::Refused(status.as_u16(), words));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

/// An answer as templates see it.
fn secret(found: &Value) -> Value {
    json!({
        "RequestID": found["request_id"], "LeaseID": found["lease_id"],
        "LeaseDuration": found["lease_duration"], "Renewable": found["renewable"], "Data": found["data"],
    })
}
