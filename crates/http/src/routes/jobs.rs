//! Jobs, allocations, evaluations, deployments.

use caravan_acl::{Access, NamespaceCapability::*};

use super::ns;
use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;

pub(super) const ROUTES: &[Route] = &[
    route(GET, "/v1/jobs", Op::JobList, ns(&[ListJobs]), AnyServer).blocking(),
    route(
        WRITE,
        "/v1/jobs",
        Op::JobRegister,
        ns(&[SubmitJob, RegisterJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/jobs/parse",
        Op::JobsParse,
        ns(&[ParseJob, SubmitJob]),
        Local,
    )
    .scope_only(),
    route(
        GET.or(Methods::POST),
        "/v1/jobs/statuses",
        Op::JobStatuses,
        ns(&[ListJobs]),
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/validate/job",
        Op::JobValidate,
        ns(&[ReadJob]),
        AnyServer,
    )
    .scope_only(),
    route(GET, "/v1/job/*id", Op::JobRead, ns(&[ReadJob]), AnyServer).blocking(),
    route(
        WRITE,
        "/v1/job/*id",
        Op::JobRegister,
        ns(&[SubmitJob, RegisterJob]),
        Leader,
    ),
    route(
        DELETE,
        "/v1/job/*id",
        Op::JobDeregister,
        ns(&[SubmitJob, DeregisterJob, PurgeJob]),
        Leader,
    ),
    route(
        GET,
        "/v1/job/*id/allocations",
        Op::JobAllocations,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/evaluations",
        Op::JobEvaluations,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/deployments",
        Op::JobDeployments,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/deployment",
        Op::JobLatestDeployment,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        Methods::ANY,
        "/v1/job/*id/summary",
        Op::JobSummary,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        Methods::ANY,
        "/v1/job/*id/versions",
        Op::JobVersions,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/services",
        Op::JobServices,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/submission",
        Op::JobSubmission,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/job/*id/actions",
        Op::JobActions,
        ns(&[ReadJob]),
        AnyServer,
    ),
    route(
        GET,
        "/v1/job/*id/action",
        Op::JobActionRun,
        ns(&[AllocExec]),
        AnyServer,
    )
    .scope_only()
    .websocket(),
    route(
        GET,
        "/v1/job/*id/scale",
        Op::JobScaleStatus,
        ns(&[ReadJob, ReadJobScaling]),
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/job/*id/scale",
        Op::JobScale,
        ns(&[ScaleJob, SubmitJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/plan",
        Op::JobPlan,
        ns(&[SubmitJob, PlanJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/evaluate",
        Op::JobEvaluate,
        ns(&[SubmitJob, EvaluateJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/dispatch",
        Op::JobDispatch,
        ns(&[DispatchJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/dispatch/payload",
        Op::JobDispatchPayload,
        ns(&[DispatchJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/periodic/force",
        Op::JobPeriodicForce,
        ns(&[DispatchJob, SubmitJob, ForcePeriodicJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/revert",
        Op::JobRevert,
        ns(&[SubmitJob, RevertJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/*id/stable",
        Op::JobStable,
        ns(&[SubmitJob, StableJob]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/job/:id/versions/:name/tag",
        Op::JobVersionTag,
        ns(&[SubmitJob, TagJobVersion]),
        Leader,
    ),
    route(
        DELETE,
        "/v1/job/:id/versions/:name/tag",
        Op::JobVersionUntag,
        ns(&[SubmitJob, TagJobVersion]),
        Leader,
    ),
    // Allocations.
    route(
        GET,
        "/v1/allocations",
        Op::AllocationList,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/allocation/:id",
        Op::AllocationRead,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/allocation/:id/services",
        Op::AllocationServices,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        Methods::ANY,
        "/v1/allocation/:id/checks",
        Op::ClientAllocChecks,
        ns(&[ReadJob]),
        ClientAlloc,
    )
    .scope_only(),
    route(
        WRITE,
        "/v1/allocation/:id/stop",
        Op::AllocationStop,
        ns(&[AllocLifecycle]),
        Leader,
    ),
    // Evaluations.
    route(
        GET,
        "/v1/evaluations",
        Op::EvaluationList,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        DELETE,
        "/v1/evaluations",
        Op::EvaluationDelete,
        Access::Management,
        Leader,
    ),
    route(
        GET,
        "/v1/evaluations/count",
        Op::EvaluationCount,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/evaluation/*id",
        Op::EvaluationRead,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/evaluation/*id/allocations",
        Op::EvaluationAllocations,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    // Deployments.
    route(
        GET,
        "/v1/deployments",
        Op::DeploymentList,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/deployment/*id",
        Op::DeploymentRead,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/deployment/allocations/*id",
        Op::DeploymentAllocations,
        ns(&[ReadJob]),
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/deployment/fail/*id",
        Op::DeploymentFail,
        ns(&[SubmitJob, FailDeployment]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/deployment/pause/*id",
        Op::DeploymentPause,
        ns(&[SubmitJob, PauseDeployment]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/deployment/promote/*id",
        Op::DeploymentPromote,
        ns(&[SubmitJob, PromoteDeployment]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/deployment/unblock/*id",
        Op::DeploymentUnblock,
        ns(&[SubmitJob, UnblockDeployment]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/deployment/allocation-health/*id",
        Op::DeploymentAllocationHealth,
        ns(&[SubmitJob, SetAllocHealthDeployment]),
        Leader,
    ),
];
