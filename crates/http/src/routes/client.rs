//! What a client node answers: its numbers, its allocations, their files, logs and shells.

use caravan_acl::{Access, CoarseRule, NamespaceCapability::*};

use super::ns;
use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const ANY: Methods = Methods::ANY;
const WRITE: Methods = Methods::WRITE;
const NODE_READ: Access = Access::Node(CoarseRule::Read);
const NODE_WRITE: Access = Access::Node(CoarseRule::Write);
const FS: Access = ns(&[ReadFs]);
const NO_ALLOC: &str = "must provide a valid alloc id";

pub(super) const ROUTES: &[Route] = &[
    route(
        ANY,
        "/v1/client/stats",
        Op::ClientStats,
        NODE_READ,
        ClientNode,
    )
    .scope_only()
    .cors(),
    route(ANY, "/v1/client/gc", Op::ClientGc, NODE_WRITE, ClientNode).scope_only(),
    route(
        GET,
        "/v1/client/metadata",
        Op::ClientMetadataRead,
        NODE_READ,
        ClientNode,
    )
    .scope_only()
    .cors(),
    route(
        Methods::POST,
        "/v1/client/metadata",
        Op::ClientMetadataApply,
        NODE_WRITE,
        ClientNode,
    )
    .scope_only()
    .cors(),
    route(
        GET,
        "/v1/client/identity",
        Op::ClientIdentityRead,
        NODE_READ,
        ClientNode,
    )
    .scope_only()
    .cors(),
    route(
        WRITE,
        "/v1/client/identity/renew",
        Op::ClientIdentityRenew,
        NODE_WRITE,
        ClientNode,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/allocation/:id/stats",
        Op::ClientAllocStats,
        ns(&[ReadJob]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/allocation/:id/checks",
        Op::ClientAllocChecks,
        ns(&[ReadJob]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/allocation/:id/restart",
        Op::ClientAllocRestart,
        ns(&[AllocLifecycle]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        WRITE,
        "/v1/client/allocation/:id/signal",
        Op::ClientAllocSignal,
        ns(&[AllocLifecycle]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        GET,
        "/v1/client/allocation/:id/pause",
        Op::ClientAllocPauseRead,
        ns(&[ReadJob]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        WRITE,
        "/v1/client/allocation/:id/pause",
        Op::ClientAllocPause,
        ns(&[SubmitJob, PauseAllocation]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/allocation/:id/gc",
        Op::ClientAllocGc,
        ns(&[SubmitJob, GcAllocation]),
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/allocation/:id/snapshot",
        Op::ClientAllocSnapshot,
        Access::OwnSecret,
        Local,
    )
    .scope_only()
    .cors(),
    route(
        GET,
        "/v1/client/allocation/:id/exec",
        Op::ClientAllocExec,
        ns(&[AllocExec]),
        ClientAlloc,
    )
    .scope_only()
    .websocket(),
    route(
        ANY,
        "/v1/client/fs/ls/:id",
        Op::ClientFsList,
        FS,
        ClientAlloc,
    )
    .scope_only()
    .cors()
    .empty_name(NO_ALLOC),
    route(
        ANY,
        "/v1/client/fs/stat/:id",
        Op::ClientFsStat,
        FS,
        ClientAlloc,
    )
    .scope_only()
    .cors()
    .empty_name(NO_ALLOC),
    route(
        ANY,
        "/v1/client/fs/cat/:id",
        Op::ClientFsCat,
        FS,
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/fs/readat/:id",
        Op::ClientFsReadAt,
        FS,
        ClientAlloc,
    )
    .scope_only()
    .cors(),
    route(
        ANY,
        "/v1/client/fs/stream/:id",
        Op::ClientFsStream,
        FS,
        ClientAlloc,
    )
    .scope_only()
    .cors()
    .empty_name(NO_ALLOC),
    route(
        ANY,
        "/v1/client/fs/logs/:id",
        Op::ClientFsLogs,
        ns(&[ReadLogs, ReadFs]),
        ClientAlloc,
    )
    .scope_only()
    .cors()
    .empty_name(NO_ALLOC),
];
