//! Signed identities of a task (runtime sheet §N): asked of the servers, written for the task, renewed in time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use caravan_model::{AllocId, Identity, Task, TaskEvent, UnixNanos, change_mode, task_event};

use crate::alloc::machine::{Event, Which};
use crate::api::contained;
use crate::clock;
use crate::handle::Runner;
use crate::link::{self, LinkError, SignedIdentity, WantedIdentity};
use crate::shared::Shared;
use crate::task::machine::Input;

/// How long a task waits for its first identities.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// Why a task has no identities.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("the servers did not sign the task's identities within {PATIENCE:?}: {0}")]
    Late(LinkError),
    #[error("the servers refused to sign the task's identities: {0}")]
    Refused(LinkError),
    #[error("identity {0:?} cannot be written: {1}")]
    Write(String, contained::ContainedError),
}

/// The identities that a task has and uses.
pub(crate) struct Identities {
    shared: Arc<Shared>,
    alloc: AllocId,
    task: String,
    /// The task's directory on the host.
    root: PathBuf,
    /// User and group that own the files; `None`: everybody in the task may read them.
    owner: Option<(u32, u32)>,
    declared: Vec<Identity>,
}

impl Identities {
    /// `None` when the task uses none of its identities.
    pub(crate) fn of(
        shared: &Arc<Shared>,
        alloc: AllocId,
        task: &Task,
        root: &Path,
    ) -> Option<Self> {
        let own = task.identity.iter().map(|identity| Identity {
            name: Identity::DEFAULT_NAME.to_owned(),
            ..identity.clone()
        });
        let declared: Vec<Identity> = own
            .chain(task.identities.iter().cloned())
            .filter(|identity| identity.env || identity.file)
            .collect();
        (!declared.is_empty()).then(|| Self {
            shared: Arc::clone(shared),
            alloc,
            task: task.name.clone(),
            root: root.to_path_buf(),
            owner: crate::users::ids(&task.user),
            declared,
        })
    }

    /// Asks until there is an answer; a task cannot start without.
    pub(crate) async fn first(&self) -> Result<Vec<SignedIdentity>, IdentityError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut wait = RETRY;
        loop {
            match self.sign().await {
                Ok(signed) => return Ok(signed),
                Err(error) if !error.is_temporary() => return Err(IdentityError::Refused(error)),
                Err(error) if tokio::time::Instant::now() + wait >= deadline => {
                    return Err(IdentityError::Late(error));
                }
                Err(_) => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MOST);
                }
            }
        }
    }

    async fn sign(&self) -> Result<Vec<SignedIdentity>, LinkError> {
        let wanted = self.declared.iter().map(|identity| WantedIdentity {
            workload: self.task.clone(),
            is_service: false,
            identity: identity.name.clone(),
        });
        let (caller, wanted) = (self.shared.caller(), wanted.collect());
        link::sign(&*self.shared.link, caller, self.alloc, wanted).await
    }

    /// Writes the files; gives the variables.
    pub(crate) fn hand_over(
        &self,
        signed: &[SignedIdentity],
    ) -> Result<BTreeMap<String, String>, IdentityError> {
        let mut vars = BTreeMap::new();
        for (identity, signed) in self.declared.iter().zip(signed) {
            if identity.env {
                vars.insert(variable(&identity.name), signed.token.clone());
            }
            if identity.file {
                let (mode, owner) = match self.owner {
                    Some((user, group)) => (0o600, (Some(user), Some(group))),
                    None => (0o644, (None, None)),
                };
                let token = signed.token.as_bytes();
                contained::write_owned(&self.root, &file(identity), token, mode, owner)
                    .map_err(|error| IdentityError::Write(identity.name.clone(), error))?;
            }
        }
        Ok(vars)
    }

    /// When they are to be renewed: with a third of the shortest life left.
    fn renew_at(signed: &[SignedIdentity], now: UnixNanos) -> Option<UnixNanos> {
        let ends = signed
            .iter()
            .map(|signed| signed.expires)
            .filter(|expires| *expires > 0);
        let first = ends.min()?;
        let left = first.saturating_sub(now.0).max(0);
        // Asked too often, the servers would do little else.
        Some(UnixNanos(
            now.0.saturating_add((left / 3 * 2).max(1_000_000_000)),
        ))
    }
}

fn variable(name: &str) -> String {
    if name == Identity::DEFAULT_NAME {
        "NOMAD_TOKEN".to_owned()
    } else {
        format!("NOMAD_TOKEN_{name}")
    }
}

/// Where the file of an identity is below the task's directory.
fn file(identity: &Identity) -> PathBuf {
    if !identity.filepath.is_empty() {
        return PathBuf::from(&identity.filepath);
    }
    if identity.name == Identity::DEFAULT_NAME {
        PathBuf::from("secrets/nomad_token")
    } else {
        PathBuf::from(format!("secrets/nomad_{}.jwt", identity.name))
    }
}

/// Identities to renew while the task runs.
#[derive(Clone)]
pub(crate) struct Renewal {
    pub(crate) identities: Arc<Identities>,
    pub(crate) signed: Vec<SignedIdentity>,
}

impl Renewal {
    /// Renews until it is aborted.
    pub(crate) async fn run(mut self, runner: Arc<Runner>) {
        if self.signed.is_empty() {
            self.renew().await;
        }
        while let Some(at) = Identities::renew_at(&self.signed, clock::now()) {
            tokio::time::sleep(clock::until(at)).await;
            if self.renew().await {
                self.tell(&runner).await;
            }
        }
    }

    /// Asks until there are new ones; says whether the task has them.
    async fn renew(&mut self) -> bool {
        let mut wait = RETRY;
        self.signed = loop {
            match self.identities.sign().await {
                Ok(signed) => break signed,
                Err(error) => {
                    tracing::warn!(task = self.identities.task, %error, "identities cannot be renewed");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MOST);
                }
            }
        };
        let handed = self.identities.hand_over(&self.signed);
        if let Err(error) = &handed {
            tracing::error!(task = self.identities.task, %error, "renewed identities cannot be handed over");
        }
        handed.is_ok()
    }

    async fn tell(&self, runner: &Arc<Runner>) {
        for identity in &self.identities.declared {
            let reason = format!("Identity[{}]: new token acquired", identity.name);
            let (mode, signal) = (&identity.change_mode, &identity.change_signal);
            if tell(runner, &self.identities.task, mode, signal, &reason).await {
                return;
            }
        }
    }
}

/// Does what a task wants done when something of it was renewed; says whether it starts again, with everything new.
pub(crate) async fn tell(
    runner: &Runner,
    task: &str,
    mode: &str,
    signal: &str,
    reason: &str,
) -> bool {
    match mode {
        change_mode::RESTART => {
            runner.send(Event::Restart {
                which: Which::Task(task.to_owned()),
                failure: false,
                reason: reason.to_owned(),
            });
            true
        }
        change_mode::SIGNAL => {
            send(runner, task, signal, reason).await;
            false
        }
        _ => false,
    }
}

async fn send(runner: &Runner, task: &str, signal: &str, reason: &str) {
    let Some(live) = runner.live(task) else {
        return;
    };
    let event = TaskEvent::new(task_event::SIGNALING, clock::now()).signal("", reason);
    runner.note(task, event);
    if let Err(error) = live.driver.signal_task(&live.task_id, signal).await {
        let what = reason.split(": ").next().unwrap_or(reason);
        let text = format!("{what}: failed to send {signal}: {error}");
        let why = TaskEvent::new(task_event::KILLING, clock::now())
            .kill_reason(text)
            .fails_task();
        let kill = Input::Kill {
            why: Some(why),
            no_delay: false,
        };
        runner.send(Event::Task(task.to_owned(), kill));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(expires: i64) -> SignedIdentity {
        SignedIdentity {
            wanted: WantedIdentity {
                workload: "t".into(),
                is_service: false,
                identity: "default".into(),
            },
            token: "x".into(),
            expires,
        }
    }

    #[test]
    fn names_of_files_and_variables() {
        let named = |name: &str, filepath: &str| Identity {
            name: name.into(),
            filepath: filepath.into(),
            ..Identity::default()
        };
        assert_eq!(
            file(&named("default", "")),
            Path::new("secrets/nomad_token")
        );
        assert_eq!(file(&named("aws", "")), Path::new("secrets/nomad_aws.jwt"));
        assert_eq!(file(&named("aws", "local/t")), Path::new("local/t"));
        assert_eq!(variable("default"), "NOMAD_TOKEN");
        assert_eq!(variable("aws"), "NOMAD_TOKEN_aws");
    }

    #[test]
    fn the_one_that_ends_first_decides_when_all_are_renewed() {
        let second = 1_000_000_000;
        let now = UnixNanos(100 * second);
        assert_eq!(Identities::renew_at(&[signed(0)], now), None);
        let both = [signed(0), signed(400 * second), signed(130 * second)];
        assert_eq!(
            Identities::renew_at(&both, now),
            Some(UnixNanos(120 * second))
        );
        // What is over is renewed, but not in a busy loop.
        assert_eq!(
            Identities::renew_at(&[signed(second)], now),
            Some(UnixNanos(101 * second))
        );
    }
}
