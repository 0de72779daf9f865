//! Tokens of Vault and Consul for tasks (runtime sheet §N): an identity of the task that the servers signed is exchanged for
//! one, which is written for the task and replaced before it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caravan_model::{AllocId, Task, change_mode};

use crate::alloc::dir::AllocDir;
use crate::api::contained;
use crate::consul::ConsulError;
use crate::grant::Granted;
use crate::link::{self, LinkError, WantedIdentity};
use crate::shared::Shared;
use crate::vault::{self, VaultError};

mod issuer;
mod renewal;

use issuer::{Issuer, VaultLogin};
pub(crate) use renewal::Renewal;

const VAULT: &str = "Vault";
const CONSUL: &str = "Consul";
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// The token that is good now, for who asks with it; empty while there is none.
#[derive(Clone, Default)]
pub(crate) struct Current(Arc<Mutex<String>>);

impl Current {
    pub(crate) fn get(&self) -> String {
        let token = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    fn set(&self, token: &str) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone_into(&mut current);
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the servers do not sign the identity {identity:?}: {error}")]
    Identity { identity: String, error: LinkError },
    #[error("{0}")]
    Vault(#[from] VaultError),
    #[error("{0}")]
    Consul(#[from] ConsulError),
    #[error("it cannot be written: {0}")]
    Write(#[from] contained::ContainedError),
}

impl TokenError {
    /// Whether the same may work later.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Identity { error, .. } => error.is_temporary(),
            Self::Vault(error) => error.is_temporary(),
            Self::Consul(error) => error.is_temporary(),
            Self::Write(_) => false,
        }
    }
}

/// One token of one task.
pub(crate) struct TaskToken {
    shared: Arc<Shared>,
    alloc: AllocId,
    task: String,
    dir: AllocDir,
    root: PathBuf,
    current: Current,
    owner: Option<(u32, u32)>,
    issuer: Box<dyn Issuer>,
    /// As events call it.
    name: &'static str,
    identity: String,
    file: Option<&'static str>,
    variables: &'static [&'static str],
    /// What goes with it.
    beside: BTreeMap<String, String>,
    change_mode: String,
    change_signal: String,
    /// It is not replaced when it ends.
    ends: bool,
}

/// The tokens that a task is to have.
pub(crate) fn of(
    shared: &Arc<Shared>,
    alloc: AllocId,
    task: &Task,
    dir: &AllocDir,
) -> Vec<TaskToken> {
    let base = |issuer: Box<dyn Issuer>| TaskToken {
        shared: Arc::clone(shared),
        alloc,
        task: task.name.clone(),
        root: dir.task(&task.name).task,
        dir: dir.clone(),
        current: Current::default(),
        owner: crate::users::ids(&task.user),
        issuer,
        name: "",
        identity: String::new(),
        file: None,
        variables: &[],
        beside: BTreeMap::new(),
        change_mode: String::new(),
        change_signal: String::new(),
        ends: false,
    };
    let mut all = Vec::new();
    if let (Some(config), Some(block)) = (&shared.config.vault, &task.vault) {
        let config = config.of_task(block);
        let namespace = Some(config.namespace.clone()).filter(|name| block.env && !name.is_empty());
        all.push(TaskToken {
            name: VAULT,
            identity: vault::identity(block),
            file: (!block.disable_file).then_some("secrets/vault_token"),
            variables: if block.env { &["VAULT_TOKEN"] } else { &[] },
            beside: namespace
                .map(|name| ("VAULT_NAMESPACE".to_owned(), name))
                .into_iter()
                .collect(),
            change_mode: block.change_mode.clone(),
            change_signal: block.change_signal.clone(),
            ends: block.allow_token_expiration,
            ..base(Box::new(VaultLogin(config)))
        });
    }
    // Without an identity for it, a task is given none.
    let for_consul = task
        .identities
        .iter()
        .find(|identity| identity.name.starts_with("consul_"));
    if let (Some(consul), Some(identity)) = (&shared.consul, for_consul) {
        all.push(TaskToken {
            name: CONSUL,
            identity: identity.name.clone(),
            file: Some("secrets/consul_token"),
            variables: &["CONSUL_TOKEN", "CONSUL_HTTP_TOKEN"],
            change_mode: change_mode::NOOP.to_owned(),
            ..base(Box::new(Arc::clone(consul)))
        });
    }
    all
}

impl TaskToken {
    /// Asks until there is a token, or a refusal.
    pub(crate) async fn first(&self) -> Result<Granted, TokenError> {
        let mut wait = RETRY;
        loop {
            match self.ask().await {
                Err(error) if error.is_temporary() => {
                    tracing::warn!(task = self.task, %error, "no token of {} yet", self.name);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MOST);
                }
                other => return other,
            }
        }
    }

    async fn ask(&self) -> Result<Granted, TokenError> {
        let wanted = WantedIdentity {
            workload: self.task.clone(),
            is_service: false,
            identity: self.identity.clone(),
        };
        let caller = self.shared.caller();
        let signed = link::sign(&*self.shared.link, caller, self.alloc, vec![wanted]).await;
        let signed = signed.map_err(|error| TokenError::Identity {
            identity: self.identity.clone(),
            error,
        })?;
        self.issuer.exchange(&signed[0].token).await
    }

    /// Writes the file; gives the variables.
    pub(crate) fn hand_over(
        &self,
        granted: &Granted,
    ) -> Result<BTreeMap<String, String>, TokenError> {
        self.keep(granted);
        if let Some(file) = self.file {
            let (mode, owner) = match self.owner {
                Some((user, group)) => (0o600, (Some(user), Some(group))),
                None => (0o644, (None, None)),
            };
            contained::write_owned(
                &self.root,
                Path::new(file),
                granted.token.as_bytes(),
                mode,
                owner,
            )?;
        }
        let variables = self
            .variables
            .iter()
            .map(|name| ((*name).to_owned(), granted.token.clone()));
        Ok(variables.chain(self.beside.clone()).collect())
    }

    /// An agent that starts while the task runs goes on with it.
    fn keep(&self, granted: &Granted) {
        self.current.set(&granted.token);
        let kept = serde_json::to_vec(granted).unwrap_or_default();
        if let Err(error) = self.dir.keep_secret(&self.task, &self.kept_name(), &kept) {
            tracing::warn!(task = self.task, %error, "a token of {} is not kept", self.name);
        }
    }

    fn kept_name(&self) -> String {
        format!("token_of_{}", self.name.to_lowercase())
    }

    /// What an agent before this one kept.
    pub(crate) fn kept(&self) -> Option<Granted> {
        let path = self.dir.kept_secrets(&self.task).join(self.kept_name());
        let granted: Granted = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        self.current.set(&granted.token);
        Some(granted)
    }

    /// How the failure shows.
    pub(crate) fn failure(&self, error: &TokenError) -> String {
        let name = self.name;
        format!(
            "{name}: failed to derive {} token: {error}",
            name.to_lowercase()
        )
    }
}
