//! What the scheduler saw while it looked for a node.

use crate::id::NodeId;
use crate::resources::Resources;
use crate::scores::Scores;
use crate::shape;
use crate::small_map::SmallMap;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Counts by name.
pub type Counts = SmallMap<String, i64>;

/// What the scheduler saw while it looked for a node for a group.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocMetric {
    /// Nodes looked at in the last selection.
    pub nodes_evaluated: i64,
    /// Nodes that were not feasible.
    pub nodes_filtered: i64,
    /// Nodes in the pool.
    pub nodes_in_pool: i64,
    /// The pool.
    pub node_pool: Arc<str>,
    /// Nodes that are ready, by datacenter.
    #[serde(deserialize_with = "shape::null_default")]
    pub nodes_available: Arc<Counts>,
    /// Infeasible nodes by class; nodes without class are not counted.
    #[serde(with = "shape::nullable")]
    pub class_filtered: Counts,
    /// Infeasible nodes by reason, such as `${attr.kernel.name} = linux`.
    #[serde(with = "shape::nullable")]
    pub constraint_filtered: Counts,
    /// Feasible nodes that had not enough left.
    pub nodes_exhausted: i64,
    /// These by class.
    #[serde(with = "shape::nullable")]
    pub class_exhausted: Counts,
    /// These by what was missing, such as `memory`.
    #[serde(with = "shape::nullable")]
    pub dimension_exhausted: Counts,
    /// Quotas that were used up.
    #[serde(with = "shape::nullable")]
    pub quota_exhausted: Vec<String>,
    /// What was asked for where processor or memory was missing, by task.
    #[serde(with = "shape::nullable")]
    pub resources_exhausted: SmallMap<String, Resources>,
    /// Always null; superseded by `score_meta_data`.
    #[serde(with = "shape::nullable")]
    pub scores: SmallMap<String, f64>,
    /// The five best nodes, best first.
    #[serde(with = "shape::nullable")]
    pub score_meta_data: Vec<Arc<NodeScoreMeta>>,
    /// How long the selection took.
    pub allocation_time: Duration,
    /// Further placements of the evaluation that failed alike.
    pub coalesced_failures: i64,
}

impl AllocMetric {
    /// How many scored nodes are kept.
    pub const TOP_SCORES: usize = 5;

    /// Counts a node that is not feasible for `reason`.
    pub fn filter_node(&mut self, node_class: &str, reason: &str) {
        self.nodes_filtered += 1;
        if !node_class.is_empty() {
            *self.class_filtered.or_default(node_class.to_owned()) += 1;
        }
        if !reason.is_empty() {
            *self.constraint_filtered.or_default(reason.to_owned()) += 1;
        }
    }

    /// Counts a node that has not enough of `dimension` left.
    pub fn exhaust_node(&mut self, node_class: &str, dimension: &str) {
        self.nodes_exhausted += 1;
        if !node_class.is_empty() {
            *self.class_exhausted.or_default(node_class.to_owned()) += 1;
        }
        if !dimension.is_empty() {
            *self.dimension_exhausted.or_default(dimension.to_owned()) += 1;
        }
    }

    /// The best node, when any was scored.
    #[must_use]
    pub fn best_score(&self) -> Option<&NodeScoreMeta> {
        self.score_meta_data.first().map(Arc::as_ref)
    }
}

/// The scores of a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeScoreMeta {
    /// The node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// Each scorer's value.
    #[serde(with = "shape::nullable")]
    pub scores: Scores,
    /// Their mean, by which nodes are compared.
    pub norm_score: f64,
}
