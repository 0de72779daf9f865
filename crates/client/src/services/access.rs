//! How Consul is asked for a service: with the agent's own token, or with the one that the service's identity was
//! exchanged for.

use std::sync::Arc;
use std::time::Duration;

use caravan_model::{AllocId, Identity, Service};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::consul::{Consul, ConsulError};
use crate::grant::Granted;
use crate::link::{Caller, ServerLink, WantedIdentity};
use crate::shared::Shared;
use crate::tokens::{self, TokenError};

/// No login follows another sooner: neither one that failed nor one whose token Consul refuses.
const PAUSE: Duration = Duration::from_secs(5);

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
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Consul, asked with the token.
    consul: Option<Arc<Consul>>,
    /// `None`: the token does not end.
    until: Option<Instant>,
    /// The last login.
    tried: Option<Instant>,
}

impl Held {
    fn tried_just_now(&self) -> bool {
        self.tried.is_some_and(|tried| tried.elapsed() < PAUSE)
    }
}

impl Access {
    pub(super) fn new(
        shared: &Shared,
        consul: &Arc<Consul>,
        alloc: AllocId,
        service: &Service,
    ) -> Self {
        let identity = service.identity.as_ref();
        let identity = identity.filter(|it| it.name.starts_with(Identity::CONSUL_SERVICE));
        let login = identity.map(|identity| Login {
            link: Arc::clone(&shared.link),
            caller: shared.caller(),
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
        let wanted = |access: &Self| access.login.as_ref().map(|login| login.wanted.clone());
        wanted(self) == wanted(other)
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
            Some(login) => login.held.lock().await.consul.clone(),
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
                let mut held = login.held.lock().await;
                if !held.tried_just_now() {
                    held.consul = None;
                }
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
        let ended = held.until.is_some_and(|until| until <= Instant::now());
        if let Some(consul) = held.consul.as_ref().filter(|_| !ended) {
            return Ok(Arc::clone(consul));
        }
        if held.tried_just_now() {
            return Err(ConsulError::NoToken("the last login was just now".into()));
        }
        let first = held.tried.replace(Instant::now()).is_none();
        let granted = self.exchange(consul).await.map_err(|error| {
            if first {
                tracing::warn!(service = self.wanted.workload, %error, "no token of Consul yet");
            }
            ConsulError::NoToken(error.to_string())
        })?;
        // With a third of its life left.
        held.until = granted.lasts.map(|lasts| Instant::now() + lasts / 3 * 2);
        let consul = Arc::new(consul.with_token(&granted.token));
        held.consul = Some(Arc::clone(&consul));
        Ok(consul)
    }

    async fn exchange(&self, consul: &Consul) -> Result<Granted, TokenError> {
        let (caller, wanted) = (self.caller.clone(), self.wanted.clone());
        let jwt = tokens::signed(&*self.link, caller, self.alloc, wanted).await?;
        let method = &consul.config.service_auth_method;
        Ok(consul.login(method, &jwt).await?)
    }
}
