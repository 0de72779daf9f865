//! Where templates get their data: the servers, Consul and Vault, each behind the same trait.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use caravan_model::{AllocId, NamespaceName};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::data::{Need, Value};
use crate::consul::{Consul, ConsulError, escaped};
use crate::link::{Found, Lookup, WantedIdentity, What};
use crate::shared::Shared;
use crate::vault::{Vault, VaultConfig, VaultError};

/// Somewhere that data comes from.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// Whether it has things like this.
    fn has(&self, need: &Need) -> bool;

    /// What it has now; `None` when it cannot tell.
    async fn fetch(&self, need: &Need) -> Option<Value>;
}

/// The servers, on behalf of a task.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) shared: Arc<Shared>,
    pub(super) alloc: AllocId,
    pub(super) namespace: NamespaceName,
    pub(super) task: String,
}

impl Servers {
    fn question(&self, need: &Need) -> Option<What> {
        let (alloc, task) = (self.alloc, self.task.clone());
        Some(match need {
            Need::Variable { path, .. } => What::Variable {
                alloc,
                task,
                path: path.clone(),
            },
            Need::Variables(prefix) => What::Variables {
                alloc,
                task,
                prefix: prefix.clone(),
            },
            Need::Service(name) => What::Service {
                namespace: self.namespace.clone(),
                name: name.clone(),
            },
            Need::ServiceNames => What::ServiceNames {
                namespace: self.namespace.clone(),
            },
            _ => return None,
        })
    }
}

#[async_trait]
impl Source for Servers {
    fn has(&self, need: &Need) -> bool {
        self.question(need).is_some()
    }

    async fn fetch(&self, need: &Need) -> Option<Value> {
        let request = Lookup {
            caller: self.shared.caller(),
            what: self.question(need)?,
        };
        match self.shared.link.lookup(request).await {
            Ok(Found::Variable(None)) => Some(Value::Absent),
            Ok(Found::Variable(Some(found))) => Some(Value::Items(found.items.unwrap_or_default())),
            Ok(Found::Variables(names) | Found::ServiceNames(names)) => Some(Value::Names(names)),
            Ok(Found::Services(services)) => Some(Value::Services(services)),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, ?need, "a template cannot be fed");
                None
            }
        }
    }
}

#[async_trait]
impl Source for Arc<Consul> {
    fn has(&self, need: &Need) -> bool {
        matches!(
            need,
            Need::Key { .. }
                | Need::Keys(_)
                | Need::ConsulService(_)
                | Need::ConsulServiceNames
                | Need::Datacenters
        )
    }

    async fn fetch(&self, need: &Need) -> Option<Value> {
        let found = match need {
            Need::Key { path, .. } => self.key(path).await,
            Need::Keys(prefix) => self.keys(prefix).await,
            Need::ConsulService(name) => self.instances(name).await,
            Need::ConsulServiceNames => self.names().await,
            Need::Datacenters => self.datacenters().await,
            _ => return None,
        };
        found
            .map_err(|error| tracing::debug!(%error, ?need, "a template cannot be fed"))
            .ok()
    }
}

impl Consul {
    async fn key(&self, path: &str) -> Result<Value, ConsulError> {
        let path = format!("/v1/kv/{}?raw=true", escaped(path.trim_matches('/')));
        let text = |bytes: Vec<u8>| Value::Text(String::from_utf8_lossy(&bytes).into_owned());
        Ok(self.get(&path).await?.map_or(Value::Absent, text))
    }

    async fn keys(&self, prefix: &str) -> Result<Value, ConsulError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Row {
            key: String,
            value: Option<String>,
        }
        let path = format!("/v1/kv/{}?recurse=true", escaped(prefix));
        let rows: Vec<Row> = self.json(&path).await?.unwrap_or_default();
        let pairs = rows.into_iter().map(|row| {
            let bytes = STANDARD
                .decode(row.value.unwrap_or_default())
                .unwrap_or_default();
            (row.key, String::from_utf8_lossy(&bytes).into_owned())
        });
        Ok(Value::Pairs(pairs.collect()))
    }

    async fn names(&self) -> Result<Value, ConsulError> {
        let found = self.json("/v1/catalog/services").await?;
        Ok(Value::Json(found.unwrap_or_default()))
    }

    async fn datacenters(&self) -> Result<Value, ConsulError> {
        let found = self.json("/v1/catalog/datacenters").await?;
        Ok(Value::Names(found.unwrap_or_default()))
    }

    async fn instances(&self, name: &str) -> Result<Value, ConsulError> {
        let path = format!("/v1/health/service/{}?passing=true", escaped(name));
        let found: Vec<serde_json::Value> = self.json(&path).await?.unwrap_or_default();
        let each = found.iter().map(|one| {
            let (service, node) = (&one["Service"], &one["Node"]);
            let own = service["Address"].as_str().filter(|text| !text.is_empty());
            serde_json::json!({
                "ID": service["ID"], "Name": service["Service"], "Port": service["Port"], "Tags": service["Tags"],
                "Address": own.or(node["Address"].as_str()), "ServiceMeta": service["Meta"],
                "Node": node["Node"], "NodeID": node["ID"], "NodeAddress": node["Address"],
                "NodeDatacenter": node["Datacenter"], "NodeMeta": node["Meta"], "Status": "passing",
            })
        });
        Ok(Value::Json(each.collect()))
    }
}

/// Vault, on behalf of a task that has a `vault` block: logged in once it is needed.
pub(super) struct Secrets {
    pub(super) servers: Servers,
    pub(super) config: VaultConfig,
    pub(super) identity: String,
    pub(super) vault: Mutex<Option<Arc<Vault>>>,
}

impl Secrets {
    async fn vault(&self) -> Option<Arc<Vault>> {
        let mut vault = self.vault.lock().await;
        if let Some(vault) = &*vault {
            return Some(Arc::clone(vault));
        }
        let wanted = WantedIdentity {
            workload: self.servers.task.clone(),
            is_service: false,
            identity: self.identity.clone(),
        };
        let what = What::Identities {
            alloc: self.servers.alloc,
            wanted: vec![wanted],
        };
        let request = Lookup {
            caller: self.servers.shared.caller(),
            what,
        };
        let signed = match self.servers.shared.link.lookup(request).await {
            Ok(Found::Identities(signed)) => signed.into_iter().next()?,
            _ => return None,
        };
        match Vault::login(self.config.clone(), &signed.token).await {
            Ok(logged_in) if !logged_in.token().is_empty() => {
                let logged_in = Arc::new(logged_in);
                *vault = Some(Arc::clone(&logged_in));
                Some(logged_in)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, task = self.servers.task, "no token of Vault");
                None
            }
        }
    }
}

#[async_trait]
impl Source for Secrets {
    fn has(&self, need: &Need) -> bool {
        matches!(need, Need::Secret(_) | Need::SecretNames(_))
    }

    async fn fetch(&self, need: &Need) -> Option<Value> {
        let vault = self.vault().await?;
        let found = match need {
            Need::Secret(path) => vault.read(path).await.map(|found| match found {
                serde_json::Value::Null => Value::Absent,
                found => Value::Json(found),
            }),
            Need::SecretNames(path) => vault.list(path).await.map(Value::Names),
            _ => return None,
        };
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!(%error, ?need, "a secret cannot be read");
                // A token that is over is replaced.
                if matches!(error, VaultError::Refused(403, _)) {
                    *self.vault.lock().await = None;
                }
                None
            }
        }
    }
}

/// A source that this node was not given: what it should have is waited for.
pub(super) struct Nowhere;

#[async_trait]
impl Source for Nowhere {
    fn has(&self, _need: &Need) -> bool {
        true
    }

    async fn fetch(&self, _need: &Need) -> Option<Value> {
        None
    }
}
