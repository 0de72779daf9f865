//! A server: the log, the state it drives, and the duties it has while it leads.

use crate::cluster_endpoints::health_of;
use crate::config::ServerConfig;
use crate::evals::Evals;
use crate::events::Events;
use crate::fsm::Fsm;
use crate::nodes::{NodeService, Nodes};
use crate::plans::Plans;
use crate::propose::Proposer;
use crate::store::Store;
use caravan_consensus::{Consensus, PeerInfo, PeerTransport, Storage};
use caravan_model::AutopilotHealth;
use caravan_state::State;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The replicated log could not be opened.
    #[error("the replicated log could not be opened: {0}")]
    Log(#[from] caravan_consensus::StartError),
    /// The cluster could not be formed.
    #[error("the cluster could not be formed: {0}")]
    Bootstrap(#[from] caravan_consensus::BootstrapError),
}

/// What all parts of a server share.
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) store: Store,
    pub(crate) consensus: Consensus<Fsm>,
    pub(crate) proposer: Proposer,
    pub(crate) evals: Arc<Evals>,
    pub(crate) plans: Arc<Plans>,
    pub(crate) nodes: Nodes,
    pub(crate) events: Events,
    pub(crate) keyring: crate::keyring::Keyring,
    pub(crate) rules: crate::policies::Rules,
    pub(crate) sign_ins: crate::sign_in::SignIns,
    pub(crate) locks: crate::variable_timers::Locks,
    pub(crate) volume_maker: crate::volume_maker::VolumeMaker,
    pub(crate) stability: crate::stability::Stability,
    /// The state was put back: what the leader derived from it is no longer true.
    pub(crate) lead_anew: tokio::sync::Notify,
    /// Whether this server leads and has taken up what is open.
    pub(crate) leading: watch::Sender<bool>,
}

/// A running server. Dropping it stops its duties; [`Server::shutdown`] closes the log as well.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a leader's duties count.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// Evaluations to be worked on.
    pub broker: caravan_control::broker::BrokerStats,
    /// Evaluations that wait for room.
    pub blocked: caravan_control::blocked::BlockedStats,
    /// Nodes whose heartbeat is waited for.
    pub heartbeats: usize,
    /// Locks of variables whose time runs.
    pub locks: usize,
    /// Plans that wait to be verified.
    pub plans: usize,
    /// By type of evaluation: how many could be handed out, how many are.
    pub by_type: Vec<(String, usize, usize)>,
    /// How the servers are; none while another one leads.
    pub health: Option<AutopilotHealth>,
}

impl Server {
    /// Opens (or makes) the log, and begins to follow or lead.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        config: ServerConfig,
        node_id: u64,
        transport: Arc<dyn PeerTransport>,
    ) -> Result<Self, StartError> {
        let store = Store::new(State::initial());
        let storage = match &config.data_dir {
            Some(dir) => Storage::Disk(dir.join("raft")),
            None => Storage::Memory,
        };
        let fsm = Fsm::new(store.clone());
        let log_size = fsm.log_size();
        let consensus =
            Consensus::start(log_config(&config, node_id, storage), fsm, transport).await?;
        if config.bootstrap_expect == 1 && !consensus.is_bootstrapped() {
            let own = PeerInfo {
                address: config.rpc_address.clone(),
                name: config.name.clone(),
            };
            consensus
                .bootstrap(BTreeMap::from([(node_id, own)]))
                .await?;
        }
        let shared = Arc::new(Shared {
            nodes: Nodes::new(config.pace),
            events: Events::new(config.event_buffer_size),
            store,
            proposer: Proposer::new(consensus.clone()),
            consensus,
            evals: Arc::default(),
            plans: Arc::default(),
            keyring: crate::keyring::Keyring::default(),
            rules: crate::policies::Rules::default(),
            sign_ins: crate::sign_in::SignIns::default(),
            locks: crate::variable_timers::Locks::default(),
            volume_maker: crate::volume_maker::VolumeMaker::default(),
            stability: crate::stability::Stability::default(),
            lead_anew: tokio::sync::Notify::new(),
            leading: watch::Sender::new(false),
            config,
        });
        // A server is well from its start on, whenever it is first asked.
        shared.stability.since(node_id, true, crate::clock::now());
        let tasks = vec![
            tokio::spawn(crate::leader::follow(Arc::clone(&shared))),
            tokio::spawn(observe(Arc::clone(&shared))),
            tokio::spawn(crate::log_size::bound(log_size, shared.consensus.clone())),
        ];
        Ok(Self { shared, tasks })
    }

    /// The servers' side of nodes' calls.
    #[must_use]
    pub fn node_service(&self) -> NodeService {
        NodeService::new(Arc::clone(&self.shared))
    }

    /// The public API as this server answers it.
    #[must_use]
    pub fn api(&self) -> crate::ServerApi {
        crate::ServerApi::new(Arc::clone(&self.shared))
    }

    /// Says how nodes are asked for dynamic host volumes.
    pub fn set_node_volumes(&self, nodes: Arc<dyn crate::NodeVolumes>) {
        self.shared.volume_maker.set(nodes);
    }

    /// The published state.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Whether this server leads and has taken up what is open, as it changes.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.shared.leading.subscribe()
    }

    /// The replicated log, for peers' calls.
    #[must_use]
    pub fn consensus(&self) -> &Consensus<Fsm> {
        &self.shared.consensus
    }

    /// Puts commands through the log, for what drives a server from within.
    #[must_use]
    pub fn proposer(&self) -> &Proposer {
        &self.shared.proposer
    }

    /// What this server's duties count; all zero while another server leads.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let (broker, blocked, by_type) = {
            let evals = self.shared.evals.lock();
            (
                evals.broker.stats(),
                evals.blocked.stats(),
                evals.broker.stats_by_type(),
            )
        };
        Numbers {
            broker,
            blocked,
            heartbeats: self.shared.nodes.lock().active(),
            locks: self.shared.locks.active(),
            plans: self.shared.plans.waiting(),
            by_type,
            health: (*self.shared.leading.borrow())
                .then(|| health_of(&self.shared, &self.shared.store.snapshot())),
        }
    }

    /// How many blocked evaluations were woken since this server began to lead.
    #[must_use]
    pub fn woken(&self) -> u64 {
        self.shared.evals.lock().blocked.stats().woken
    }

    /// Stops all duties and closes the log.
    pub async fn shutdown(&self) {
        for task in &self.tasks {
            task.abort();
        }
        self.shared.consensus.shutdown().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How the log is kept. In memory there are no followers to keep saved entries for.
fn log_config(server: &ServerConfig, node_id: u64, storage: Storage) -> caravan_consensus::Config {
    let alone = matches!(storage, Storage::Memory);
    let mut config = server.raft.of_node(node_id, storage);
    if alone {
        config.trailing_logs = 0;
    }
    config
}

/// Keeps what is derived from applied commands outside of the state: the event buffer.
async fn observe(shared: Arc<Shared>) {
    use tokio::sync::broadcast::error::RecvError;
    let mut changes = shared.store.changes();
    loop {
        match changes.recv().await {
            Ok(batch) => shared.events.observe(&batch, &shared.store.snapshot()),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "events were passed over");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
