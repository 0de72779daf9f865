//! Services of a mesh: sidecars, upstreams and what they expose.

use super::content::BlockRef;
use super::free_form::free_form;
use super::gateway::gateway;
use super::policy::{all, only};
use super::resources::{logs, resources};
use super::schema::{Schema, many, one};
use super::task::identity;
use super::volume::volume_mount;
use crate::eval::{Scope, Session};
use caravan_model::api::{
    ApiConnect, ApiConnectProxy, ApiExposeConfig, ApiSidecarService, ApiSidecarTask,
    ApiTransparentProxy, ApiUpstream,
};
use caravan_model::{ExposePath, MeshGateway};

const CONNECT: Schema = Schema {
    attributes: &["native"],
    blocks: &[one("sidecar_service"), one("sidecar_task"), one("gateway")],
};

const SIDECAR_SERVICE: Schema = Schema {
    attributes: &["tags", "port", "disable_default_tcp_check", "meta"],
    blocks: &[one("proxy"), one("meta")],
};

const PROXY: Schema = Schema {
    attributes: &["local_service_address", "local_service_port"],
    blocks: &[
        many("upstreams"),
        one("expose"),
        one("transparent_proxy"),
        one("config"),
    ],
};

const UPSTREAMS: Schema = Schema {
    attributes: &[
        "destination_name",
        "destination_namespace",
        "destination_peer",
        "destination_partition",
        "destination_type",
        "local_bind_port",
        "local_bind_address",
        "local_bind_socket_path",
        "local_bind_socket_mode",
        "datacenter",
    ],
    blocks: &[one("mesh_gateway"), one("config")],
};

const MESH_GATEWAY: Schema = Schema {
    attributes: &["mode"],
    blocks: &[],
};

const EXPOSE: Schema = Schema {
    attributes: &[],
    blocks: &[many("path")],
};

const PATH: Schema = Schema {
    attributes: &["path", "protocol", "local_path_port", "listener_port"],
    blocks: &[],
};

const TRANSPARENT_PROXY: Schema = Schema {
    attributes: &[
        "uid",
        "outbound_port",
        "exclude_inbound_ports",
        "exclude_outbound_ports",
        "exclude_outbound_cidrs",
        "exclude_uids",
        "no_dns",
    ],
    blocks: &[],
};

const SIDECAR_TASK: Schema = Schema {
    attributes: &[
        "name",
        "driver",
        "user",
        "env",
        "meta",
        "kill_timeout",
        "shutdown_delay",
        "kill_signal",
    ],
    blocks: &[
        one("config"),
        one("env"),
        one("meta"),
        one("resources"),
        one("logs"),
        many("volume_mount"),
        many("identity"),
    ],
};

pub(super) fn connect(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiConnect {
    let body = block.content(cx, scope, &CONNECT);
    ApiConnect {
        gateway: only(cx, &body, "gateway", gateway),
        native: body.plain_bool(cx, "native"),
        sidecar_service: only(cx, &body, "sidecar_service", sidecar_service),
        sidecar_task: only(cx, &body, "sidecar_task", sidecar_task),
    }
}

fn sidecar_service(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiSidecarService {
    let body = block.content(cx, scope, &SIDECAR_SERVICE);
    ApiSidecarService {
        disable_default_tcp_check: body.plain_bool(cx, "disable_default_tcp_check"),
        meta: body.text_map(cx, "meta"),
        port: body.plain_text(cx, "port"),
        proxy: only(cx, &body, "proxy", proxy),
        tags: body.texts(cx, "tags"),
    }
}

fn proxy(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiConnectProxy {
    let body = block.content(cx, scope, &PROXY);
    ApiConnectProxy {
        config: only(cx, &body, "config", free_form),
        expose: only(cx, &body, "expose", expose),
        expose_config: None,
        local_service_address: body.plain_text(cx, "local_service_address"),
        local_service_port: body.plain_int(cx, "local_service_port"),
        transparent_proxy: only(cx, &body, "transparent_proxy", transparent_proxy),
        upstreams: all(cx, &body, "upstreams", upstream),
    }
}

fn expose(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiExposeConfig {
    let body = block.content(cx, scope, &EXPOSE);
    ApiExposeConfig {
        path: None,
        paths: all(cx, &body, "path", path),
    }
}

fn path(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ExposePath {
    let body = block.content(cx, scope, &PATH);
    ExposePath {
        path: body.plain_text(cx, "path"),
        protocol: body.plain_text(cx, "protocol"),
        local_path_port: body.plain_int(cx, "local_path_port"),
        listener_port: body.plain_text(cx, "listener_port"),
    }
}

fn transparent_proxy(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiTransparentProxy {
    let body = block.content(cx, scope, &TRANSPARENT_PROXY);
    ApiTransparentProxy {
        exclude_inbound_ports: body.texts(cx, "exclude_inbound_ports"),
        exclude_outbound_cidrs: body.texts(cx, "exclude_outbound_cidrs"),
        exclude_outbound_ports: body.counts(cx, "exclude_outbound_ports"),
        exclude_uids: body.texts(cx, "exclude_uids"),
        no_dns: body.plain_bool(cx, "no_dns"),
        outbound_port: body.count(cx, "outbound_port").unwrap_or_default(),
        uid: body.plain_text(cx, "uid"),
    }
}

fn upstream(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiUpstream {
    let body = block.content(cx, scope, &UPSTREAMS);
    ApiUpstream {
        config: only(cx, &body, "config", free_form),
        datacenter: body.plain_text(cx, "datacenter"),
        destination_name: body.plain_text(cx, "destination_name"),
        destination_namespace: body.plain_text(cx, "destination_namespace"),
        destination_partition: body.plain_text(cx, "destination_partition"),
        destination_peer: body.plain_text(cx, "destination_peer"),
        destination_type: body.plain_text(cx, "destination_type"),
        local_bind_address: body.plain_text(cx, "local_bind_address"),
        local_bind_port: body.plain_int(cx, "local_bind_port"),
        local_bind_socket_mode: body.plain_text(cx, "local_bind_socket_mode"),
        local_bind_socket_path: body.plain_text(cx, "local_bind_socket_path"),
        mesh_gateway: only(cx, &body, "mesh_gateway", mesh_gateway),
    }
}

fn mesh_gateway(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> MeshGateway {
    let body = block.content(cx, scope, &MESH_GATEWAY);
    MeshGateway {
        mode: body.plain_text(cx, "mode"),
    }
}

fn sidecar_task(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiSidecarTask {
    let body = block.content(cx, scope, &SIDECAR_TASK);
    ApiSidecarTask {
        config: only(cx, &body, "config", free_form),
        driver: body.plain_text(cx, "driver"),
        env: body.text_map(cx, "env"),
        identities: all(cx, &body, "identity", identity),
        kill_signal: body.plain_text(cx, "kill_signal"),
        kill_timeout: body.duration(cx, "kill_timeout"),
        log_config: only(cx, &body, "logs", logs),
        meta: body.text_map(cx, "meta"),
        name: body.plain_text(cx, "name"),
        resources: only(cx, &body, "resources", resources),
        shutdown_delay: body.duration(cx, "shutdown_delay"),
        user: body.plain_text(cx, "user"),
        volume_mounts: all(cx, &body, "volume_mount", volume_mount),
    }
}
