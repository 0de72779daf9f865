//! Secrets of Vault for templates, with the token of the task.
//!
//! A secret is asked for again when its lease is about to end, never sooner: what is made for each who asks (credentials,
//! certificates) would be another one each time, also after a restart of the agent. So leases are kept while the task runs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use caravan_model::UnixNanos;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::data::{Need, Value};
use super::sources::Source;
use crate::alloc::dir::AllocDir;
use crate::clock;
use crate::tokens::Current;
use crate::vault::{Vault, VaultConfig, VaultError};

const FILE: &str = "leases";

/// Vault, on behalf of a task.
pub(super) struct Secrets {
    pub(super) config: VaultConfig,
    pub(super) token: Current,
    pub(super) dir: AllocDir,
    pub(super) task: String,
    /// How long what has no lease is taken for good.
    pub(super) without_lease: Duration,
    pub(super) leases: Mutex<BTreeMap<Need, Lease>>,
}

/// A secret, and until when it is good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    found: Json,
    due: UnixNanos,
}

impl Lease {
    /// Found at `now`.
    fn new(found: Json, now: UnixNanos, without_lease: Duration) -> Self {
        let id = found["LeaseID"].as_str().unwrap_or_default();
        let lease = found["LeaseDuration"].as_u64().filter(|_| !id.is_empty());
        let ends = found["Data"]["expiration"].as_i64();
        let life = match (lease, ends) {
            (Some(seconds), _) => most_of(Duration::from_secs(seconds)),
            // A certificate, which is good for as long as it says.
            (None, Some(ends)) if found["Data"]["certificate"].is_string() => {
                let seconds = ends.saturating_sub(now.seconds());
                most_of(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            }
            _ => without_lease,
        };
        let due = clock::after(now, caravan_model::Duration::from(life));
        Self { found, due }
    }

    /// Its name, when it can be made to last longer.
    fn renewable(&self) -> Option<&str> {
        let id = self.found["LeaseID"].as_str().unwrap_or_default();
        (self.found["Renewable"] == true && !id.is_empty()).then_some(id)
    }
}

/// So that there is time left to get another one.
fn most_of(life: Duration) -> Duration {
    (life / 10 * 9).max(Duration::from_secs(1))
}

impl Secrets {
    /// What an agent before this one kept.
    pub(super) fn kept(dir: &AllocDir, task: &str) -> BTreeMap<Need, Lease> {
        let read = std::fs::read(dir.kept_secrets(task).join(FILE));
        let kept: Option<Vec<(Need, Lease)>> = read
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        kept.unwrap_or_default().into_iter().collect()
    }

    fn keep(&self, leases: &BTreeMap<Need, Lease>) {
        let all: Vec<(&Need, &Lease)> = leases.iter().collect();
        let text = serde_json::to_vec(&all).unwrap_or_default();
        if let Err(error) = self.dir.keep_secret(&self.task, FILE, &text) {
            tracing::warn!(task = self.task, %error, "leases of secrets are not kept");
        }
    }

    /// The secret, asked for anew where it has to be; nothing when there is none.
    async fn secret(&self, need: &Need, vault: &Vault) -> Result<Option<Json>, VaultError> {
        let Need::Secret { path, pairs } = need else {
            return Ok(None);
        };
        let mut leases = self.leases.lock().await;
        if let Some(lease) = leases.get_mut(need) {
            if clock::now() < lease.due {
                return Ok(Some(lease.found.clone()));
            }
            if let Some(id) = lease.renewable()
                && let Ok(life) = vault.renew_lease(id).await
                && !life.is_zero()
            {
                let life = caravan_model::Duration::from(most_of(life));
                lease.due = clock::after(clock::now(), life);
                let found = lease.found.clone();
                self.keep(&leases);
                return Ok(Some(found));
            }
        }
        let found = if pairs.is_empty() {
            vault.read(path).await?
        } else {
            vault.write(path, pairs).await?
        };
        if found.is_null() {
            leases.remove(need);
            return Ok(None);
        }
        let lease = Lease::new(found.clone(), clock::now(), self.without_lease);
        leases.insert(need.clone(), lease);
        self.keep(&leases);
        Ok(Some(found))
    }
}

#[async_trait]
impl Source for Secrets {
    fn has(&self, need: &Need) -> bool {
        matches!(need, Need::Secret { .. } | Need::SecretNames(_))
    }

    async fn fetch(&self, need: &Need) -> Option<Value> {
        let token = self.token.get();
        if token.is_empty() {
            return None;
        }
        let vault = Vault::with_token(self.config.clone(), &token)
            .map_err(|error| tracing::warn!(%error, "Vault cannot be asked"))
            .ok()?;
        let found = match need {
            Need::SecretNames(path) => vault.list(path).await.map(Value::Names),
            need => {
                let found = self.secret(need, &vault).await;
                found.map(|found| found.map_or(Value::Absent, Value::Json))
            }
        };
        found
            .map_err(|error| tracing::warn!(%error, ?need, "a secret cannot be read"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UnixNanos = UnixNanos(1_000_000_000_000);

    fn lasts(found: Json) -> i64 {
        let lease = Lease::new(found, NOW, Duration::from_secs(300));
        (lease.due.0 - NOW.0) / 1_000_000_000
    }

    #[test]
    fn a_secret_is_good_for_most_of_its_lease() {
        let leased = json!({"LeaseID": "database/creds/a/1", "LeaseDuration": 100, "Data": {}});
        assert_eq!(lasts(leased), 90);
        // What is only stored has a number there, and can change all the same.
        let stored = json!({"LeaseID": "", "LeaseDuration": 2_764_800, "Data": {}});
        assert_eq!(lasts(stored), 300);
        let certificate =
            json!({"LeaseID": "", "Data": {"certificate": "PEM", "expiration": 1_000 + 3_600}});
        assert_eq!(lasts(certificate), 3_240);
        let over = json!({"LeaseID": "", "Data": {"certificate": "PEM", "expiration": 10}});
        assert_eq!(lasts(over), 1);
    }

    #[test]
    fn only_leases_that_say_so_are_renewed() {
        let of = |found| Lease::new(found, NOW, Duration::from_secs(1));
        let renewable = json!({"LeaseID": "l", "LeaseDuration": 9, "Renewable": true});
        assert_eq!(of(renewable).renewable(), Some("l"));
        assert_eq!(
            of(json!({"LeaseID": "l", "Renewable": false})).renewable(),
            None
        );
        assert_eq!(
            of(json!({"LeaseID": "", "Renewable": true})).renewable(),
            None
        );
    }
}
