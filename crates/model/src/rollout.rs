//! What a job's registration would do as a whole, from the first evaluation to the last: an extra answer of the plan.

use crate::plan::DesiredUpdates;
use crate::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rollout, as it goes when every new allocation becomes healthy.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Rollout {
    /// Why the registration would be refused; empty when it would not.
    pub refused: String,
    /// Whether a deployment watches it.
    pub deployment: bool,
    /// In order; each begins when the one before is healthy.
    #[serde(with = "shape::nullable")]
    pub steps: Vec<RolloutStep>,
    /// There are more steps than are told.
    pub truncated: bool,
    /// By group: which nodes could take an allocation.
    #[serde(with = "shape::nullable")]
    pub nodes: BTreeMap<String, RolloutNodes>,
}

/// What happens at once.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RolloutStep {
    /// Groups whose canaries are promoted before this step.
    #[serde(with = "shape::nullable")]
    pub promotes: Vec<String>,
    /// Whether that happens by itself; otherwise somebody has to promote the deployment.
    pub auto_promote: bool,
    /// By group: how many allocations are touched how.
    #[serde(with = "shape::nullable")]
    pub updates: BTreeMap<String, DesiredUpdates>,
}

/// The nodes of a rollout, for one group.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RolloutNodes {
    /// How many could take one more allocation now.
    pub candidates: u64,
    /// Names of some of them.
    #[serde(with = "shape::nullable")]
    pub candidate_names: Vec<String>,
    /// Why others could not, the most frequent reason first.
    #[serde(with = "shape::nullable")]
    pub excluded: Vec<RolloutExclusion>,
}

/// Nodes that cannot take an allocation for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RolloutExclusion {
    /// A sentence without a full stop.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Names of some of them.
    #[serde(with = "shape::nullable")]
    pub names: Vec<String>,
}
