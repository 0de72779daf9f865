//! What an identity says (server sheet §12).

use caravan_model::{Allocation, Node, UnixNanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The audience of identities that name none.
pub(crate) const DEFAULT_AUDIENCE: &str = "nomadproject.io";

/// One audience, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One, as a text.
    One(String),
    /// Several, as a list.
    Many(Vec<String>),
}

/// The claims of a workload's identity. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Whom it is about: `<region>:<namespace>:<job>:<group>:<task>:<identity>`.
    pub sub: String,
    /// For whom it is.
    pub aud: Audience,
    /// Issued at.
    pub iat: i64,
    /// Not valid before.
    pub nbf: i64,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// A UUID.
    pub jti: String,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The workload's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nomad_namespace: String,
    /// The workload's job; the parent's for those that were launched.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nomad_job_id: String,
    /// The allocation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nomad_allocation_id: String,
    /// The task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nomad_task: String,
    /// The service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nomad_service: String,
    /// What the namespace's operator added.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_claims: BTreeMap<String, String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            sub: String::new(),
            aud: Audience::One(DEFAULT_AUDIENCE.to_owned()),
            iat: 0,
            nbf: 0,
            exp: None,
            jti: String::new(),
            iss: None,
            nomad_namespace: String::new(),
            nomad_job_id: String::new(),
            nomad_allocation_id: String::new(),
            nomad_task: String::new(),
            nomad_service: String::new(),
            extra_claims: BTreeMap::new(),
        }
    }
}

/// The claims of a node's identity. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeClaims {
    /// `node:<region>:<pool>:<node>:default`.
    pub sub: String,
    /// For whom it is.
    pub aud: Audience,
    /// Issued at.
    pub iat: i64,
    /// Not valid before.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// A UUID.
    pub jti: String,
    /// The node.
    pub nomad_node_id: String,
    /// Its pool.
    pub nomad_node_pool: String,
    /// Its class.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nomad_node_class: String,
    /// Its datacenter.
    pub nomad_node_datacenter: String,
}

impl NodeClaims {
    /// The claims of a node's identity that lasts `seconds`.
    #[must_use]
    pub fn new(region: &str, node: &Node, jti: String, now: UnixNanos, seconds: i64) -> Self {
        let Node {
            id,
            node_pool,
            node_class,
            datacenter,
            ..
        } = node;
        Self {
            sub: format!("node:{region}:{node_pool}:{id}:default"),
            aud: Audience::One(DEFAULT_AUDIENCE.to_owned()),
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.seconds() + seconds,
            jti,
            nomad_node_id: id.to_string(),
            nomad_node_pool: node_pool.clone(),
            nomad_node_class: node_class.clone(),
            nomad_node_datacenter: datacenter.clone(),
        }
    }
}

/// Which identity of which part of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityOf<'a> {
    /// A task's.
    Task(&'a str),
    /// A service's.
    Service(&'a str),
}

impl Claims {
    /// The claims of an identity of an allocation.
    #[must_use]
    pub fn of_alloc(
        region: &str,
        alloc: &Allocation,
        of: IdentityOf<'_>,
        identity: &str,
        jti: String,
        now: UnixNanos,
    ) -> Self {
        let job = alloc.job.as_ref();
        let parent = job
            .map(|job| job.parent_id.to_string())
            .filter(|parent| !parent.is_empty());
        let job_id = parent.unwrap_or_else(|| alloc.job_id.to_string());
        let part = match of {
            IdentityOf::Task(name) | IdentityOf::Service(name) => name,
        };
        let owned = |wanted: bool| {
            if wanted {
                part.to_owned()
            } else {
                String::new()
            }
        };
        Self {
            sub: format!(
                "{region}:{}:{job_id}:{}:{part}:{identity}",
                alloc.namespace, alloc.task_group
            ),
            iat: now.seconds(),
            nbf: now.seconds(),
            jti,
            nomad_namespace: alloc.namespace.to_string(),
            nomad_job_id: job_id,
            nomad_allocation_id: alloc.id.to_string(),
            nomad_task: owned(matches!(of, IdentityOf::Task(_))),
            nomad_service: owned(matches!(of, IdentityOf::Service(_))),
            ..Self::default()
        }
    }

    /// Ends the identity so long after it was issued; zero is never.
    #[must_use]
    pub fn lasting(mut self, seconds: i64) -> Self {
        self.exp = (seconds > 0).then_some(self.iat + seconds);
        self
    }

    /// For whom it is; one alone is written as a text.
    #[must_use]
    pub fn for_audience(mut self, mut audience: Vec<String>) -> Self {
        self.aud = match (audience.pop(), audience.is_empty()) {
            (None, _) => Audience::One(DEFAULT_AUDIENCE.to_owned()),
            (Some(only), true) => Audience::One(only),
            (Some(last), false) => {
                audience.push(last);
                Audience::Many(audience)
            }
        };
        self
    }
}
