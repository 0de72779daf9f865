//! How Consul is asked for a service: with the agent's own token, or with the one that the service's identity was
//! exchanged for.

use std::sync::Arc;
use std::time::Instant;

use caravan_model::{AllocId, Identity, Service};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::held::Held;
use crate::consul::{Consul, ConsulError};
use crate::grant::Granted;
use crate::link::{self, Caller, ServerLink, WantedIdentity};

/// Consul, for one service.
pub(crate) struct Access {
    consul: Arc<Consul>,
    login: Option<Login>,
}

/// How a service gets a token of its own.
struct Login {
    link: Arc<dyn ServerLink>,
    caller: Caller,
    alloc: AllocId,
    wanted: WantedIdentity,
    held: Mutex<Held<Arc<Consul>>>,
}

/// What Consul is told of an instance, and how.
pub(crate) struct ForConsul {
    pub(super) access: Arc<Access>,
    /// `None` withdraws.
    pub(super) told: Option<Value>,
}

impl Access {
    pub(super) fn new(
        consul: &Arc<Consul>,
        link: &Arc<dyn ServerLink>,
        caller: Caller,
        alloc: AllocId,
        service: &Service,
    ) -> Self {
        let identity = service.identity.as_ref();
        let identity = identity.filter(|it| it.name.starts_with(Identity::CONSUL_SERVICE));
        let login = identity.map(|identity| Login {
            link: Arc::clone(link),
            caller,
            alloc,
            wanted: WantedIdentity {
                workload: identity.service_name.clone(),
                is_service: true,
                identity: identity.name.clone(),
            },
            held: Mutex::default(),
        });
        Self {
            consul: Arc::clone(consul),
            login,
        }
    }

    /// Whether both ask in the same name.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        match (&self.login, &other.login) {
            (Some(one), Some(other)) => one.wanted == other.wanted,
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<(), ConsulError> {
        let consul = self.consul().await?;
        self.judged(consul.put(path, body).await).await
    }

    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, ConsulError> {
        let consul = self.consul().await?;
        self.judged(consul.json(path).await).await
    }

    /// Asks for the last time, and gives the token back. The servers sign nothing for what has ended: without a token
    /// that is still good, the agent's own has to do.
    pub(super) async fn put_last(&self, path: &str, body: &Value) -> Result<(), ConsulError> {
        let held = match &self.login {
            Some(login) => login.held.lock().await.token.clone(),
            None => None,
        };
        let Some(consul) = held else {
            return self.consul.put(path, body).await;
        };
        match consul.put(path, body).await {
            Err(ConsulError::Refused(401 | 403, _)) => self.consul.put(path, body).await,
            told => {
                if told.is_ok()
                    && let Err(error) = consul.put("/v1/acl/logout", &Value::Null).await
                {
                    tracing::debug!(%error, "a token of Consul is not given back");
                }
                told
            }
        }
    }

    async fn consul(&self) -> Result<Arc<Consul>, ConsulError> {
        match &self.login {
            Some(login) => login.consul(&self.consul).await,
            None => Ok(Arc::clone(&self.consul)),
        }
    }

    /// A token that Consul refuses is replaced by the next that is asked for.
    async fn judged<T>(&self, answer: Result<T, ConsulError>) -> Result<T, ConsulError> {
        match (&self.login, answer) {
            (Some(login), Err(error @ ConsulError::Refused(401 | 403, _))) => {
                login.held.lock().await.refused(Instant::now());
                Err(ConsulError::NoToken(error.to_string()))
            }
            (_, answer) => answer,
        }
    }
}

impl Login {
    /// Consul, asked with a token that is good.
    async fn consul(&self, consul: &Consul) -> Result<Arc<Consul>, ConsulError> {
        let mut held = self.held.lock().await;
        if held.may_log_in(Instant::now()) {
            let first = held.tried.replace(Instant::now()).is_none();
            match self.exchange(consul).await {
                Ok(granted) => {
                    let token = Arc::new(consul.with_token(&granted.token));
                    held.take(token, granted.lasts, Instant::now());
                }
                Err(error) if first => {
                    tracing::warn!(service = self.wanted.workload, %error, "no token of Consul yet");
                }
                Err(error) => {
                    tracing::debug!(service = self.wanted.workload, %error, "no new token of Consul");
                }
            }
        }
        let none = || ConsulError::NoToken("the next login is in some seconds".into());
        held.token.clone().ok_or_else(none)
    }

    async fn exchange(&self, consul: &Consul) -> Result<Granted, ConsulError> {
        let (caller, wanted) = (self.caller.clone(), vec![self.wanted.clone()]);
        let signed = link::sign(&*self.link, caller, self.alloc, wanted).await;
        let signed = signed.map_err(|error| ConsulError::NoToken(error.to_string()))?;
        let method = &consul.config.service_auth_method;
        consul.login(method, &signed[0].token).await
    }
}
