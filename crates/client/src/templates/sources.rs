//! Where templates get their data: the servers and Consul; with Vault ([`super::secrets`]), each behind the same trait.

use std::sync::Arc;

use async_trait::async_trait;
use caravan_model::{AllocId, NamespaceName};

use super::data::{Need, Value};
use crate::consul::Consul;
use crate::link::{Found, Lookup, What};
use crate::shared::Shared;
use crate::tokens::Current;

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
            Need::ServiceTags => What::ServiceTags {
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
            Ok(Found::Variable(Some(found))) => Some(Value::Variable(Arc::from(found))),
            Ok(Found::Variables(found)) => Some(Value::Variables(found)),
            Ok(Found::ServiceTags(tags)) => Some(Value::Tags(tags)),
            Ok(Found::Services(services)) => Some(Value::Services(services)),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, ?need, "a template cannot be fed");
                None
            }
        }
    }
}

/// The Consul agent, asked with the token of the task where it has one.
pub(super) struct Keys {
    pub(super) consul: Arc<Consul>,
    pub(super) token: Option<Current>,
}

#[async_trait]
impl Source for Keys {
    fn has(&self, need: &Need) -> bool {
        matches!(need, Need::Consul { .. })
    }

    async fn fetch(&self, need: &Need) -> Option<Value> {
        let Need::Consul { path, .. } = need else {
            return None;
        };
        let consul = match &self.token {
            None => Consul::clone(&self.consul),
            Some(token) => self.consul.with_token(&token.get()),
        };
        match consul.json::<serde_json::Value>(path).await {
            Ok(None | Some(serde_json::Value::Null)) => Some(Value::Absent),
            Ok(Some(found)) => Some(Value::Json(found)),
            Err(error) => {
                tracing::debug!(%error, ?need, "a template cannot be fed");
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
