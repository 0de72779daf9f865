//! The queue of plans: verified in groups against what is accepted, committed a while later.

use crate::workers::Worker;
use crate::world::World;
use caravan_model::*;
use caravan_scheduler::{Optimistic, without};
use caravan_state::{Command, PlanApply, Table};

/// Plans on their way.
#[derive(Default)]
pub(crate) struct Queue {
    submitted: Vec<(usize, Plan)>,
    /// Verified, with the number of the worker that waits.
    verified: Vec<(usize, PlanResult, Option<PlanApply>)>,
    view: Option<View>,
}

/// What plans are verified against: a committed state with accepted plans on top.
struct View {
    plans: Optimistic,
    /// The index of the committed state.
    committed: u64,
    /// When its nodes last changed.
    nodes: u64,
}

impl Queue {
    /// A worker's plan.
    pub(crate) fn submit(&mut self, worker: usize, plan: Plan) {
        self.submitted.push((worker, plan));
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.submitted.is_empty() && self.verified.is_empty()
    }

    /// All are given up: the leader is another.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Verifies what was submitted. While others are being committed it counts them in, unless a node has changed, or
    /// a plan knows of more than that.
    pub(crate) fn verify(&mut self, world: &mut World, refuse_permille: usize) {
        if self.submitted.is_empty() {
            return;
        }
        let nodes = world.state.index_of(Table::Nodes);
        let seen = self.submitted.iter().map(|(_, plan)| plan.snapshot_index);
        let needed = seen.max().unwrap_or(0);
        let usable = |view: &View| view.nodes == nodes && view.committed >= needed;
        if !self.view.as_ref().is_some_and(usable) {
            if !self.verified.is_empty() {
                return;
            }
            self.view = Some(View {
                plans: Optimistic::new(&world.state),
                committed: world.state.index(),
                nodes,
            });
        }
        let Some(View { plans, .. }) = &mut self.view else {
            return;
        };
        self.submitted
            .sort_by_key(|(_, plan)| std::cmp::Reverse(plan.priority));
        for (worker, plan) in std::mem::take(&mut self.submitted) {
            let refused = refused_node(&plan, world, refuse_permille);
            let refusal = refused.map(|node| without(&world.state, &plan, &[node].into()));
            let shown = refusal.unwrap_or(plan);
            let seed = world.random.bits();
            let (mut result, command) = plans.accept(&shown, seed, world.now);
            if let Some(node) = refused {
                result.rejected_nodes.push(node);
                result.refresh_index = result.refresh_index.max(1);
            }
            self.verified.push((worker, result, command));
        }
    }

    /// Commits what was verified and tells the workers.
    pub(crate) fn commit(&mut self, world: &mut World, workers: &mut [Worker]) {
        for (worker, mut result, command) in std::mem::take(&mut self.verified) {
            world.tell(|| changed(&result));
            if let Some(command) = command {
                let index = world.apply(Command::ApplyPlan(Box::new(command)));
                result.alloc_index = index.unwrap_or(0);
            }
            if let Some(worker) = workers.get_mut(worker) {
                worker.planned(&result, world);
            }
        }
        self.view = None;
    }
}

fn refused_node(plan: &Plan, world: &mut World, permille: usize) -> Option<NodeId> {
    let nodes: Vec<NodeId> = plan.node_allocation.keys().copied().collect();
    if nodes.is_empty() || plan.all_at_once || !world.random.chance(permille) {
        return None;
    }
    let node = nodes[world.random.below(nodes.len())];
    world.tell(|| format!("the part of a plan for {node} is refused"));
    Some(node)
}

/// What a plan changes, each allocation by its name and the beginning of its identifier.
fn changed(result: &PlanResult) -> String {
    let told = |kind: &str, allocs: &AllocsByNode| -> String {
        let each = allocs.values().flatten().map(|alloc| {
            let (id, node) = (alloc.id.to_string(), alloc.node_id.to_string());
            let was = alloc.previous_allocation.to_string();
            let (name, status) = (&alloc.name, alloc.client_status);
            format!(" {kind} {name} {id:.8} {status} on {node:.18} was {was:.8},")
        });
        each.collect()
    };
    let evicted = told("evict", &result.node_preemptions);
    let written = told("write", &result.node_allocation);
    let stopped = told("stop", &result.node_update);
    format!("committed:{stopped}{evicted}{written}")
}
