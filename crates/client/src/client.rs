//! The node agent as a whole: starting it, and ending it with or without its tasks.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, DriverEvent};
use caravan_model::{AllocId, HostVolume, HostVolumeInfo, Node, NodeId, TaskEvent, task_event};
use tokio::sync::broadcast::error::RecvError;

use crate::api::NodeApi;
use crate::clock;
use crate::config::ClientConfig;
use crate::fingerprint::Survey;
use crate::link::ServerLink;
use crate::metadata::{self, Metadata};
use crate::node_keys::{NodeKeys, directory};
use crate::shared::Shared;
use crate::store::{self, Store, StoreError, Stored};
use crate::{fingerprint, gc, heartbeat, host_volumes, runner, services, updates, watch};

/// Why a node agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use {path}: {error}")]
    Directory { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// When servers and node last spoke.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    /// Within what time the servers want to hear of the node again; zero before they said.
    pub heartbeat_ttl: Duration,
    /// How long ago a server answered.
    pub last_heartbeat: Duration,
}

/// A running node agent.
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// [`Client::prepare`] and [`Prepared::start`] in one.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        config: ClientConfig,
        link: Arc<dyn ServerLink>,
        drivers: BTreeMap<String, Arc<dyn Driver>>,
    ) -> Result<Arc<Self>, StartError> {
        let keys = NodeKeys::of(&config)?;
        Self::prepare(config, keys, drivers)?.start(link).await
    }

    /// Begins to look at the machine, for which no servers are needed. It goes on while the caller does other things.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn prepare(
        config: ClientConfig,
        keys: NodeKeys,
        drivers: BTreeMap<String, Arc<dyn Driver>>,
    ) -> Result<Prepared, StartError> {
        directory(&config.alloc_dir, 0o711)?;
        crate::alloc::dir::spread(&config.alloc_dir);
        let drivers = allowed(&config, drivers);
        let survey = Survey::begin(&config, &drivers);
        Ok(Prepared {
            config,
            keys,
            drivers,
            survey,
        })
    }

    /// The node as it is known here.
    #[must_use]
    pub fn node(&self) -> Arc<Node> {
        self.shared.node()
    }

    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.shared.node().id
    }

    /// Whether the allocation is on this node.
    #[must_use]
    pub fn has_alloc(&self, id: AllocId) -> bool {
        self.shared.runner(id).is_some()
    }

    /// How many allocations are on this node, ended ones included.
    #[must_use]
    pub fn alloc_count(&self) -> usize {
        self.shared.runner_count()
    }

    /// Answers requests about this node and its allocations.
    #[must_use]
    pub fn api(&self) -> Arc<NodeApi> {
        Arc::new(NodeApi::new(Arc::clone(&self.shared)))
    }

    /// What this node counts for monitoring.
    pub async fn gauges(&self, wanted: crate::metrics::Wanted) -> Vec<caravan_model::MetricGauge> {
        crate::metrics::gauges(&self.shared, wanted).await
    }

    /// Has the agent's API served inside tasks that start from now on.
    pub fn serve_in_tasks(&self, server: caravan_http::Server) {
        // It is set once, right after the start.
        let _ = self.shared.task_api.set(server);
    }

    /// Makes a dynamic host volume on this node, or takes one up that is there already.
    ///
    /// # Errors
    /// As the plugin has it.
    pub async fn make_volume(&self, volume: &HostVolume) -> Result<host_volumes::Made, String> {
        host_volumes::make(&self.shared, volume).await
    }

    /// Removes a dynamic host volume from this node.
    ///
    /// # Errors
    /// As the plugin has it.
    pub async fn remove_volume(&self, volume: &HostVolume) -> Result<(), String> {
        host_volumes::remove(&self.shared, volume).await
    }

    /// When a server last answered, in nanoseconds since 1970.
    #[must_use]
    pub fn last_heard(&self) -> i64 {
        self.shared.last_heard().0
    }

    /// How it stands with the servers.
    #[must_use]
    pub fn contact(&self) -> Contact {
        let ago = clock::steady()
            .0
            .saturating_sub(self.shared.last_heard_steady().0);
        Contact {
            heartbeat_ttl: self.shared.heartbeat_ttl(),
            last_heartbeat: Duration::from_nanos(u64::try_from(ago).unwrap_or(0)),
        }
    }

    /// Ends the agent. Tasks go on, except in dev mode and where configuration says otherwise.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        let runners = shared.runners();
        if shared.config.dev || shared.config.stop_tasks_on_shutdown {
            futures::future::join_all(runners.iter().map(|runner| runner.stop_and_wait(true)))
                .await;
        }
        shared.shutdown.cancel();
        futures::future::join_all(runners.iter().map(|runner| runner.detach())).await;
        shared.tear_downs.all_done().await;
        if shared.config.dev {
            for runner in &runners {
                let dir = runner.dir.clone();
                let _ = tokio::task::spawn_blocking(move || dir.destroy()).await;
            }
        }
        shared.store.close().await;
        for driver in shared.drivers.values() {
            driver.shutdown().await;
        }
    }
}

/// A node agent that looks at its machine and does not talk to servers yet.
pub struct Prepared {
    config: ClientConfig,
    keys: NodeKeys,
    drivers: BTreeMap<String, Arc<dyn Driver>>,
    survey: Survey,
}

impl Prepared {
    /// Takes up what ran before, and starts to talk to the servers.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self, link: Arc<dyn ServerLink>) -> Result<Arc<Client>, StartError> {
        let Self {
            config,
            keys,
            drivers,
            mut survey,
        } = self;
        let dynamic = if config.dev {
            None
        } else {
            store::read_node(&config.state_dir, metadata::STORED)
        };
        let volumes: Option<Vec<HostVolumeInfo>> = match config.dev {
            true => None,
            false => store::read_node(&config.state_dir, host_volumes::STORED),
        };
        let meta = Metadata::new(&config.meta, dynamic.unwrap_or_default());
        let mut node = fingerprint::node(&config, keys.id, keys.secret, meta.merged());
        survey.gather(&mut node).await;
        for volume in volumes.into_iter().flatten() {
            node.host_volumes.insert(volume.name.clone(), volume);
        }
        node.computed_class = caravan_model::computed_class(&node);
        let (store, stored) = if config.dev {
            (Store::none(), Vec::new())
        } else {
            Store::open(&config.state_dir)?
        };
        let shared = Arc::new(Shared::new(config, link, drivers, store, node, meta));
        fingerprint::neighbours::look_once(&shared).await;
        restore(&shared, stored);
        spawn_all(&shared);
        tokio::spawn(survey.tell_rest(Arc::clone(&shared)));
        Ok(Arc::new(Client { shared }))
    }
}

fn allowed(
    config: &ClientConfig,
    mut drivers: BTreeMap<String, Arc<dyn Driver>>,
) -> BTreeMap<String, Arc<dyn Driver>> {
    let allowed = config.option_list(&["driver.allowlist", "driver.whitelist"]);
    let denied = config
        .option_list(&["driver.denylist", "driver.blacklist"])
        .unwrap_or_default();
    drivers.retain(|name, _| {
        allowed.as_ref().is_none_or(|names| names.contains(name)) && !denied.contains(name)
    });
    drivers
}

fn restore(shared: &Arc<Shared>, stored: Vec<Stored>) {
    for each in stored {
        let alloc = Arc::clone(&each.alloc);
        let id = alloc.id;
        // Without any progress the servers will send it again.
        if each.progress.is_none() && each.handles.is_empty() {
            shared.store.forget(id);
            continue;
        }
        if let Err(error) = runner::start(shared, alloc, Some(each)) {
            tracing::error!(alloc = %id, %error, "a stored allocation cannot be taken up again");
            shared.store.forget(id);
        }
    }
}

fn spawn_all(shared: &Arc<Shared>) {
    tokio::spawn(heartbeat::run(Arc::clone(shared)));
    tokio::spawn(watch::run(Arc::clone(shared)));
    tokio::spawn(updates::run(Arc::clone(shared)));
    tokio::spawn(services::run(Arc::clone(shared)));
    tokio::spawn(gc::run(Arc::clone(shared)));
    tokio::spawn(fingerprint::neighbours::watch(Arc::clone(shared)));
    for driver in shared.drivers.values() {
        tokio::spawn(fingerprint::driver::watch(
            Arc::clone(shared),
            Arc::clone(driver),
        ));
        tokio::spawn(relay_events(Arc::clone(shared), Arc::clone(driver)));
    }
}

/// Hands what a driver says on to the tasks.
async fn relay_events(shared: Arc<Shared>, driver: Arc<dyn Driver>) {
    let mut events = driver.task_events();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = shared.shutdown.cancelled() => return,
        };
        match event {
            Ok(event) => relay(&shared, event),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, driver = driver.name(), "task events were lost")
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn relay(shared: &Shared, event: DriverEvent) {
    let Some(runner) = event
        .alloc_id
        .parse()
        .ok()
        .and_then(|id: AllocId| shared.runner(id))
    else {
        return;
    };
    let mut told =
        TaskEvent::new(task_event::DRIVER, crate::clock::now()).driver_message(event.message);
    for (key, value) in event.annotations {
        told = told.detail(&key, value);
    }
    runner.note(&event.task_name, told);
}
