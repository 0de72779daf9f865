//! Services, scaling policies, search, status, system, events, metrics, and what this edition leaves out.

use caravan_acl::{Access, NamespaceCapability::*};

use super::ns;
use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const PUT: Methods = Methods::PUT;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;
const ANY: Methods = Methods::ANY;
/// Tasks find each other without a rule.
const READ_SERVICES: Access = Access::Any(&[ns(&[ReadJob]), Access::Workload]);
const LIST_POLICIES: Access = Access::Any(&[ns(&[ListScalingPolicies]), LIST_AND_READ]);
const READ_POLICY: Access = Access::Any(&[ns(&[ReadScalingPolicy]), LIST_AND_READ]);
const LIST_AND_READ: Access = Access::All(&[ns(&[ListJobs]), ns(&[ReadJob])]);

pub(super) const ROUTES: &[Route] = &[
    route(
        GET,
        "/v1/services",
        Op::ServiceList,
        READ_SERVICES,
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/service/:name",
        Op::ServiceRead,
        READ_SERVICES,
        AnyServer,
    )
    .blocking()
    .empty_name("missing service name"),
    route(
        DELETE,
        "/v1/service/:name/:id",
        Op::ServiceDelete,
        ns(&[SubmitJob, DeleteServiceRegistration]),
        Leader,
    ),
    route(
        GET,
        "/v1/scaling/policies",
        Op::ScalingPolicyList,
        LIST_POLICIES,
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/scaling/policy/*id",
        Op::ScalingPolicyRead,
        READ_POLICY,
        AnyServer,
    )
    .by_id()
    .blocking(),
    route(
        WRITE,
        "/v1/search",
        Op::SearchPrefix,
        Access::ByContent,
        AnyServer,
    ),
    route(
        WRITE,
        "/v1/search/fuzzy",
        Op::SearchFuzzy,
        Access::ByContent,
        AnyServer,
    ),
    route(
        GET,
        "/v1/event/stream",
        Op::EventStream,
        Access::ByContent,
        AnyServer,
    )
    .scope_only(),
    route(
        GET,
        "/v1/status/leader",
        Op::StatusLeader,
        Access::Anonymous,
        AnyServer,
    )
    .scope_only(),
    route(
        GET,
        "/v1/status/peers",
        Op::StatusPeers,
        Access::Anonymous,
        AnyServer,
    )
    .scope_only(),
    route(
        GET,
        "/v1/regions",
        Op::RegionList,
        Access::Anonymous,
        AnyServer,
    )
    .scope_only(),
    route(
        PUT,
        "/v1/system/gc",
        Op::SystemGc,
        Access::Management,
        Leader,
    ),
    route(
        PUT,
        "/v1/system/reconcile/summaries",
        Op::SystemReconcileSummaries,
        Access::Management,
        Leader,
    ),
    route(GET, "/v1/metrics", Op::Metrics, Access::Anonymous, Local).scope_only(),
    route(
        GET,
        "/.well-known/jwks.json",
        Op::JwksRead,
        Access::Anonymous,
        AnyServer,
    ),
    route(
        GET,
        "/.well-known/openid-configuration",
        Op::OidcConfigurationRead,
        Access::Anonymous,
        AnyServer,
    ),
    // Not in this edition.
    route(ANY, "/v1/quotas", Op::Enterprise, Access::Anonymous, Local).scope_only(),
    route(
        ANY,
        "/v1/quota-usages",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(ANY, "/v1/quota", Op::Enterprise, Access::Anonymous, Local).scope_only(),
    route(
        ANY,
        "/v1/quota/*name",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/sentinel/*rest",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/recommendations",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/recommendations/apply",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/recommendation",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/recommendation/*id",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        WRITE,
        "/v1/operator/license",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(
        Methods::POST,
        "/v1/operator/utilization",
        Op::Enterprise,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
];
