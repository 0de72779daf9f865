//! The agent that is asked: its configuration, members, logs and keys.

use caravan_acl::{Access, CoarseRule};

use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const ANY: Methods = Methods::ANY;
const WRITE: Methods = Methods::WRITE;
const READ: Access = Access::Agent(CoarseRule::Read);
const CHANGE: Access = Access::Agent(CoarseRule::Write);

pub(super) const ROUTES: &[Route] = &[
    route(GET, "/v1/agent/self", Op::AgentSelf, READ, Local).scope_only(),
    route(
        GET,
        "/v1/agent/members",
        Op::AgentMembers,
        Access::Node(CoarseRule::Read),
        Local,
    )
    .scope_only(),
    route(GET, "/v1/agent/servers", Op::AgentServersRead, READ, Local).scope_only(),
    route(
        WRITE,
        "/v1/agent/servers",
        Op::AgentServersUpdate,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        GET,
        "/v1/agent/health",
        Op::AgentHealth,
        Access::Anonymous,
        Local,
    )
    .scope_only(),
    route(GET, "/v1/agent/host", Op::AgentHost, READ, AgentTarget).scope_only(),
    route(
        WRITE,
        "/v1/agent/join",
        Op::AgentJoin,
        Access::AnyToken,
        Local,
    )
    .scope_only(),
    route(
        WRITE,
        "/v1/agent/force-leave",
        Op::AgentForceLeave,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(WRITE, "/v1/agent/reload", Op::AgentReload, CHANGE, Local).scope_only(),
    route(
        GET,
        "/v1/agent/schedulers",
        Op::AgentSchedulers,
        READ,
        Local,
    )
    .scope_only(),
    route(
        GET,
        "/v1/agent/schedulers/config",
        Op::AgentSchedulersConfigRead,
        READ,
        Local,
    )
    .scope_only(),
    route(
        WRITE,
        "/v1/agent/schedulers/config",
        Op::AgentSchedulersConfigUpdate,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/keyring/list",
        Op::AgentKeyringList,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/keyring/install",
        Op::AgentKeyringInstall,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/keyring/use",
        Op::AgentKeyringUse,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/keyring/remove",
        Op::AgentKeyringRemove,
        CHANGE,
        Local,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/monitor",
        Op::AgentMonitor,
        READ,
        AgentTarget,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/monitor/export",
        Op::AgentMonitorExport,
        READ,
        AgentTarget,
    )
    .scope_only(),
    route(
        ANY,
        "/v1/agent/pprof/:name",
        Op::AgentPprof,
        CHANGE,
        AgentTarget,
    )
    .scope_only(),
];
