//! Writes allocations with everything that counts them, and merges what clients say (server sheet §7.1).

use crate::change::Change;
use crate::error::ApplyError;
use crate::key::JobKey;
use crate::table::Table;
use crate::txn::{Txn, insert_into, remove_from};
use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Writes an allocation: indexes, counters, summary, deployment, job status.
pub(super) fn put(txn: &mut Txn<'_>, mut alloc: Allocation) {
    let old = txn.state.allocs.get(&alloc.id).cloned();
    alloc.modify_index = txn.index;
    let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
    match &old {
        Some(old) => {
            alloc.create_index = old.create_index;
            if old.deployment_id != alloc.deployment_id {
                remove_from(
                    &mut txn.state.allocs_by_deployment,
                    &old.deployment_id,
                    &alloc.id,
                );
            }
            if old.eval_id != alloc.eval_id {
                remove_from(&mut txn.state.allocs_by_eval, &old.eval_id, &alloc.id);
            }
        }
        None => alloc.create_index = txn.index,
    }
    let owners = |alloc: &Allocation| (alloc.node_id, alloc.eval_id, alloc.deployment_id);
    if old.as_deref().map(owners) != Some(owners(&alloc)) {
        index(txn, &alloc);
    }
    count_live(txn, &key, old.as_deref(), Some(&alloc));
    crate::summary::count(txn, &key, old.as_deref(), &alloc);
    super::deployments::count(txn, old.as_deref(), &alloc);
    let freed = alloc.client_terminal() && !old.as_ref().is_some_and(|old| old.client_terminal());
    let alloc = Arc::new(alloc);
    txn.state.node_table.change(old.as_deref(), Some(&alloc));
    txn.state
        .insert_alloc_of_job(key.clone(), Arc::clone(&alloc));
    txn.state.allocs.insert(alloc.id, Arc::clone(&alloc));
    txn.touch(Table::Allocations);
    txn.job_changed(&key);
    txn.changes.push(Change::Alloc { alloc, freed });
}

fn index(txn: &mut Txn<'_>, alloc: &Allocation) {
    insert_into(&mut txn.state.allocs_by_node, alloc.node_id, alloc.id);
    insert_into(&mut txn.state.allocs_by_eval, alloc.eval_id, alloc.id);
    if !alloc.deployment_id.is_nil() {
        insert_into(
            &mut txn.state.allocs_by_deployment,
            alloc.deployment_id,
            alloc.id,
        );
    }
}

/// Forgets an allocation.
pub(super) fn remove(txn: &mut Txn<'_>, id: AllocId) {
    let Some(alloc) = txn.state.allocs.remove(&id) else {
        return;
    };
    let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
    txn.state.remove_alloc_of_job(&key, id);
    remove_from(&mut txn.state.allocs_by_node, &alloc.node_id, &id);
    txn.state.node_table.change(Some(&alloc), None);
    if !txn.state.allocs_by_node.contains_key(&alloc.node_id) {
        txn.state.node_table.forget(alloc.node_id);
    }
    remove_from(&mut txn.state.allocs_by_eval, &alloc.eval_id, &id);
    remove_from(
        &mut txn.state.allocs_by_deployment,
        &alloc.deployment_id,
        &id,
    );
    count_live(txn, &key, Some(&alloc), None);
    txn.touch(Table::Allocations);
    txn.job_changed(&key);
    txn.changes.push(Change::AllocRemoved(alloc));
}

fn count_live(txn: &mut Txn<'_>, key: &JobKey, old: Option<&Allocation>, new: Option<&Allocation>) {
    let live = |alloc: Option<&Allocation>| alloc.is_some_and(|alloc| !alloc.terminal_status());
    let count = txn.state.live_allocs.get(key).copied().unwrap_or(0);
    let count = match (live(old), live(new)) {
        (false, true) => count + 1,
        (true, false) => count.saturating_sub(1),
        _ => return,
    };
    if count == 0 {
        txn.state.live_allocs.remove(key);
    } else {
        txn.state.live_allocs.insert(key.clone(), count);
    }
}

/// Merges the client's fields of allocations into the stored ones; unknown allocations are passed over.
pub(super) fn update_from_client(
    txn: &mut Txn<'_>,
    updates: Vec<Allocation>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let mut nodes = BTreeSet::new();
    for update in updates {
        let Some(old) = txn.state.allocs.get(&update.id).cloned() else {
            continue;
        };
        nodes.insert(old.node_id);
        let mut alloc = Allocation::clone(&old);
        merge_client_fields(&mut alloc, update, txn.index, now);
        put(txn, alloc);
    }
    for node in nodes {
        super::nodes::note_alloc_update(txn, node);
    }
    super::evals::upsert_all(txn, evals, now)
}

fn merge_client_fields(alloc: &mut Allocation, update: Allocation, index: u64, now: UnixNanos) {
    alloc.client_status = update.client_status;
    alloc.client_description = update.client_description;
    alloc.task_states = update.task_states;
    alloc.network_status = update.network_status;
    if let Some(theirs) = update
        .deployment_status
        .filter(|status| status.healthy.is_some())
    {
        let ours = alloc.deployment_status.get_or_insert_default();
        if ours.healthy != theirs.healthy {
            ours.healthy = theirs.healthy;
            ours.timestamp = theirs.timestamp;
            ours.modify_index = index;
        }
    }
    alloc.modify_time = now;
}

/// Sets wishes on allocations; a wish that is not given stays as it was.
pub(super) fn update_transitions(
    txn: &mut Txn<'_>,
    transitions: BTreeMap<AllocId, DesiredTransition>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    for (id, wish) in transitions {
        let Some(old) = txn.state.allocs.get(&id).cloned() else {
            continue;
        };
        let mut alloc = Allocation::clone(&old);
        alloc.desired_transition.merge(&wish);
        alloc.alloc_modify_index = txn.index;
        put(txn, alloc);
    }
    super::evals::upsert_all(txn, evals, now)
}
