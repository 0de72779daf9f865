//! What takes time to learn of the machine: what its engines answer, and what programs on it say of themselves. All are
//! asked at once, while the agent still starts. The node registers with what is known by then, and tells the rest when
//! it comes: a slow program makes a node late for its own tasks, never for those of others.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use caravan_driver::Driver;
use caravan_model::Node;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Listed, cni, driver};
use crate::config::ClientConfig;
use crate::host_volumes;
use crate::secret_plugins;
use crate::shared::Shared;

/// How long the first registration waits, from the moment of asking, for what answers by itself.
const FOR_ENGINES: Duration = Duration::from_secs(2);
/// The same for what a program has to be run for.
const FOR_PROGRAMS: Duration = Duration::from_millis(200);

/// An answer: how it shows on the node.
struct Found {
    engine: bool,
    lay: Box<dyn FnOnce(&mut Node) + Send>,
}

/// The answers that are still to come.
pub(crate) struct Survey {
    begun: Instant,
    asked: JoinSet<Found>,
    /// How many of them are those of engines.
    engines: usize,
}

impl Survey {
    /// Asks everything.
    pub(crate) fn begin(
        config: &ClientConfig,
        drivers: &BTreeMap<String, Arc<dyn Driver>>,
    ) -> Self {
        let mut survey = Self {
            begun: Instant::now(),
            asked: JoinSet::new(),
            engines: 0,
        };
        for each in drivers.values().map(Arc::clone) {
            survey.ask(!each.fingerprint_runs_program(), async move {
                let found = each.fingerprint().await;
                move |node: &mut Node| driver::lay(node, each.name(), &found)
            });
        }
        let listed = Listed::of(config);
        if listed.has("cni") && listed.has("plugins_cni") {
            let folders = config.cni_paths.clone();
            survey.ask(false, async move {
                let versions = cni::versions(&folders).await;
                move |node: &mut Node| node.attributes.extend(versions)
            });
        }
        if listed.has("dynamic_host_volumes") {
            let folder = config.host_volume_plugin_dir.clone();
            survey.ask(false, async move {
                let versions = host_volumes::versions(&folder).await;
                move |node: &mut Node| node.attributes.extend(versions)
            });
        }
        if listed.has("secrets_plugins") {
            let folder = config.common_plugin_dir.clone();
            survey.ask(false, async move {
                let versions = secret_plugins::versions(&folder).await;
                move |node: &mut Node| node.attributes.extend(versions)
            });
        }
        survey
    }

    fn ask<F, L>(&mut self, engine: bool, answer: F)
    where
        F: Future<Output = L> + Send + 'static,
        L: FnOnce(&mut Node) + Send + 'static,
    {
        self.engines += usize::from(engine);
        self.asked.spawn(async move {
            let lay = Box::new(answer.await);
            Found { engine, lay }
        });
    }

    /// Waits for what should be known before the node registers, and lays it on the node.
    pub(crate) async fn gather(&mut self, node: &mut Node) {
        loop {
            let patience = if self.engines > 0 {
                FOR_ENGINES
            } else {
                FOR_PROGRAMS
            };
            match tokio::time::timeout_at(self.begun + patience, self.next()).await {
                Ok(Some(found)) => (found.lay)(node),
                Ok(None) => return,
                Err(_) => {
                    let missing = self.asked.len();
                    tracing::debug!(
                        missing,
                        "the node registers before all that it has is known"
                    );
                    return;
                }
            }
        }
    }

    async fn next(&mut self) -> Option<Found> {
        loop {
            match self.asked.join_next().await? {
                Ok(found) => {
                    self.engines -= usize::from(found.engine);
                    return Some(found);
                }
                Err(error) => tracing::error!(%error, "part of the machine cannot be looked at"),
            }
        }
    }

    /// Tells the servers what came too late for the first registration.
    pub(crate) async fn tell_rest(mut self, shared: Arc<Shared>) {
        loop {
            let found = tokio::select! {
                found = self.next() => found,
                () = shared.shutdown.cancelled() => return,
            };
            let Some(found) = found else { return };
            shared.change_node_soon(found.lay);
        }
    }
}
