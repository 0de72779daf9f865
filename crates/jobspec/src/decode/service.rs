//! Services and their checks.

use super::connect::connect;
use super::content::BlockRef;
use super::free_form::attributes;
use super::policy::{all, only};
use super::schema::{Schema, many, one};
use super::task::identity;
use super::values::texts;
use crate::eval::{Scope, Session};
use caravan_model::ServiceWeights;
use caravan_model::api::{ApiCheckRestart, ApiService, ApiServiceCheck};
use std::collections::BTreeMap;

const SERVICE: Schema = Schema {
    attributes: &[
        "name",
        "tags",
        "canary_tags",
        "enable_tag_override",
        "port",
        "address_mode",
        "address",
        "meta",
        "canary_meta",
        "tagged_addresses",
        "task",
        "on_update",
        "provider",
        "cluster",
        "kind",
    ],
    blocks: &[
        one("meta"),
        one("canary_meta"),
        one("tagged_addresses"),
        many("check"),
        one("check_restart"),
        one("connect"),
        one("identity"),
        one("weights"),
    ],
};

const CHECK: Schema = Schema {
    attributes: &[
        "name",
        "type",
        "command",
        "args",
        "path",
        "protocol",
        "port",
        "address_mode",
        "advertise",
        "interval",
        "timeout",
        "initial_status",
        "tls_server_name",
        "tls_skip_verify",
        "method",
        "grpc_service",
        "grpc_use_tls",
        "task",
        "success_before_passing",
        "failures_before_critical",
        "failures_before_warning",
        "body",
        "on_update",
        "expose",
        "notes",
    ],
    blocks: &[one("header"), one("check_restart")],
};

const CHECK_RESTART: Schema = Schema {
    attributes: &["limit", "grace", "ignore_warnings"],
    blocks: &[],
};

const WEIGHTS: Schema = Schema {
    attributes: &["passing", "warning"],
    blocks: &[],
};

pub(super) fn service(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiService {
    let body = block.content(cx, scope, &SERVICE);
    ApiService {
        address: body.plain_text(cx, "address"),
        address_mode: body.plain_text(cx, "address_mode"),
        canary_meta: body.text_map(cx, "canary_meta"),
        canary_tags: body.texts(cx, "canary_tags"),
        check_restart: only(cx, &body, "check_restart", check_restart),
        checks: all(cx, &body, "check", check),
        cluster: body.plain_text(cx, "cluster"),
        connect: only(cx, &body, "connect", connect),
        enable_tag_override: body.plain_bool(cx, "enable_tag_override"),
        identity: only(cx, &body, "identity", identity),
        kind: body.plain_text(cx, "kind"),
        meta: body.text_map(cx, "meta"),
        name: body.plain_text(cx, "name"),
        on_update: body.plain_text(cx, "on_update"),
        port_label: body.plain_text(cx, "port"),
        provider: body.plain_text(cx, "provider"),
        tagged_addresses: body.text_map(cx, "tagged_addresses"),
        tags: body.texts(cx, "tags"),
        task_name: body.plain_text(cx, "task"),
        weights: only(cx, &body, "weights", weights),
    }
}

fn weights(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ServiceWeights {
    let body = block.content(cx, scope, &WEIGHTS);
    ServiceWeights {
        passing: body.plain_int(cx, "passing"),
        warning: body.plain_int(cx, "warning"),
    }
}

fn check_restart(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiCheckRestart {
    let body = block.content(cx, scope, &CHECK_RESTART);
    ApiCheckRestart {
        grace: body.duration(cx, "grace"),
        ignore_warnings: body.plain_bool(cx, "ignore_warnings"),
        limit: body.plain_int(cx, "limit"),
    }
}

fn check(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiServiceCheck {
    let body = block.content(cx, scope, &CHECK);
    ApiServiceCheck {
        address_mode: body.plain_text(cx, "address_mode"),
        advertise: body.plain_text(cx, "advertise"),
        args: body.texts(cx, "args"),
        body: body.plain_text(cx, "body"),
        check_restart: only(cx, &body, "check_restart", check_restart),
        command: body.plain_text(cx, "command"),
        expose: body.plain_bool(cx, "expose"),
        failures_before_critical: body.plain_int(cx, "failures_before_critical"),
        failures_before_warning: body.plain_int(cx, "failures_before_warning"),
        grpc_service: body.plain_text(cx, "grpc_service"),
        grpc_use_tls: body.plain_bool(cx, "grpc_use_tls"),
        header: only(cx, &body, "header", header),
        initial_status: body.plain_text(cx, "initial_status"),
        interval: body.duration(cx, "interval").unwrap_or_default(),
        method: body.plain_text(cx, "method"),
        name: body.plain_text(cx, "name"),
        notes: body.plain_text(cx, "notes"),
        on_update: body.plain_text(cx, "on_update"),
        path: body.plain_text(cx, "path"),
        port_label: body.plain_text(cx, "port"),
        protocol: body.plain_text(cx, "protocol"),
        success_before_passing: body.plain_int(cx, "success_before_passing"),
        tls_server_name: body.plain_text(cx, "tls_server_name"),
        tls_skip_verify: body.plain_bool(cx, "tls_skip_verify"),
        task_name: body.plain_text(cx, "task"),
        timeout: body.duration(cx, "timeout").unwrap_or_default(),
        r#type: body.plain_text(cx, "type"),
    }
}

fn header(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> BTreeMap<String, Vec<String>> {
    let scope = block.scope.as_ref().unwrap_or(scope).clone();
    let mut out = BTreeMap::new();
    for attribute in attributes(cx, block.body) {
        if let Some(values) = texts(cx, &scope, attribute.expr) {
            out.insert(attribute.name.text.to_string(), values);
        }
    }
    out
}
