//! Commands about nodes (server sheet §6).

use crate::change::Change;
use crate::command::DrainUpdate;
use crate::error::ApplyError;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Registers a node; of a known one, status, events, eligibility, drain and liveness marks are kept.
pub(super) fn register(
    txn: &mut Txn<'_>,
    mut node: Node,
    create_pool: bool,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    match txn.state.nodes.get(&node.id).cloned() {
        Some(old) => keep_from_known(&mut node, &old)?,
        None => {
            node.create_index = txn.index;
            node.status_updated_at = now.seconds();
            if node.events.is_empty() {
                node.add_event(NodeEvent {
                    message: node_event::REGISTERED.to_owned(),
                    subsystem: subsystem::CLUSTER.to_owned(),
                    timestamp: Timestamp(now.seconds() * 1_000_000_000),
                    ..NodeEvent::default()
                });
            }
        }
    }
    if create_pool && !txn.state.node_pools.contains_key(&node.node_pool) {
        let pool = NodePool {
            name: node.node_pool.clone(),
            ..NodePool::default()
        };
        super::config::upsert_node_pools(txn, vec![pool])?;
    }
    super::host_volumes::seen_by(txn, &node);
    put(txn, node);
    super::evals::upsert_all(txn, evals, now)
}

fn keep_from_known(node: &mut Node, old: &Node) -> Result<(), ApplyError> {
    if !old.secret_id.is_empty() && old.secret_id != node.secret_id {
        return Err(ApplyError::NodeSecretMismatch(node.id));
    }
    node.create_index = old.create_index;
    node.status = old.status;
    node.status_description.clone_from(&old.status_description);
    node.status_updated_at = old.status_updated_at;
    node.events.clone_from(&old.events);
    node.scheduling_eligibility = old.scheduling_eligibility;
    node.drain = old.drain;
    node.drain_strategy.clone_from(&old.drain_strategy);
    node.last_drain.clone_from(&old.last_drain);
    node.last_missed_heartbeat_index = old.last_missed_heartbeat_index;
    node.last_alloc_update_index = old.last_alloc_update_index;
    Ok(())
}

pub(super) fn deregister(
    txn: &mut Txn<'_>,
    nodes: &[NodeId],
    evals: Vec<Evaluation>,
) -> Result<(), ApplyError> {
    for id in nodes {
        let node = txn
            .state
            .nodes
            .remove(id)
            .ok_or(ApplyError::NodeNotFound(*id))?;
        let has_allocs = txn.state.allocs_by_node.contains_key(id);
        txn.state.node_table.remove(*id, has_allocs);
        txn.touch(Table::Nodes);
        super::services::delete_of_node(txn, *id);
        txn.changes.push(Change::NodeRemoved(node));
    }
    super::evals::upsert_all(txn, evals, UnixNanos::ZERO)
}

pub(super) fn update_status(
    txn: &mut Txn<'_>,
    id: NodeId,
    status: NodeStatus,
    event: Option<NodeEvent>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let mut node = known(txn, id)?;
    if node.status != status {
        node.status_updated_at = now.seconds();
    }
    match status {
        NodeStatus::Down | NodeStatus::Disconnected => node.last_missed_heartbeat_index = txn.index,
        NodeStatus::Ready => node.last_missed_heartbeat_index = 0,
        NodeStatus::Initializing => {}
    }
    node.status = status;
    add_event(txn, &mut node, event);
    put(txn, node);
    super::evals::upsert_all(txn, evals, now)
}

pub(super) fn update_drains(
    txn: &mut Txn<'_>,
    updates: BTreeMap<NodeId, DrainUpdate>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    for (id, update) in updates {
        let mut node = known(txn, id)?;
        node.drain = update.strategy.is_some();
        if node.drain {
            node.scheduling_eligibility = Eligibility::Ineligible;
        } else if update.mark_eligible {
            node.scheduling_eligibility = Eligibility::Eligible;
        }
        node.drain_strategy = update.strategy;
        if update.metadata.is_some() {
            node.last_drain = update.metadata;
        }
        add_event(txn, &mut node, update.event);
        put(txn, node);
    }
    super::evals::upsert_all(txn, evals, now)
}

pub(super) fn update_eligibility(
    txn: &mut Txn<'_>,
    id: NodeId,
    eligibility: Eligibility,
    event: Option<NodeEvent>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let mut node = known(txn, id)?;
    if node.drain_strategy.is_some() && eligibility == Eligibility::Eligible {
        return Err(ApplyError::NodeIsDraining(id));
    }
    node.scheduling_eligibility = eligibility;
    add_event(txn, &mut node, event);
    put(txn, node);
    super::evals::upsert_all(txn, evals, now)
}

pub(super) fn append_events(
    txn: &mut Txn<'_>,
    events: BTreeMap<NodeId, Vec<NodeEvent>>,
) -> Result<(), ApplyError> {
    for (id, events) in events {
        let mut node = known(txn, id)?;
        for event in events {
            add_event(txn, &mut node, Some(event));
        }
        put(txn, node);
    }
    Ok(())
}

/// Notes that the client of a node has told of its allocations, once after each time it was missed: whether it told
/// since then is all that anybody asks, and a node's row is too large to copy for every update.
pub(super) fn note_alloc_update(txn: &mut Txn<'_>, id: NodeId) {
    let silent =
        |node: &&Arc<Node>| node.last_alloc_update_index <= node.last_missed_heartbeat_index;
    if let Some(node) = txn.state.nodes.get(&id).filter(silent) {
        let mut node = Node::clone(node);
        node.last_alloc_update_index = txn.index;
        txn.state.nodes.insert(id, Arc::new(node));
    }
}

pub(super) fn mark_ineligible(txn: &mut Txn<'_>, id: NodeId, event: NodeEvent) {
    if let Ok(mut node) = known(txn, id) {
        node.scheduling_eligibility = Eligibility::Ineligible;
        add_event(txn, &mut node, Some(event));
        put(txn, node);
    }
}

fn known(txn: &Txn<'_>, id: NodeId) -> Result<Node, ApplyError> {
    txn.state
        .nodes
        .get(&id)
        .map(|node| Node::clone(node))
        .ok_or(ApplyError::NodeNotFound(id))
}

fn add_event(txn: &Txn<'_>, node: &mut Node, event: Option<NodeEvent>) {
    if let Some(event) = event {
        node.add_event(NodeEvent {
            create_index: txn.index,
            ..event
        });
    }
}

fn put(txn: &mut Txn<'_>, mut node: Node) {
    node.modify_index = txn.index;
    let node = Arc::new(node);
    txn.state.insert_node(&node);
    txn.touch(Table::Nodes);
    txn.changes.push(Change::Node(node));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    /// Whether the node counts as heard since it was last missed, and whether its row was copied for that.
    fn tell(state: &mut State, id: NodeId, index: u64) -> (bool, bool) {
        let before = state.node(&id).cloned().expect("a node");
        note_alloc_update(&mut Txn::new(state, index), id);
        let after = state.node(&id).expect("a node");
        let heard = after.last_alloc_update_index > after.last_missed_heartbeat_index;
        (heard, !Arc::ptr_eq(&before, after))
    }

    #[test]
    fn a_client_that_tells_is_noted_once_after_it_was_missed() {
        let mut state = State::initial();
        let id = NodeId::from_u128(1);
        let node = Node {
            id,
            ..Node::default()
        };
        put(&mut Txn::new(&mut state, 5), node);
        assert_eq!(tell(&mut state, id, 6), (true, true));
        assert_eq!(tell(&mut state, id, 7), (true, false));
        let mut txn = Txn::new(&mut state, 8);
        let missed = update_status(
            &mut txn,
            id,
            NodeStatus::Disconnected,
            None,
            Vec::new(),
            UnixNanos(1),
        );
        assert!(missed.is_ok());
        assert_eq!(tell(&mut state, id, 9), (true, true));
        assert_eq!(tell(&mut state, id, 10), (true, false));
    }
}
