//! What one attempt at an evaluation decided.

use caravan_model::{AllocMetric, Counts, DeploymentId, Evaluation, NodeId, Plan, SmallMap};
use std::collections::BTreeMap;

/// What one attempt at an evaluation decided. Nothing of it has happened yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The changes to submit.
    pub plan: Plan,
    /// How many allocations are still to be placed, by group; placements of the plan are counted in until
    /// they are accepted.
    pub queued: Counts,
    /// What was seen where placing failed, by group.
    pub failed_groups: SmallMap<String, AllocMetric>,
    /// Which node classes can take what failed, for the evaluation that will wait for room.
    pub eligibility: ClassEligibility,
    /// Evaluations to create before the plan is submitted, for its allocations refer to them.
    pub follow_ups: Vec<Evaluation>,
    /// Evaluations of system jobs that wait for room on one node each.
    pub blocked_on_nodes: BTreeMap<NodeId, Evaluation>,
    /// The job's deployment, existing or created by the plan.
    pub deployment_id: DeploymentId,
}

/// Which node classes can take what could not be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassEligibility {
    /// Computed node classes by whether they can; absent ones are not known.
    pub classes: BTreeMap<String, bool>,
    /// Whether constraints look at what classes leave out, so that any node may help.
    pub escaped: bool,
    /// What was missing beside nodes.
    pub missing_resources: Vec<String>,
}

impl ClassEligibility {
    /// Adds what is known about another version of the job: one that can is enough.
    pub(crate) fn merge(&mut self, other: Self) {
        self.escaped |= other.escaped;
        for (class, eligible) in other.classes {
            *self.classes.entry(class).or_default() |= eligible;
        }
        self.missing_resources.extend(other.missing_resources);
        if self.escaped {
            self.classes.clear();
        }
    }
}
