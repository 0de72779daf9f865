//! Where services are announced: the servers' catalogue and Consul's, each behind the same trait. What is still to be
//! told waits in an outbox.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caravan_model::ServiceRegistration;
use serde_json::Value;

use super::access::ForConsul;
use super::outbox::{Batch, Outbox};
use crate::consul::{ConsulError, escaped};
use crate::link::{LinkError, ServiceUpdate};
use crate::shared::Shared;

/// Somewhere that services are announced.
#[async_trait]
pub(super) trait Catalogue: Send + Sync {
    /// What it wants to know of an instance.
    type Entry: Send + Sync;

    /// Tells it; what has to be told again comes back.
    async fn tell(&self, batch: Batch<Self::Entry>) -> Batch<Self::Entry>;

    /// The longest wait between tries.
    fn patience(&self) -> Duration;
}

/// Tells a catalogue until the agent stops, and what is left after that.
pub(super) async fn run<C: Catalogue>(shared: &Shared, outbox: &Outbox<C::Entry>, catalogue: C) {
    const SOON: Duration = Duration::from_millis(100);
    let mut wait = SOON;
    loop {
        let batch = outbox.take();
        if batch.is_empty() {
            tokio::select! {
                () = outbox.some.notified() => continue,
                () = shared.shutdown.cancelled() => return,
            }
        }
        let again = catalogue.tell(batch).await;
        if again.is_empty() {
            wait = SOON;
            continue;
        }
        outbox.put_back(again);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.shutdown.cancelled() => return,
        }
        wait = (wait * 2).min(catalogue.patience());
    }
}

/// The catalogue of the cluster.
pub(super) struct Servers(pub(super) Arc<Shared>);

#[async_trait]
impl Catalogue for Servers {
    /// `None` withdraws.
    type Entry = Option<ServiceRegistration>;

    async fn tell(&self, batch: Batch<Self::Entry>) -> Batch<Self::Entry> {
        let mut update = ServiceUpdate {
            caller: self.0.caller(),
            upsert: Vec::new(),
            delete: Vec::new(),
        };
        for (key, registration) in &batch {
            match registration {
                Some(registration) => update.upsert.push(registration.clone()),
                None => update.delete.push(key.clone()),
            }
        }
        match self.0.link.update_services(update).await {
            Ok(()) => Batch::new(),
            Err(LinkError::Refused(why)) => {
                tracing::warn!(%why, "the servers refused service registrations");
                Batch::new()
            }
            Err(error) => {
                tracing::debug!(%error, "cannot tell the servers about services");
                batch
            }
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// The catalogue of Consul.
pub(super) struct OfConsul;

#[async_trait]
impl Catalogue for OfConsul {
    type Entry = ForConsul;

    async fn tell(&self, batch: Batch<ForConsul>) -> Batch<ForConsul> {
        let mut again = Batch::new();
        for (key, entry) in batch {
            let told = match &entry.told {
                Some(told) => {
                    let path = "/v1/agent/service/register?replace-existing-checks=true";
                    entry.access.put(path, told).await
                }
                None => {
                    let path = format!("/v1/agent/service/deregister/{}", escaped(&key.1));
                    entry.access.put_last(&path, &Value::Null).await
                }
            };
            match told {
                Ok(()) => {}
                Err(ConsulError::Refused(code, why)) if (400..500).contains(&code) => {
                    tracing::warn!(service = key.1, code, why, "Consul refused a service");
                }
                Err(error) => {
                    tracing::debug!(%error, service = key.1, "cannot tell Consul about a service");
                    again.insert(key, entry);
                }
            }
        }
        again
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}
