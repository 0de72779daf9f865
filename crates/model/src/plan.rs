//! A plan: what a scheduler wants changed, and what of it was done.

use crate::alloc::Allocation;
use crate::alloc_stub::AllocationListStub;
use crate::deployment::{Deployment, DeploymentStatusUpdate};
use crate::id::{EvalId, NodeId};
use crate::job::Job;
use crate::shape;
use crate::small_map::SmallMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Allocations by node.
pub type AllocsByNode = BTreeMap<NodeId, Vec<Arc<Allocation>>>;

/// What a scheduler wants changed.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Plan {
    /// The evaluation it answers.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// Proves that the worker still holds the evaluation.
    pub eval_token: String,
    /// The state index it was made against.
    pub snapshot_index: u64,
    /// The job's priority.
    pub priority: i64,
    /// Whether it is done whole or not at all.
    pub all_at_once: bool,
    /// The job, from which its allocations have theirs stripped.
    pub job: Option<Arc<Job>>,
    /// Allocations to stop or evict.
    pub node_update: AllocsByNode,
    /// Allocations to place or change.
    pub node_allocation: AllocsByNode,
    /// Allocations to evict for those placed.
    pub node_preemptions: AllocsByNode,
    /// What it does, in words.
    pub annotations: Option<PlanAnnotations>,
    /// The deployment to create or replace.
    pub deployment: Option<Deployment>,
    /// Deployments whose status changes.
    pub deployment_updates: Vec<DeploymentStatusUpdate>,
}

impl Plan {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_no_op(&self) -> bool {
        self.node_update.is_empty()
            && self.node_allocation.is_empty()
            && self.deployment.is_none()
            && self.deployment_updates.is_empty()
    }
}

/// What of a plan was done.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlanResult {
    /// Stopped or evicted.
    pub node_update: AllocsByNode,
    /// Placed or changed.
    pub node_allocation: AllocsByNode,
    /// Evicted for those placed.
    pub node_preemptions: AllocsByNode,
    /// The deployment created or replaced.
    pub deployment: Option<Deployment>,
    /// Deployments whose status changed.
    pub deployment_updates: Vec<DeploymentStatusUpdate>,
    /// Nodes whose part was refused.
    pub rejected_nodes: Vec<NodeId>,
    /// When not zero: something was refused, look at the state of this index before trying again.
    pub refresh_index: u64,
    /// Index of the write.
    pub alloc_index: u64,
}

impl PlanResult {
    /// Whether nothing was done.
    #[must_use]
    pub fn is_no_op(&self) -> bool {
        self.node_update.is_empty()
            && self.node_allocation.is_empty()
            && self.deployment.is_none()
            && self.deployment_updates.is_empty()
    }

    /// Whether all placements of the plan were done, how many were wanted, and how many were done.
    #[must_use]
    pub fn full_commit(&self, plan: &Plan) -> (bool, usize, usize) {
        let wanted = plan.node_allocation.values().map(Vec::len).sum();
        let done = plan
            .node_allocation
            .keys()
            .filter_map(|node| self.node_allocation.get(node))
            .map(Vec::len)
            .sum();
        (wanted == done, wanted, done)
    }
}

/// What a plan does, in words.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlanAnnotations {
    /// By group.
    #[serde(rename = "DesiredTGUpdates", with = "shape::nullable")]
    pub desired_tg_updates: SmallMap<String, DesiredUpdates>,
    /// Those evicted.
    #[serde(with = "shape::nullable")]
    pub preempted_allocs: Vec<AllocationListStub>,
}

/// What happens to how many allocations of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DesiredUpdates {
    /// Stay.
    pub ignore: u64,
    /// Are new.
    pub place: u64,
    /// Move.
    pub migrate: u64,
    /// End.
    pub stop: u64,
    /// Take the new version without a restart.
    pub in_place_update: u64,
    /// Are replaced by the new version.
    pub destructive_update: u64,
    /// Try the new version out.
    pub canary: u64,
    /// Are evicted.
    pub preemptions: u64,
    /// Become unknown.
    pub disconnect: u64,
    /// Come back.
    pub reconnect: u64,
    /// Are rescheduled at once.
    pub reschedule_now: u64,
    /// Are rescheduled later.
    pub reschedule_later: u64,
}
