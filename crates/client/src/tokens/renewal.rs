//! A token while its task runs: it is made to last longer, and replaced before it ends.

use std::sync::Arc;
use std::time::Duration;

use super::{CONSUL, Current, RETRY, RETRY_MOST, TaskToken, TokenError, VAULT};
use crate::grant::Granted;
use crate::handle::Runner;
use crate::identities;

/// Tokens that do not last are replaced no faster than that.
const SHORTEST: Duration = Duration::from_secs(1);

/// A token to replace while the task runs.
pub(crate) struct Renewal {
    pub(crate) token: TaskToken,
    /// `None`: it is not known any more, so it is replaced at once.
    pub(crate) granted: Option<Granted>,
    /// The task ran on while there was no agent.
    pub(crate) resumed: bool,
}

impl Renewal {
    /// The token as it is now, when it is one of Vault.
    pub(crate) fn of_vault(&self) -> Option<Current> {
        (self.token.name == VAULT).then(|| self.token.current.clone())
    }

    /// The token as it is now, when it is one of Consul.
    pub(crate) fn of_consul(&self) -> Option<Current> {
        (self.token.name == CONSUL).then(|| self.token.current.clone())
    }

    /// Has it last longer, and replaces it where that is not to be had, until it is aborted.
    pub(crate) async fn run(self, runner: Arc<Runner>) {
        let Self {
            token,
            mut granted,
            resumed,
        } = self;
        // One that was taken up again may have been about to end.
        let mut at_once = resumed;
        // What one that is not about to end for good lasts.
        let mut usual = Duration::ZERO;
        loop {
            match &granted {
                Some(Granted { lasts: None, .. }) => return,
                Some(_) if token.ends => return,
                // With a third of its life left.
                Some(Granted {
                    lasts: Some(lasts), ..
                }) => {
                    usual = usual.max(*lasts);
                    let wait = if std::mem::take(&mut at_once) {
                        Duration::ZERO
                    } else {
                        *lasts / 3 * 2
                    };
                    tokio::time::sleep(wait.max(SHORTEST)).await;
                }
                None => {}
            }
            if let Some(old) = &granted
                && let Some(renewed) = token.renewed(old).await
                && renewed.lasts.is_none_or(|lasts| lasts * 2 >= usual)
            {
                token.keep(&renewed);
                granted = Some(renewed);
                continue;
            }
            match token.replaced().await {
                Ok(new) => {
                    if token.tell(&runner).await {
                        return;
                    }
                    usual = Duration::ZERO;
                    granted = Some(new);
                }
                Err(error) => {
                    tracing::error!(task = token.task, "{}", token.failure(&error));
                    tokio::time::sleep(RETRY_MOST).await;
                }
            }
        }
    }
}

impl TaskToken {
    /// Has the same token last longer; `None` when it takes another one.
    async fn renewed(&self, granted: &Granted) -> Option<Granted> {
        let mut wait = RETRY;
        loop {
            match self.issuer.renew(granted).await {
                Ok(renewed) => return renewed,
                Err(error) if error.is_temporary() => {
                    tracing::warn!(task = self.task, %error, "the token of {} is not renewed yet", self.name);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MOST);
                }
                Err(error) => {
                    tracing::debug!(task = self.task, %error, "a token of {} is replaced", self.name);
                    return None;
                }
            }
        }
    }

    /// Another token, written for the task.
    async fn replaced(&self) -> Result<Granted, TokenError> {
        let new = self.first().await?;
        self.hand_over(&new)?;
        Ok(new)
    }

    /// Tells the task that it has another token; whether that starts it again.
    async fn tell(&self, runner: &Runner) -> bool {
        let reason = format!("{}: new {} token acquired", self.name, self.name);
        let (mode, signal) = (&self.change_mode, &self.change_signal);
        identities::tell(runner, &self.task, mode, signal, &reason).await
    }
}
