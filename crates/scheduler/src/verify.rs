//! Checks a plan against the newest state, node by node (scheduler sheet §6.3).

use crate::feasible::volumes::SINGLE_WRITER;
use crate::ports;
use caravan_model::*;
use caravan_state::{State, Table, Usage, capacity, ports_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What of a plan can be done. Nodes whose part does not hold any more are left out and named.
#[must_use]
pub fn verify(state: &State, plan: &Plan) -> PlanResult {
    let mut result = PlanResult {
        deployment: plan.deployment.clone(),
        deployment_updates: plan.deployment_updates.clone(),
        ..PlanResult::default()
    };
    let nodes: BTreeSet<NodeId> = plan
        .node_update
        .keys()
        .chain(plan.node_allocation.keys())
        .copied()
        .collect();
    for node in nodes {
        if verdict(state, plan, node).is_err() {
            result.rejected_nodes.push(node);
            continue;
        }
        if let Some(stops) = plan.node_update.get(&node) {
            result.node_update.insert(node, stops.clone());
        }
        if let Some(allocs) = plan.node_allocation.get(&node) {
            result.node_allocation.insert(node, allocs.clone());
        }
        let evicted = plan.node_preemptions.get(&node).into_iter().flatten();
        let evicted: Vec<_> = evicted
            .filter(|alloc| {
                state
                    .alloc(&alloc.id)
                    .is_some_and(|now| !now.terminal_status())
            })
            .cloned()
            .collect();
        if !evicted.is_empty() {
            result.node_preemptions.insert(node, evicted);
        }
    }
    if !result.rejected_nodes.is_empty() {
        result.refresh_index = state
            .index_of_any(&[Table::Nodes, Table::Allocations])
            .max(1);
        drop_what_depends_on_the_rest(plan, &mut result);
    }
    result
}

fn drop_what_depends_on_the_rest(plan: &Plan, result: &mut PlanResult) {
    if plan.all_at_once {
        result.node_update.clear();
        result.node_allocation.clear();
        result.node_preemptions.clear();
        result.deployment = None;
        result.deployment_updates.clear();
        return;
    }
    let accepted: BTreeSet<AllocId> = result
        .node_allocation
        .values()
        .flatten()
        .map(|alloc| alloc.id)
        .collect();
    let planned: BTreeSet<AllocId> = plan
        .node_allocation
        .values()
        .flatten()
        .map(|alloc| alloc.id)
        .collect();
    for group in result
        .deployment
        .iter_mut()
        .flat_map(|deployment| deployment.task_groups.values_mut())
    {
        group
            .placed_canaries
            .retain(|id| accepted.contains(id) || !planned.contains(id));
    }
}

/// Whether the node's part of the plan holds, and why not.
fn verdict(state: &State, plan: &Plan, id: NodeId) -> Result<(), &'static str> {
    let Some(allocs) = plan
        .node_allocation
        .get(&id)
        .filter(|allocs| !allocs.is_empty())
    else {
        return Ok(());
    };
    if allocs.iter().any(|alloc| is_revived(state, alloc)) {
        return Err("an allocation was stopped or forgotten meanwhile");
    }
    let Some(node) = state.node(&id) else {
        // What is over may still be noted of, such as that its replacement found no node.
        let over = allocs
            .iter()
            .all(|alloc| alloc.client_terminal() && is_unmoved_and_unchanged(state, alloc));
        return if over {
            Ok(())
        } else {
            Err("node does not exist")
        };
    };
    match node.status {
        NodeStatus::Disconnected => {
            let unknown = allocs
                .iter()
                .all(|alloc| alloc.client_status == ClientStatus::Unknown);
            return if unknown {
                Ok(())
            } else {
                Err("node is disconnected and contains invalid updates")
            };
        }
        NodeStatus::Down => {
            return if allocs
                .iter()
                .all(|alloc| may_be_noted_on_a_lost_node(plan, alloc))
            {
                Ok(())
            } else {
                Err("node is down and contains invalid updates")
            };
        }
        NodeStatus::Initializing => return Err("node is not ready for placements"),
        NodeStatus::Ready => {}
    }
    if allocs
        .iter()
        .all(|alloc| is_unmoved_and_unchanged(state, alloc))
    {
        return Ok(());
    }
    if node.scheduling_eligibility == Eligibility::Ineligible || node.drain_strategy.is_some() {
        return Err("node is not eligible");
    }
    fits(state, plan, node, allocs)
}

fn may_be_noted_on_a_lost_node(plan: &Plan, alloc: &Allocation) -> bool {
    let job = alloc.job.as_ref().or(plan.job.as_ref());
    let stays = job
        .and_then(|job| job.lookup_task_group(&alloc.task_group))
        .is_some_and(|group| !group.replaces_on_disconnect());
    alloc.client_status == ClientStatus::Lost
        || (alloc.client_status == ClientStatus::Unknown && stays)
}

/// Whether the plan would have an allocation run on that others have stopped, or even forgotten, since it was made:
/// what it used may be given away.
fn is_revived(state: &State, alloc: &Allocation) -> bool {
    let known = state.alloc(&alloc.id);
    let runs = alloc.desired_status == DesiredStatus::Run && !alloc.client_terminal();
    let forgotten = alloc.create_index > 0 && known.is_none();
    runs && (forgotten || known.is_some_and(|known| known.server_terminal()))
}

fn is_unmoved_and_unchanged(state: &State, alloc: &Allocation) -> bool {
    state.alloc(&alloc.id).is_some_and(|old| {
        old.node_id == alloc.node_id && old.allocated_resources == alloc.allocated_resources
    })
}

fn fits(
    state: &State,
    plan: &Plan,
    node: &Node,
    allocs: &[Arc<Allocation>],
) -> Result<(), &'static str> {
    let gone: BTreeSet<AllocId> = [
        &plan.node_update,
        &plan.node_preemptions,
        &plan.node_allocation,
    ]
    .into_iter()
    .filter_map(|of| of.get(&node.id))
    .flatten()
    .map(|alloc| alloc.id)
    .collect();
    let stays = state
        .allocs_of_node(&node.id)
        .filter(|alloc| !gone.contains(&alloc.id));
    let proposed: Vec<&Allocation> = stays
        .map(Arc::as_ref)
        .filter(|alloc| !alloc.terminal_status())
        .chain(allocs.iter().map(Arc::as_ref))
        .filter(|alloc| !alloc.client_terminal())
        .collect();
    let limit = usize::try_from(node.node_max_allocs).unwrap_or(0);
    if limit > 0 && proposed.len() > limit {
        return Err("max allocation exceeded");
    }
    let reserved = ports::reserved(node);
    let mut usage = Usage::default();
    // What runs already may collide among itself; only what the plan adds is refused for it.
    let mut collided = false;
    for alloc in &proposed {
        let taken = usage.add(alloc);
        if allocs.iter().any(|planned| planned.id == alloc.id) {
            collided |= taken;
            let resources = alloc.allocated_resources.iter();
            let mut ports = resources.flat_map(|resources| ports_of(resources));
            if ports.any(|(ip, port, shares)| !shares && reserved.is_taken(ip, port)) {
                return Err("reserved node port collision");
            }
        }
    }
    if collided {
        return Err("reserved alloc port collision");
    }
    if usage
        .held
        .is_some_and(|held| held.devices_are_oversubscribed())
    {
        return Err("device oversubscribed");
    }
    if single_writers_collide(plan, &proposed) {
        return Err("conflicting claims for host volume with single-writer");
    }
    capacity(node).lacks(usage.amount).map_or(Ok(()), Err)
}

/// Whether a volume that one allocation wants for itself alone is claimed by another, too.
fn single_writers_collide(plan: &Plan, proposed: &[&Allocation]) -> bool {
    let mut claims: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for alloc in proposed {
        let job = alloc.job.as_ref().or(plan.job.as_ref());
        let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
        for volume in group.iter().flat_map(|group| group.volumes.values()) {
            if volume.r#type == volume_type::CSI || volume.read_only {
                continue;
            }
            let claim = claims.entry(volume.source_for(&alloc.name)).or_default();
            claim.0 += 1;
            claim.1 |= volume.access_mode == SINGLE_WRITER;
        }
    }
    claims.values().any(|(count, single)| *single && *count > 1)
}
