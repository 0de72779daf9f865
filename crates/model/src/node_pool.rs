//! Node pools: disjoint sets of nodes that jobs pick from.

use crate::shape;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The pool of nodes and jobs that name none.
pub const DEFAULT: &str = "default";
/// The pool that every node is in.
pub const ALL: &str = "all";
/// How long node identities live when the pool says nothing: 24 hours.
pub const DEFAULT_IDENTITY_TTL: Duration = Duration::from_secs(24 * 3600);

/// A set of nodes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodePool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Metadata.
    #[serde(with = "shape::nullable")]
    pub meta: BTreeMap<String, String>,
    /// What differs from the cluster's scheduler configuration.
    pub scheduler_configuration: Option<NodePoolSchedulerConfiguration>,
    /// How long the identities of its nodes live.
    #[serde(
        rename = "NodeIdentityTTL",
        deserialize_with = "Duration::deserialize_lenient"
    )]
    pub node_identity_ttl: Duration,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl NodePool {
    /// Whether it always exists and cannot be changed.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.name == ALL || self.name == DEFAULT
    }

    /// The two pools that always exist, as created at `index`.
    #[must_use]
    pub fn built_in(index: u64) -> [Self; 2] {
        [
            (ALL, "Node pool with all nodes in the cluster."),
            (DEFAULT, "Default node pool."),
        ]
        .map(|(name, description)| Self {
            name: name.to_owned(),
            description: description.to_owned(),
            node_identity_ttl: DEFAULT_IDENTITY_TTL,
            create_index: index,
            modify_index: index,
            ..Self::default()
        })
    }
}

/// What of the scheduler configuration a pool overrides.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodePoolSchedulerConfiguration {
    /// `binpack` or `spread`; empty: the cluster's.
    pub scheduler_algorithm: String,
    /// Whether tasks may use more memory than they reserve; absent: the cluster's.
    pub memory_oversubscription_enabled: Option<bool>,
}
