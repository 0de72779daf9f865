//! What nodes ask of the servers (server sheet §§6, 7.1): to be known, to be alive, their work, to be heard.

use crate::clock;
use crate::propose::ProposeError;
use crate::server::Shared;
use caravan_control::Ids;
use caravan_control::drain::drain_update;
use caravan_control::liveness::{Liveness, Pace, status_of_beating, status_of_silent};
use caravan_control::node_update::{node_update_evals, registration_matters, status_matters};
use caravan_model::*;
use caravan_state::{Command, JobKey, ScopedKey, State, Table};
use caravan_telemetry as telemetry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

#[cfg(test)]
mod tests;

/// Why a node was refused.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It must register first.
    #[error("node not found")]
    Unknown(NodeId),
    /// It must heartbeat first.
    #[error("node {node} is not allowed to update allocs while in status {status}")]
    NotReady {
        /// Which node.
        node: NodeId,
        /// Its status.
        status: NodeStatus,
    },
    /// What it says of itself is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// The cluster's keys cannot be used now.
    #[error("{0}")]
    Keys(String),
    /// The change could not be made.
    #[error(transparent)]
    Propose(#[from] ProposeError),
}

/// Liveness of nodes, kept by the leader. It goes by the steady clock: no node is missed because a clock was set.
pub(crate) struct Nodes {
    liveness: Mutex<Liveness>,
    /// A node is to be looked at sooner than was asked for.
    sooner: Notify,
}

impl Nodes {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            liveness: Mutex::new(Liveness::new(pace)),
            sooner: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Liveness> {
        self.liveness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when a node is to be looked at sooner than the last tick asked for.
    pub(crate) fn sooner(&self) -> tokio::sync::futures::Notified<'_> {
        self.sooner.notified()
    }

    fn beat(&self, node: NodeId) -> Duration {
        let spread = (clock::seed() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut liveness = self.lock();
        let ttl = liveness.beat(node, clock::steady(), spread);
        if liveness.is_due_sooner(node) {
            self.sooner.notify_one();
        }
        ttl
    }

    /// Marks a node whose heartbeat was missed.
    pub(crate) async fn mark_silent(shared: &Shared, id: NodeId) -> Result<(), ProposeError> {
        let state = shared.store.snapshot();
        let Some(node) = state.node(&id) else {
            return Ok(());
        };
        let status = status_of_silent(&state, node, clock::now());
        tracing::warn!(node = %id, %status, "node heartbeat missed");
        let event = cluster_event(subsystem::CLUSTER, node_event::HEARTBEAT_MISSED);
        let marked = set_status(shared, &state, node, status, Some(event)).await;
        if marked.is_err() || status == NodeStatus::Disconnected {
            // It is looked at again: what was not written is tried anew, and once nothing on it may return, it is down.
            shared.nodes.beat(id);
        }
        marked
    }
}

fn cluster_event(subsystem: &str, message: &str) -> NodeEvent {
    NodeEvent {
        message: message.to_owned(),
        subsystem: subsystem.to_owned(),
        timestamp: Timestamp(clock::now().seconds() * 1_000_000_000),
        ..NodeEvent::default()
    }
}

async fn set_status(
    shared: &Shared,
    state: &State,
    node: &Node,
    status: NodeStatus,
    event: Option<NodeEvent>,
) -> Result<(), ProposeError> {
    let now = clock::now();
    let evals = if status_matters(node.status, status) {
        node_update_evals(state, node, &mut clock::eval_id, now)
    } else {
        Vec::new()
    };
    let seen = jobs_of(&evals);
    let command = Command::UpdateNodeStatus {
        node: node.id,
        status,
        event,
        evals,
        now,
    };
    let at = shared.proposer.propose(&command).await?.index;
    if status_matters(node.status, status) {
        look_at_newcomers(shared, node, &seen, at).await?;
    }
    Ok(())
}

/// The jobs of evaluations.
pub(crate) fn jobs_of(evals: &[Evaluation]) -> BTreeSet<JobKey> {
    let key = |eval: &Evaluation| JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    evals.iter().map(key).collect()
}

/// Has those jobs looked at, too, that came to concern a node while its change was on its way to the log: what was placed
/// on it, and what was registered for every node. Of a node that is gone now, `known` is what it was.
pub(crate) async fn look_at_newcomers(
    shared: &Shared,
    known: &Node,
    seen: &BTreeSet<JobKey>,
    at: u64,
) -> Result<(), ProposeError> {
    let state = shared.store.at_least(at).await;
    let node = state.node(&known.id).map_or(known, Arc::as_ref);
    let now = clock::now();
    let mut evals = node_update_evals(&state, node, &mut clock::eval_id, now);
    evals.retain(|eval| jobs_of(std::slice::from_ref(eval)).is_disjoint(seen));
    drop(state);
    if !evals.is_empty() {
        let command = Command::UpsertEvals { evals, now };
        shared.proposer.propose(&command).await?;
    }
    Ok(())
}

/// The servers' side of a node's calls.
#[derive(Clone)]
pub struct NodeService {
    shared: Arc<Shared>,
}

impl NodeService {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Makes a node known, or takes in what changed about it. Returns how long its next heartbeat may take.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn register(&self, node: Node) -> Result<Duration, NodeError> {
        let began = Instant::now();
        let registered = self.take_in(node).await;
        note("nomad.nomad.client.register", began);
        registered
    }

    async fn take_in(&self, mut node: Node) -> Result<Duration, NodeError> {
        check_registration(&mut node)?;
        // Its identity is signed when it asks for it, by the key that is active now; a new cluster makes its first one.
        let state = crate::keyring::ready(&self.shared.store).await;
        let now = clock::now();
        let id = node.id;
        node.identity_signing_key_id = crate::keyring::active_id(&state).unwrap_or_default();
        let known = state.node(&id);
        let matters = match known {
            Some(old) => registration_matters(old, &node),
            None => node.status == NodeStatus::Ready,
        };
        if !matters && known.is_some_and(|old| same_registration(old, &node)) {
            return Ok(self.shared.nodes.beat(id));
        }
        let evals = if matters {
            node_update_evals(&state, &node, &mut clock::eval_id, now)
        } else {
            Vec::new()
        };
        drop(state);
        let seen = jobs_of(&evals);
        let command = Command::RegisterNode {
            node: Box::new(node.clone()),
            create_pool: true,
            evals,
            now,
        };
        let at = self.shared.proposer.propose(&command).await?.index;
        if matters {
            look_at_newcomers(&self.shared, &node, &seen, at).await?;
        }
        Ok(self.shared.nodes.beat(id))
    }

    /// A heartbeat, with what the node says of its status. Returns how long the next may take.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn heartbeat(&self, id: NodeId, status: NodeStatus) -> Result<Duration, NodeError> {
        let began = Instant::now();
        let state = self.shared.store.snapshot();
        let node = state.node(&id).ok_or(NodeError::Unknown(id))?;
        let status = status_of_beating(&state, node, status);
        if status != node.status {
            let back = matches!(node.status, NodeStatus::Down | NodeStatus::Disconnected);
            let event = back
                .then(|| cluster_event(subsystem::CLUSTER, node_event::REREGISTERED_BY_HEARTBEAT));
            set_status(&self.shared, &state, node, status, event).await?;
        }
        note("nomad.nomad.client.update_status", began);
        Ok(self.shared.nodes.beat(id))
    }

    /// The allocations on a node, once anything about them is newer than `after` or the wait is over. The index
    /// belongs to the next call.
    pub async fn allocations(
        &self,
        id: NodeId,
        after: u64,
        wait: std::time::Duration,
    ) -> (u64, Vec<Arc<Allocation>>) {
        let began = Instant::now();
        let found = self.newer_allocations(id, after, wait).await;
        telemetry::count("nomad.nomad.rpc.node.read");
        telemetry::count("nomad.nomad.rpc.query");
        telemetry::took("nomad.nomad.client.get_client_allocs", began);
        telemetry::took("nomad.nomad.alloc.get_allocs", began);
        found
    }

    async fn newer_allocations(
        &self,
        id: NodeId,
        after: u64,
        wait: std::time::Duration,
    ) -> (u64, Vec<Arc<Allocation>>) {
        let deadline = tokio::time::Instant::now() + wait;
        let news = self.shared.store.node_news().of(id);
        loop {
            // Listen before reading, so that nothing falls between.
            let told = news.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let state = self.shared.store.snapshot();
            // The next call begins after what was told now, the forgotten included: else it would be told again.
            let newest = self.newest_news(&state, id);
            if after == 0 || newest > after {
                let allocs = state.allocs_of_node(&id).cloned().collect();
                return (newest.max(after).max(1), allocs);
            }
            // A wait may be minutes long, and there is one for each node.
            drop(state);
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep_until(deadline) => {
                    let state = self.shared.store.snapshot();
                    return (after.max(1), state.allocs_of_node(&id).cloned().collect());
                }
            }
        }
    }

    /// When servers last changed or forgot an allocation of this node; 0 when that is newer than this state.
    fn newest_news(&self, state: &State, id: NodeId) -> u64 {
        let newest = self.shared.store.node_news().newest(id);
        if newest <= state.index() { newest } else { 0 }
    }

    /// Takes in what a client says of its allocations.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn update_allocations(&self, updates: Vec<Allocation>) -> Result<u64, NodeError> {
        let began = Instant::now();
        let state = self.shared.store.snapshot();
        let Some(first) = updates.first() else {
            return Ok(state.index());
        };
        let stored = state.alloc(&first.id);
        if let Some(node) = stored.and_then(|alloc| state.node(&alloc.node_id))
            && matches!(node.status, NodeStatus::Down | NodeStatus::Disconnected)
        {
            return Err(NodeError::NotReady {
                node: node.id,
                status: node.status,
            });
        }
        let now = clock::now();
        let evals =
            caravan_control::client_update::follow_ups(&state, &updates, &mut clock::eval_id, now);
        let command = Command::UpdateAllocsFromClient {
            allocs: updates,
            evals,
            now,
        };
        let index = self.shared.proposer.propose(&command).await?.index;
        note("nomad.nomad.client.update_alloc", began);
        telemetry::count("nomad.nomad.rpc.alloc.write");
        Ok(index)
    }

    /// Drains a node that is about to end; returns when nothing that was to move runs there any more.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn drained(&self, id: NodeId, spec: DrainSpec) -> Result<(), NodeError> {
        let state = self.shared.store.snapshot();
        let node = state.node(&id).ok_or(NodeError::Unknown(id))?;
        let now = clock::now();
        let meta = BTreeMap::from([("message".to_owned(), "shutting down".to_owned())]);
        let (update, evals) = drain_update(
            &state,
            node,
            Some(&spec),
            false,
            meta,
            now,
            &mut Ids(&mut clock::fresh),
        );
        drop(state);
        let updates = BTreeMap::from([(id, update)]);
        let command = Command::UpdateNodeDrains {
            updates,
            evals,
            now,
        };
        let mut at = self.shared.proposer.propose(&command).await?.index;
        loop {
            let state = self.shared.store.at_least(at).await;
            let over = state
                .node(&id)
                .is_none_or(|node| node.drain_strategy.is_none());
            // A drain is over when all that must go has been told to; that it is stopped comes later.
            let stopped = |alloc: &Arc<Allocation>| {
                let goes = alloc.server_terminal() || alloc.desired_transition.should_migrate();
                !goes || alloc.client_terminal()
            };
            if over && state.allocs_of_node(&id).all(stopped) {
                return Ok(());
            }
            const WATCHED: &[Table] = &[Table::Nodes, Table::Allocations];
            at = state.index_of_any(WATCHED);
            drop(state);
            self.shared.store.tables_moved(WATCHED, at).await;
        }
    }

    /// Keeps events that a client tells of its node.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn events(&self, node: NodeId, events: Vec<NodeEvent>) -> Result<(), NodeError> {
        let events = BTreeMap::from([(node, events)]);
        self.shared
            .proposer
            .propose(&Command::AppendNodeEvents { events })
            .await?;
        Ok(())
    }

    /// Makes instances of services known.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn register_services(
        &self,
        services: Vec<ServiceRegistration>,
    ) -> Result<(), NodeError> {
        self.shared
            .proposer
            .propose(&Command::UpsertServices { services })
            .await?;
        Ok(())
    }

    /// Forgets instances of services; one that is not known is forgotten already.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn deregister_services(
        &self,
        services: Vec<(NamespaceName, String)>,
    ) -> Result<(), NodeError> {
        let services = services
            .into_iter()
            .map(|(namespace, id)| ScopedKey::new(namespace, id))
            .collect();
        match self
            .shared
            .proposer
            .propose(&Command::DeleteServices { services })
            .await
        {
            Err(ProposeError::Refused(caravan_state::ApplyError::ServiceNotFound)) | Ok(_) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The allocation with its job, for a node that waits for another one's data.
    #[must_use]
    pub fn allocation(&self, id: AllocId) -> Option<Arc<Allocation>> {
        self.shared.store.snapshot().alloc(&id).cloned()
    }

    /// The instances of a service that jobs of this namespace may see.
    #[must_use]
    pub fn service_instances(&self, namespace: &str, name: &str) -> Vec<Arc<ServiceRegistration>> {
        let state = self.shared.store.snapshot();
        state
            .services()
            .filter(|service| service.namespace == *namespace && service.service_name == name)
            .cloned()
            .collect()
    }

    /// The services of a namespace, with the tags of all their instances.
    #[must_use]
    pub fn service_tags(&self, namespace: &str) -> BTreeMap<String, BTreeSet<String>> {
        let state = self.shared.store.snapshot();
        let own = state
            .services()
            .filter(|service| service.namespace == *namespace);
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for service in own {
            let tags = all.entry(service.service_name.clone()).or_default();
            tags.extend(service.tags.iter().cloned());
        }
        all
    }

    /// A job's key as nodes name it.
    #[must_use]
    pub fn job_key(alloc: &Allocation) -> JobKey {
        JobKey::new(alloc.namespace.clone(), alloc.job_id.clone())
    }
}

/// Notes what a node told.
fn note(timer: &'static str, began: Instant) {
    telemetry::count("nomad.nomad.rpc.request");
    telemetry::count("nomad.nomad.rpc.node.write");
    telemetry::took(timer, began);
}

fn check_registration(node: &mut Node) -> Result<(), NodeError> {
    let invalid = |text: &str| Err(NodeError::Invalid(text.to_owned()));
    if node.id.is_nil() {
        return invalid("missing node ID for client registration");
    }
    if node.datacenter.is_empty() {
        return invalid("missing datacenter for client registration");
    }
    if node.name.is_empty() {
        return invalid("missing node name for client registration");
    }
    if node.secret_id.is_empty() {
        return invalid("missing node secret ID for client registration");
    }
    if node.node_pool.is_empty() {
        caravan_model::node_pool::DEFAULT.clone_into(&mut node.node_pool);
    }
    if node.node_pool == caravan_model::node_pool::ALL {
        return invalid("node is not allowed to register in node pool \"all\"");
    }
    Ok(())
}

/// Whether a registration says nothing new, so that it need not be logged.
fn same_registration(old: &Node, new: &Node) -> bool {
    let mut known = old.clone();
    known.events.clone_from(&new.events);
    known.status = new.status;
    known.status_description.clone_from(&new.status_description);
    known.status_updated_at = new.status_updated_at;
    known.scheduling_eligibility = new.scheduling_eligibility;
    known.drain = new.drain;
    known.drain_strategy.clone_from(&new.drain_strategy);
    known.last_drain.clone_from(&new.last_drain);
    known.create_index = new.create_index;
    known.modify_index = new.modify_index;
    known.last_missed_heartbeat_index = new.last_missed_heartbeat_index;
    known.last_alloc_update_index = new.last_alloc_update_index;
    known == *new
}
