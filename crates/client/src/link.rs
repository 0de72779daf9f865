//! The port to the servers: everything a node ever asks of them, and the implementation over connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caravan_http::ByteStream;
use caravan_model::{
    AllocId, Allocation, Eligibility, NamespaceName, Node, NodeEvent, NodeId, NodeStatus,
    ServiceRegistration, Variable, VariableMetadata,
};
use serde::{Deserialize, Serialize};

mod packed;
mod rpc;

pub use packed::Allocations;
pub use rpc::{RpcLink, path};

/// Why the servers did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// They do not know the node: it must register.
    #[error("node not found")]
    NodeNotFound,
    /// No server can be reached, or none leads now: try again later.
    #[error("{0}")]
    Unavailable(String),
    /// They said no; the same request will be refused again.
    #[error("{0}")]
    Refused(String),
}

impl LinkError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What a node asks of the servers.
#[async_trait]
pub trait ServerLink: Send + Sync + 'static {
    /// Makes the node known, or takes in what changed about it.
    async fn register(&self, node: Node) -> Result<Beat, LinkError>;

    /// Says that the node is alive and how it stands.
    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError>;

    /// The allocations of the node that servers changed after `min_index`; waits up to `wait` for one.
    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError>;

    /// Tells how allocations stand. Only the members that a client decides are read.
    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError>;

    /// Announces and withdraws instances of services.
    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError>;

    /// Adds to the events of the node.
    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError>;

    /// Reads something of the cluster on behalf of an allocation.
    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError>;

    /// The data of the allocation before one of this node's, as an archive, from wherever that was.
    async fn data(&self, _request: DataOf) -> Result<ByteStream, LinkError> {
        Err(LinkError::Refused("no other node can be reached".into()))
    }
}

/// Who asks. The secret proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub node_id: NodeId,
    pub secret_id: String,
}

/// The answer to a registration and to a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beat {
    /// The next heartbeat must come within this.
    pub heartbeat_ttl: Duration,
    /// Addresses of the servers; empty: keep what is known.
    pub servers: Vec<String>,
    /// Whether new allocations may come; `None`: keep what is known.
    pub eligibility: Option<Eligibility>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    pub caller: Caller,
    pub status: NodeStatus,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pull {
    pub caller: Caller,
    /// [`Pulled::index`] of the last answer; 0 asks for everything at once.
    pub min_index: u64,
    pub wait: Duration,
}

/// What changed. An answer whose `index` is not above the one asked for says that the wait is over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulled {
    pub index: u64,
    /// Those whose `alloc_modify_index` is above `min_index`, with their jobs.
    pub changed: Allocations,
    /// Every allocation of the node that still exists; `None` when none was forgotten since `min_index`.
    /// Always given when `min_index` is 0.
    pub present: Option<Vec<AllocId>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllocUpdate {
    pub caller: Caller,
    /// Only `id`, `node_id`, `namespace`, `job_id`, `client_status`, `client_description`, `task_states`, `deployment_status`,
    /// `network_status` and `modify_time` are set.
    pub allocs: Vec<Allocation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceUpdate {
    pub caller: Caller,
    pub upsert: Vec<ServiceRegistration>,
    /// Namespace and registration id.
    pub delete: Vec<(NamespaceName, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeEvents {
    pub caller: Caller,
    pub events: Vec<NodeEvent>,
}

/// Asks for the data that an allocation takes over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataOf {
    pub caller: Caller,
    /// The allocation that takes it over.
    pub alloc: AllocId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lookup {
    pub caller: Caller,
    pub what: What,
}

/// What can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Another allocation, whose end or data this one waits for; its job is left out.
    Alloc(AllocId),
    /// The instances of a service.
    Service {
        namespace: NamespaceName,
        name: String,
    },
    /// The services of a namespace and their tags.
    ServiceTags { namespace: NamespaceName },
    /// A variable that the task of an allocation may read: its path, and `@namespace` where that is another one.
    Variable {
        alloc: AllocId,
        task: String,
        path: String,
    },
    /// Variables below such a path that the task of an allocation may read.
    Variables {
        alloc: AllocId,
        task: String,
        prefix: String,
    },
    /// Signed identities of an allocation's tasks and services.
    Identities {
        alloc: AllocId,
        wanted: Vec<WantedIdentity>,
    },
    /// The signed identity of the node itself.
    NodeIdentity,
}

/// Has the servers sign identities of an allocation: as many as are wanted, in their order.
pub(crate) async fn sign(
    link: &dyn ServerLink,
    caller: Caller,
    alloc: AllocId,
    wanted: Vec<WantedIdentity>,
) -> Result<Vec<SignedIdentity>, LinkError> {
    let count = wanted.len();
    let what = What::Identities { alloc, wanted };
    match link.lookup(Lookup { caller, what }).await? {
        Found::Identities(signed) if signed.len() == count => Ok(signed),
        _ => Err(LinkError::Unavailable(
            "the servers sign no identities".into(),
        )),
    }
}

/// An identity to sign: `workload` is a task or service, `identity` the name of its `identity` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedIdentity {
    pub workload: String,
    pub is_service: bool,
    pub identity: String,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Found {
    Alloc(Option<Arc<Allocation>>),
    Services(Vec<Arc<ServiceRegistration>>),
    ServiceTags(BTreeMap<String, BTreeSet<String>>),
    /// Decrypted.
    Variable(Option<Box<Variable>>),
    Variables(Vec<VariableMetadata>),
    Identities(Vec<SignedIdentity>),
    NodeIdentity {
        token: String,
        /// Nanoseconds since 1970.
        expires: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIdentity {
    pub wanted: WantedIdentity,
    pub token: String,
    /// Nanoseconds since 1970; 0: does not expire.
    pub expires: i64,
}
