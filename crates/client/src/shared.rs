//! What every part of the node agent has in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use caravan_driver::Driver;
use caravan_model::{AllocId, Node, ServiceRegistration, UnixNanos};
use tokio_util::sync::CancellationToken;

use crate::beginnings::Beginnings;
use crate::clock;
use crate::config::ClientConfig;
use crate::consul::Consul;
use crate::file_turns::FileTurns;
use crate::handle::Runner;
use crate::link::{Caller, ServerLink};
use crate::services::access::ForConsul;
use crate::services::outbox::Outbox;
use crate::store::Store;
use crate::tear_downs::TearDowns;
use crate::untold::Untold;

/// The node's own state.
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) link: Arc<dyn ServerLink>,
    pub(crate) drivers: BTreeMap<String, Arc<dyn Driver>>,
    pub(crate) store: Store,
    pub(crate) updates: Untold,
    pub(crate) services: Outbox<Option<ServiceRegistration>>,
    pub(crate) consul_services: Outbox<ForConsul>,
    pub(crate) consul: Option<Arc<Consul>>,
    pub(crate) registration: tokio::sync::Notify,
    /// Somebody waits for the next registration.
    pub(crate) registration_urgent: tokio::sync::Notify,
    node: RwLock<Arc<Node>>,
    runners: RwLock<BTreeMap<AllocId, Arc<Runner>>>,
    /// When a server last answered a heartbeat, by the wall's clock and by the steady one.
    last_heartbeat: RwLock<(UnixNanos, UnixNanos)>,
    /// Within what time, in nanoseconds, a server then wanted to hear of this node again.
    heartbeat_ttl: AtomicU64,
    pub(crate) contacted: tokio::sync::watch::Sender<bool>,
    pub(crate) meta: RwLock<crate::metadata::Metadata>,
    pub(crate) identity: crate::node_identity::NodeIdentity,
    pub(crate) ended: tokio::sync::Notify,
    /// What tasks are given as their API, once there is one.
    pub(crate) task_api: tokio::sync::SetOnce<caravan_http::Server>,
    pub(crate) shutdown: CancellationToken,
    /// What tasks are given of the agent's own environment, which never changes.
    host_environment: OnceLock<BTreeMap<String, String>>,
    pub(crate) beginnings: Beginnings,
    pub(crate) files: FileTurns,
    pub(crate) tear_downs: TearDowns,
}

impl Shared {
    pub(crate) fn new(
        config: ClientConfig,
        link: Arc<dyn ServerLink>,
        drivers: BTreeMap<String, Arc<dyn Driver>>,
        store: Store,
        node: Node,
        meta: crate::metadata::Metadata,
    ) -> Self {
        let consul = config.consul.clone().and_then(|config| {
            Consul::new(config)
                .map_err(|error| tracing::error!(%error, "Consul cannot be used"))
                .ok()
                .map(Arc::new)
        });
        Self {
            config,
            link,
            drivers,
            store,
            updates: Untold::default(),
            services: Outbox::default(),
            consul_services: Outbox::default(),
            consul,
            registration: tokio::sync::Notify::new(),
            registration_urgent: tokio::sync::Notify::new(),
            node: RwLock::new(Arc::new(node)),
            runners: RwLock::new(BTreeMap::new()),
            last_heartbeat: RwLock::new((clock::now(), clock::steady())),
            heartbeat_ttl: AtomicU64::new(0),
            contacted: tokio::sync::watch::Sender::new(false),
            meta: RwLock::new(meta),
            identity: crate::node_identity::NodeIdentity::default(),
            ended: tokio::sync::Notify::new(),
            task_api: tokio::sync::SetOnce::new(),
            shutdown: CancellationToken::new(),
            host_environment: OnceLock::new(),
            beginnings: Beginnings::default(),
            files: FileTurns::default(),
            tear_downs: TearDowns::default(),
        }
    }

    pub(crate) fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the node; says whether anything is different, in which case it is registered again.
    pub(crate) fn change_node(&self, change: impl FnOnce(&mut Node)) -> bool {
        let mut guard = self.node.write().unwrap_or_else(PoisonError::into_inner);
        let mut node = Node::clone(&guard);
        change(&mut node);
        node.computed_class = caravan_model::computed_class(&node);
        let changed = node != **guard;
        if changed {
            *guard = Arc::new(node);
            self.registration.notify_one();
        }
        changed
    }

    /// Changes the node, and has it registered at once.
    pub(crate) fn change_node_soon(&self, change: impl FnOnce(&mut Node)) {
        if self.change_node(change) {
            self.registration_urgent.notify_one();
        }
    }

    /// Changes what the servers told, which they need not be told.
    pub(crate) fn change_node_quietly(&self, change: impl FnOnce(&mut Node)) {
        let mut guard = self.node.write().unwrap_or_else(PoisonError::into_inner);
        let mut node = Node::clone(&guard);
        change(&mut node);
        if node != **guard {
            *guard = Arc::new(node);
        }
    }

    pub(crate) fn host_environment(&self) -> &BTreeMap<String, String> {
        self.host_environment
            .get_or_init(|| crate::task::env::of_host(&self.config))
    }

    pub(crate) fn caller(&self) -> Caller {
        let node = self.node();
        Caller {
            node_id: node.id,
            secret_id: node.secret_id.clone(),
        }
    }

    pub(crate) fn runner(&self, id: AllocId) -> Option<Arc<Runner>> {
        self.runners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub(crate) fn runners(&self) -> Vec<Arc<Runner>> {
        self.runners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub(crate) fn runner_count(&self) -> usize {
        self.runners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    pub(crate) fn add_runner(&self, runner: Arc<Runner>) {
        self.runners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(runner.id, runner);
    }

    pub(crate) fn remove_runner(&self, id: AllocId) -> Option<Arc<Runner>> {
        self.runners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
    }

    /// A server answered, and wants to hear of this node again within the time.
    pub(crate) fn heard(&self, heartbeat_ttl: Duration) {
        let nanos = u64::try_from(heartbeat_ttl.as_nanos()).unwrap_or(u64::MAX);
        self.heartbeat_ttl.store(nanos, Ordering::Relaxed);
        *self
            .last_heartbeat
            .write()
            .unwrap_or_else(PoisonError::into_inner) = (clock::now(), clock::steady());
        self.contacted
            .send_if_modified(|contacted| !std::mem::replace(contacted, true));
    }

    /// Within what time servers want to hear of this node; zero before they said.
    pub(crate) fn heartbeat_ttl(&self) -> Duration {
        Duration::from_nanos(self.heartbeat_ttl.load(Ordering::Relaxed))
    }

    /// When that was.
    pub(crate) fn last_heard(&self) -> UnixNanos {
        self.last_heartbeat
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// By the steady clock, which tells how long ago that was.
    pub(crate) fn last_heard_steady(&self) -> UnixNanos {
        self.last_heartbeat
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .1
    }
}
