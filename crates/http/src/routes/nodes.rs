//! Nodes, node pools, namespaces, variables.

use caravan_acl::{Access, CoarseRule, NodePoolCapability, VariableCapability};

use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;
const NODE_READ: Access = Access::Node(CoarseRule::Read);
const NODE_WRITE: Access = Access::Node(CoarseRule::Write);
const POOL_READ: Access = Access::NodePool(NodePoolCapability::Read);
const POOL_WRITE: Access = Access::NodePool(NodePoolCapability::Write);
const POOL_DELETE: Access = Access::NodePool(NodePoolCapability::Delete);
const POOL_NODES: Access = Access::All(&[POOL_READ, NODE_READ]);
/// Whose jobs are shown is asked job by job.
const POOL_JOBS: Access = POOL_READ;

pub(super) const ROUTES: &[Route] = &[
    route(GET, "/v1/nodes", Op::NodeList, NODE_READ, AnyServer).blocking(),
    route(GET, "/v1/node/*id", Op::NodeRead, NODE_READ, AnyServer).blocking(),
    route(
        GET,
        "/v1/node/*id/allocations",
        Op::NodeAllocations,
        NODE_READ,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/node/*id/evaluate",
        Op::NodeEvaluate,
        NODE_WRITE,
        Leader,
    ),
    route(
        WRITE,
        "/v1/node/*id/eligibility",
        Op::NodeEligibility,
        NODE_WRITE,
        Leader,
    ),
    route(
        WRITE,
        "/v1/node/*id/drain",
        Op::NodeDrain,
        NODE_WRITE,
        Leader,
    ),
    route(
        WRITE,
        "/v1/node/*id/purge",
        Op::NodePurge,
        NODE_WRITE,
        Leader,
    ),
    // Node pools.
    route(
        GET,
        "/v1/node/pools",
        Op::NodePoolList,
        Access::Filtered,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/node/pools",
        Op::NodePoolUpsert,
        POOL_WRITE,
        Leader,
    ),
    route(
        GET,
        "/v1/node/pool/*name",
        Op::NodePoolRead,
        POOL_READ,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/node/pool/*name",
        Op::NodePoolUpsert,
        POOL_WRITE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/node/pool/*name",
        Op::NodePoolDelete,
        POOL_DELETE,
        Leader,
    ),
    route(
        GET,
        "/v1/node/pool/*name/nodes",
        Op::NodePoolNodes,
        POOL_NODES,
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/node/pool/*name/jobs",
        Op::NodePoolJobs,
        POOL_JOBS,
        AnyServer,
    )
    .blocking(),
    // Namespaces.
    route(
        GET,
        "/v1/namespaces",
        Op::NamespaceList,
        Access::Filtered,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/namespace",
        Op::NamespaceUpsert,
        Access::Management,
        Leader,
    ),
    route(
        GET,
        "/v1/namespace/*name",
        Op::NamespaceRead,
        Access::AnyNamespaceRule,
        AnyServer,
    )
    .blocking()
    .empty_name("Missing Namespace Name"),
    route(
        WRITE,
        "/v1/namespace/*name",
        Op::NamespaceUpsert,
        Access::Management,
        Leader,
    )
    .empty_name("Missing Namespace Name"),
    route(
        DELETE,
        "/v1/namespace/*name",
        Op::NamespaceDelete,
        Access::Management,
        Leader,
    )
    .empty_name("Missing Namespace Name"),
    // Variables.
    route(
        GET,
        "/v1/vars",
        Op::VariableList,
        Access::Filtered,
        AnyServer,
    )
    .blocking()
    .cors(),
    route(
        GET,
        "/v1/var/*path",
        Op::VariableRead,
        Access::Variable(VariableCapability::Read),
        AnyServer,
    )
    .blocking()
    .cors()
    .empty_name("missing variable path")
    .wrong_method(400, "Invalid method"),
    route(
        WRITE,
        "/v1/var/*path",
        Op::VariableWrite,
        Access::Variable(VariableCapability::Write),
        Leader,
    )
    .cors()
    .empty_name("missing variable path"),
    route(
        DELETE,
        "/v1/var/*path",
        Op::VariableDelete,
        Access::Variable(VariableCapability::Destroy),
        Leader,
    )
    .cors()
    .empty_name("missing variable path"),
];
