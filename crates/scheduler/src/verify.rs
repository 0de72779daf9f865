//! Checks a plan against the newest state, node by node (scheduler sheet §6.3).

use crate::feasible::volumes::SINGLE_WRITER;
use crate::ports;
use caravan_model::*;
use caravan_state::{JobKey, State, Table, Usage, capacity, ports_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What of a plan can be done. Nodes whose part does not hold any more are left out and named.
#[must_use]
pub fn verify(state: &State, plan: &Plan) -> PlanResult {
    let left = is_stopped(state, plan).then(|| without_new(state, plan));
    let plan = left.as_ref().unwrap_or(plan);
    let nodes: BTreeSet<NodeId> = plan
        .node_update
        .keys()
        .chain(plan.node_allocation.keys())
        .copied()
        .collect();
    let rejected: BTreeSet<NodeId> = nodes
        .into_iter()
        .filter(|node| verdict(state, plan, *node).is_err())
        .collect();
    if rejected.is_empty() {
        return accepted(state, plan.clone());
    }
    let newest = state.index_of_any(&[Table::Nodes, Table::Allocations]);
    PlanResult {
        rejected_nodes: rejected.iter().copied().collect(),
        refresh_index: newest.max(1),
        ..accepted(state, without(state, plan, &rejected))
    }
}

/// Whether the job of a plan is stopped or gone by now. It gets nothing new, even if it should be registered again before
/// the plan is committed: what comes after the plan is not to find it there.
fn is_stopped(state: &State, plan: &Plan) -> bool {
    plan.job.as_ref().is_some_and(|job| {
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        state.job(&key).is_none_or(|now| now.stop)
    })
}

/// The plan without what it places, and without those who would be evicted for that.
fn without_new(state: &State, plan: &Plan) -> Plan {
    let mut left = plan.clone();
    for allocs in left.node_allocation.values_mut() {
        allocs.retain(|alloc| state.alloc(&alloc.id).is_some());
    }
    left.node_allocation.retain(|_, allocs| !allocs.is_empty());
    left.node_preemptions = BTreeMap::new();
    left.deployment = None;
    left
}

/// All of a plan, but for evictions of what is over by now.
fn accepted(state: &State, mut plan: Plan) -> PlanResult {
    let runs = |alloc: &AllocId| state.alloc(alloc).is_some_and(|now| !now.terminal_status());
    for evicted in plan.node_preemptions.values_mut() {
        evicted.retain(|alloc| runs(&alloc.id));
    }
    plan.node_preemptions
        .retain(|_, evicted| !evicted.is_empty());
    PlanResult {
        node_update: plan.node_update,
        node_allocation: plan.node_allocation,
        node_preemptions: plan.node_preemptions,
        deployment: plan.deployment,
        deployment_updates: plan.deployment_updates,
        ..PlanResult::default()
    }
}

/// The plan without its part for these nodes, and without what makes no sense alone.
#[must_use]
pub fn without(state: &State, plan: &Plan, nodes: &BTreeSet<NodeId>) -> Plan {
    if plan.all_at_once {
        return Plan {
            node_update: BTreeMap::new(),
            node_allocation: BTreeMap::new(),
            node_preemptions: BTreeMap::new(),
            deployment: None,
            deployment_updates: Vec::new(),
            ..plan.clone()
        };
    }
    let mut left = plan.clone();
    for of in [
        &mut left.node_update,
        &mut left.node_allocation,
        &mut left.node_preemptions,
    ] {
        of.retain(|node, _| !nodes.contains(node));
    }
    // Where an allocation is not stopped after all, its replacement would run beside it under the same name.
    let stops = nodes.iter().filter_map(|node| plan.node_update.get(node));
    let stays = || {
        let stops = stops.clone().flatten();
        stops.filter(|alloc| {
            let known = state.alloc(&alloc.id);
            known.is_some_and(|known| !known.client_terminal())
        })
    };
    let staying: BTreeSet<AllocId> = stays().map(|alloc| alloc.id).collect();
    // A canary that comes after a lost one is not told what it replaces.
    let canaries: BTreeSet<(DeploymentId, &str)> = stays()
        .filter(|alloc| alloc.is_canary())
        .map(|alloc| (alloc.deployment_id, alloc.name.as_str()))
        .collect();
    for allocs in left.node_allocation.values_mut() {
        allocs.retain(|alloc| {
            let again =
                alloc.is_canary() && canaries.contains(&(alloc.deployment_id, alloc.name.as_str()));
            !again && !staying.contains(&alloc.previous_allocation)
        });
    }
    left.node_allocation.retain(|_, allocs| !allocs.is_empty());
    let placed = ids(&left.node_allocation);
    let dropped: BTreeSet<AllocId> = ids(&plan.node_allocation)
        .difference(&placed)
        .copied()
        .collect();
    for evicted in left.node_preemptions.values_mut() {
        evicted.retain(|alloc| !dropped.contains(&alloc.preempted_by_allocation));
    }
    let groups = left
        .deployment
        .iter_mut()
        .flat_map(|deployment| deployment.task_groups.values_mut());
    for group in groups {
        group.placed_canaries.retain(|id| !dropped.contains(id));
    }
    left
}

fn ids(allocs: &AllocsByNode) -> BTreeSet<AllocId> {
    allocs.values().flatten().map(|alloc| alloc.id).collect()
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
        NodeStatus::Ready if allocs.iter().any(|alloc| is_thought_silent(state, alloc)) => {
            return Err("node is back and contains invalid updates");
        }
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
    if has_room_beside_all(state, plan, node, allocs) {
        debug_assert_eq!(fits(state, plan, node, allocs), Ok(()));
        return Ok(());
    }
    fits(state, plan, node, allocs)
}

/// Whether there is room even if all stays that the node's client is not done with, and nothing that two could want: then
/// nobody needs to be looked at one by one, of which there may be hundreds.
fn has_room_beside_all(
    state: &State,
    plan: &Plan,
    node: &Node,
    allocs: &[Arc<Allocation>],
) -> bool {
    let table = state.node_table();
    let Some((page, at)) = table.slot(&node.id).map(|slot| table.at(slot)) else {
        return false;
    };
    let mut usage = page.usage(at);
    for alloc in allocs {
        let job = alloc.job.as_ref().or(plan.job.as_ref());
        let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
        if group.is_none_or(|group| !group.volumes.is_empty()) {
            return false;
        }
        usage.add(alloc);
    }
    // Who has no resources is not in the table, but would count.
    usage.held.is_none()
        && node.node_max_allocs == 0
        && capacity(node).lacks(usage.amount).is_none()
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

/// Whether the plan takes an allocation for silent that was not yet. Its client, once back, has told that it runs, and
/// would not tell again.
fn is_thought_silent(state: &State, alloc: &Allocation) -> bool {
    let known = state.alloc(&alloc.id);
    alloc.client_status == ClientStatus::Unknown
        && known.is_some_and(|known| known.client_status != ClientStatus::Unknown)
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
    let stays: Vec<&Allocation> = state
        .allocs_of_node(&node.id)
        .map(Arc::as_ref)
        .filter(|alloc| !gone.contains(&alloc.id) && !alloc.terminal_status())
        .collect();
    let planned: Vec<&Allocation> = allocs
        .iter()
        .map(Arc::as_ref)
        .filter(|alloc| !alloc.client_terminal())
        .collect();
    let limit = usize::try_from(node.node_max_allocs).unwrap_or(0);
    if limit > 0 && stays.len() + planned.len() > limit {
        return Err("max allocation exceeded");
    }
    let reserved = ports::reserved(node);
    let mut usage = Usage::default();
    // What runs already may collide among itself; only what the plan adds is refused for it.
    for alloc in &stays {
        usage.add(alloc);
    }
    let mut collided = false;
    for alloc in &planned {
        collided |= usage.add(alloc);
        let resources = alloc.allocated_resources.iter();
        let mut ports = resources.flat_map(|resources| ports_of(resources));
        if ports.any(|(ip, port, shares)| !shares && reserved.is_taken(ip, port)) {
            return Err("reserved node port collision");
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
    if single_writers_collide(plan, &stays, &planned) {
        return Err("conflicting claims for host volume with single-writer");
    }
    capacity(node).lacks(usage.amount).map_or(Ok(()), Err)
}

/// Who claims a volume of a node.
#[derive(Default)]
struct Claims {
    count: usize,
    /// One of them wants it for itself alone.
    alone: bool,
    /// One of them is planned.
    planned: bool,
}

/// Whether a volume that one allocation wants for itself alone is claimed by another, too, and one of them is planned.
fn single_writers_collide(plan: &Plan, stays: &[&Allocation], planned: &[&Allocation]) -> bool {
    let mut claims: BTreeMap<String, Claims> = BTreeMap::new();
    let stays = stays.iter().map(|alloc| (alloc, false));
    for (alloc, is_planned) in stays.chain(planned.iter().map(|alloc| (alloc, true))) {
        let job = alloc.job.as_ref().or(plan.job.as_ref());
        let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
        for volume in group.iter().flat_map(|group| group.volumes.values()) {
            if volume.r#type == volume_type::CSI || volume.read_only {
                continue;
            }
            let claims = claims.entry(volume.source_for(&alloc.name)).or_default();
            claims.count += 1;
            claims.alone |= volume.access_mode == SINGLE_WRITER;
            claims.planned |= is_planned;
        }
    }
    claims
        .values()
        .any(|claims| claims.planned && claims.alone && claims.count > 1)
}
