//! Search by prefix and by fuzzy text.

use crate::query::QueryMeta;
use crate::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where to search.
pub mod search_context {
    /// Jobs.
    pub const JOBS: &str = "jobs";
    /// Evaluations.
    pub const EVALS: &str = "evals";
    /// Allocations.
    pub const ALLOCS: &str = "allocs";
    /// Nodes.
    pub const NODES: &str = "nodes";
    /// Node pools.
    pub const NODE_POOLS: &str = "node_pools";
    /// Deployments. The word is singular, as in the reference.
    pub const DEPLOYMENTS: &str = "deployment";
    /// CSI plugins.
    pub const PLUGINS: &str = "plugins";
    /// CSI volumes.
    pub const VOLUMES: &str = "volumes";
    /// Host volumes.
    pub const HOST_VOLUMES: &str = "host_volumes";
    /// Namespaces.
    pub const NAMESPACES: &str = "namespaces";
    /// Scaling policies. The word is singular, as in the reference.
    pub const SCALING_POLICIES: &str = "scaling_policy";
    /// Variables.
    pub const VARIABLES: &str = "vars";
    /// Everything.
    pub const ALL: &str = "all";
    /// Task groups, fuzzy only.
    pub const GROUPS: &str = "groups";
    /// Services, fuzzy only.
    pub const SERVICES: &str = "services";
    /// Tasks, fuzzy only.
    pub const TASKS: &str = "tasks";
    /// Images, fuzzy only.
    pub const IMAGES: &str = "images";
    /// Commands, fuzzy only.
    pub const COMMANDS: &str = "commands";
    /// Node classes, fuzzy only.
    pub const CLASSES: &str = "classes";
}

/// Body of `POST /v1/search`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SearchRequest {
    /// How ids begin.
    pub prefix: String,
    /// One of [`search_context`].
    pub context: String,
}

/// Answer to a search by prefix.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SearchResponse {
    /// Ids by context; null where nothing was found.
    #[serde(deserialize_with = "shape::null_default")]
    pub matches: BTreeMap<String, Option<Vec<String>>>,
    /// Where more would have been found.
    #[serde(deserialize_with = "shape::null_default")]
    pub truncations: BTreeMap<String, bool>,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}

/// Body of `POST /v1/search/fuzzy`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FuzzySearchRequest {
    /// What names contain.
    pub text: String,
    /// One of [`search_context`].
    pub context: String,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FuzzyMatch {
    /// Its name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Where it is, outermost first: namespace, job, group, task; or its id.
    #[serde(with = "shape::nullable")]
    pub scope: Vec<String>,
}

/// Answer to a fuzzy search.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FuzzySearchResponse {
    /// What was found, by context.
    #[serde(deserialize_with = "shape::null_default")]
    pub matches: BTreeMap<String, Vec<FuzzyMatch>>,
    /// Where more would have been found.
    #[serde(deserialize_with = "shape::null_default")]
    pub truncations: BTreeMap<String, bool>,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}
