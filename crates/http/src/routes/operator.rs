//! The operator's routes: raft, autopilot, snapshots, scheduler configuration, keyring.

use caravan_acl::{Access, CoarseRule, OperatorCapability};

use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;
const READ: Access = Access::Operator(CoarseRule::Read);
const CHANGE: Access = Access::Operator(CoarseRule::Write);
const INVALID: &str = "Invalid method";

pub(super) const ROUTES: &[Route] = &[
    route(
        GET,
        "/v1/operator/raft/configuration",
        Op::RaftConfiguration,
        Access::Management,
        AnyServer,
    )
    .wrong_method(405, ""),
    route(
        DELETE,
        "/v1/operator/raft/peer",
        Op::RaftPeerRemove,
        Access::Management,
        Leader,
    )
    .wrong_method(404, INVALID),
    route(
        WRITE,
        "/v1/operator/raft/transfer-leadership",
        Op::RaftTransferLeadership,
        Access::Management,
        Leader,
    ),
    route(
        GET,
        "/v1/operator/autopilot/configuration",
        Op::AutopilotConfigurationRead,
        READ,
        AnyServer,
    )
    .wrong_method(404, INVALID),
    route(
        WRITE,
        "/v1/operator/autopilot/configuration",
        Op::AutopilotConfigurationUpdate,
        CHANGE,
        Leader,
    ),
    route(
        GET,
        "/v1/operator/autopilot/health",
        Op::AutopilotHealth,
        READ,
        Leader,
    )
    .wrong_method(404, INVALID),
    route(
        GET,
        "/v1/operator/snapshot",
        Op::StateSnapshotSave,
        Access::OperatorCapability(OperatorCapability::SnapshotSave),
        AnyServer,
    ),
    route(
        WRITE,
        "/v1/operator/snapshot",
        Op::StateSnapshotRestore,
        Access::Management,
        Leader,
    )
    .large_body(),
    route(
        GET,
        "/v1/operator/scheduler/configuration",
        Op::SchedulerConfigurationRead,
        READ,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/operator/scheduler/configuration",
        Op::SchedulerConfigurationUpdate,
        CHANGE,
        Leader,
    ),
    route(
        GET,
        "/v1/operator/keyring/keys",
        Op::KeyringList,
        Access::OperatorCapability(OperatorCapability::KeyringRead),
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/operator/keyring/rotate",
        Op::KeyringRotate,
        Access::OperatorCapability(OperatorCapability::KeyringRotate),
        Leader,
    ),
    route(
        DELETE,
        "/v1/operator/keyring/key/:id",
        Op::KeyringDelete,
        Access::OperatorCapability(OperatorCapability::KeyringDelete),
        Leader,
    ),
    route(
        GET,
        "/v1/operator/upgrade-check/:check",
        Op::UpgradeCheck,
        READ,
        AnyServer,
    ),
    route(
        GET,
        "/v1/operator/license",
        Op::LicenseRead,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
];
