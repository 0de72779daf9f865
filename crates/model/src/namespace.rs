//! Namespaces: separate sets of jobs, allocations, variables and volumes.

use crate::id::NamespaceName;
use crate::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A separate set of jobs and what belongs to them.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name.
    pub name: NamespaceName,
    /// What it is for.
    pub description: String,
    /// Its quota; kept, without effect.
    pub quota: String,
    /// What its jobs may use.
    pub capabilities: Option<NamespaceCapabilities>,
    /// The node pools its jobs may use.
    pub node_pool_configuration: Option<NamespaceChoice>,
    /// The Vault clusters its jobs may use.
    pub vault_configuration: Option<NamespaceChoice>,
    /// The Consul clusters its jobs may use.
    pub consul_configuration: Option<NamespaceChoice>,
    /// Metadata.
    #[serde(with = "shape::nullable")]
    pub meta: BTreeMap<String, String>,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// Claims that identities must have.
    #[serde(with = "shape::nullable")]
    pub required_extra_claims: BTreeMap<String, String>,
    /// Claims that identities may have.
    #[serde(with = "shape::nullable")]
    pub optional_extra_claims: BTreeMap<String, String>,
}

impl Namespace {
    /// Description of the namespace that always exists.
    pub const DEFAULT_DESCRIPTION: &'static str = "Default shared namespace";
}

/// What jobs of a namespace may use; disabled wins over enabled, and nothing enabled means everything.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NamespaceCapabilities {
    /// Drivers that may be used.
    #[serde(with = "shape::nullable")]
    pub enabled_task_drivers: Vec<String>,
    /// Drivers that may not.
    #[serde(with = "shape::nullable")]
    pub disabled_task_drivers: Vec<String>,
    /// Network modes that may be used.
    #[serde(with = "shape::nullable")]
    pub enabled_network_modes: Vec<String>,
    /// Network modes that may not.
    #[serde(with = "shape::nullable")]
    pub disabled_network_modes: Vec<String>,
}

/// What is used when none is named, and what may be named.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NamespaceChoice {
    /// Used when none is named.
    pub default: String,
    /// Patterns of what may be named.
    #[serde(with = "shape::nullable")]
    pub allowed: Vec<String>,
    /// Patterns of what may not.
    #[serde(with = "shape::nullable")]
    pub denied: Vec<String>,
}
