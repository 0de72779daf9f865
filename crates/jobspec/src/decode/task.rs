//! Tasks.

use super::content::BlockRef;
use super::free_form::free_form;
use super::placement::{affinities, constraints};
use super::policy::{all, only, restart};
use super::resources::{logs, resources};
use super::scaling::task_scaling;
use super::schema::{BlockType, Schema, many, named, one};
use super::service::service;
use super::template::{artifact, template};
use super::volume::{csi_plugin, volume_mount};
use crate::eval::{Scope, Session};
use caravan_model::api::{ApiAction, ApiIdentity, ApiSecret, ApiTask, ApiVault};
use caravan_model::{Consul, DispatchPayload, Identity, Lifecycle, Schedule, ScheduleCron};

const TASK: Schema = Schema {
    attributes: &[
        "driver",
        "user",
        "leader",
        "kill_timeout",
        "kill_signal",
        "shutdown_delay",
        "kind",
        "env",
        "meta",
    ],
    blocks: &[
        named("action"),
        many("affinity"),
        many("artifact"),
        one("config"),
        many("constraint"),
        one("consul"),
        one("csi_plugin"),
        one("dispatch_payload"),
        one("env"),
        many("identity"),
        one("lifecycle"),
        one("logs"),
        one("meta"),
        one("resources"),
        one("restart"),
        BlockType {
            name: "scaling",
            labels: &["name"],
            single: false,
        },
        one("schedule"),
        named("secret"),
        many("service"),
        many("template"),
        one("vault"),
        many("volume_mount"),
    ],
};

const LIFECYCLE: Schema = Schema {
    attributes: &["hook", "sidecar"],
    blocks: &[],
};

const DISPATCH_PAYLOAD: Schema = Schema {
    attributes: &["file"],
    blocks: &[],
};

const ACTION: Schema = Schema {
    attributes: &["command", "args"],
    blocks: &[],
};

const IDENTITY: Schema = Schema {
    attributes: &[
        "name",
        "aud",
        "env",
        "file",
        "filepath",
        "change_mode",
        "change_signal",
        "ttl",
        "service_name",
        "extra_claims",
    ],
    blocks: &[],
};

const VAULT: Schema = Schema {
    attributes: &[
        "role",
        "namespace",
        "cluster",
        "env",
        "disable_file",
        "change_mode",
        "change_signal",
        "allow_token_expiration",
        "policies",
    ],
    blocks: &[],
};

const CONSUL: Schema = Schema {
    attributes: &["namespace", "cluster", "partition"],
    blocks: &[],
};

const SECRET: Schema = Schema {
    attributes: &["provider", "path", "env"],
    blocks: &[one("config"), one("env")],
};

const SCHEDULE: Schema = Schema {
    attributes: &[],
    blocks: &[one("cron")],
};

const CRON: Schema = Schema {
    attributes: &["start", "end", "timezone"],
    blocks: &[],
};

pub(super) fn task(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiTask {
    let body = block.content(cx, scope, &TASK);
    let named = all(cx, &body, "identity", identity);
    let (identity, identities) = identities(named);
    ApiTask {
        actions: all(cx, &body, "action", action),
        affinities: affinities(cx, &body),
        artifacts: all(cx, &body, "artifact", artifact),
        csi_plugin_config: only(cx, &body, "csi_plugin", csi_plugin),
        config: only(cx, &body, "config", free_form),
        constraints: constraints(cx, &body),
        consul: only(cx, &body, "consul", consul),
        dispatch_payload: only(cx, &body, "dispatch_payload", dispatch_payload),
        driver: body.plain_text(cx, "driver"),
        env: body.text_map(cx, "env"),
        identities,
        identity,
        kill_signal: body.plain_text(cx, "kill_signal"),
        kill_timeout: body.duration(cx, "kill_timeout"),
        kind: body.plain_text(cx, "kind"),
        leader: body.plain_bool(cx, "leader"),
        lifecycle: only(cx, &body, "lifecycle", lifecycle),
        log_config: only(cx, &body, "logs", logs),
        meta: body.text_map(cx, "meta"),
        name: block.label(0),
        resources: only(cx, &body, "resources", resources),
        restart_policy: only(cx, &body, "restart", restart),
        scaling_policies: task_scaling(cx, &body),
        schedule: only(cx, &body, "schedule", schedule),
        secrets: all(cx, &body, "secret", secret),
        services: all(cx, &body, "service", service),
        shutdown_delay: body.duration(cx, "shutdown_delay").unwrap_or_default(),
        templates: all(cx, &body, "template", template),
        user: body.plain_text(cx, "user"),
        vault: only(cx, &body, "vault", vault),
        volume_mounts: all(cx, &body, "volume_mount", volume_mount),
    }
}

/// The default identity apart from the others.
fn identities(all: Option<Vec<ApiIdentity>>) -> (Option<ApiIdentity>, Option<Vec<ApiIdentity>>) {
    let Some(all) = all else {
        return (None, None);
    };
    let is_default = |it: &ApiIdentity| it.name.is_empty() || it.name == Identity::DEFAULT_NAME;
    let at = all.iter().position(is_default);
    let mut rest = all;
    let default = at.map(|at| rest.remove(at));
    (default, Some(rest))
}

fn lifecycle(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> Lifecycle {
    let body = block.content(cx, scope, &LIFECYCLE);
    body.require(cx, "hook");
    Lifecycle {
        hook: body.plain_text(cx, "hook"),
        sidecar: body.plain_bool(cx, "sidecar"),
    }
}

fn dispatch_payload(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> DispatchPayload {
    let body = block.content(cx, scope, &DISPATCH_PAYLOAD);
    DispatchPayload {
        file: body.plain_text(cx, "file"),
    }
}

fn action(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiAction {
    let body = block.content(cx, scope, &ACTION);
    body.require(cx, "command");
    ApiAction {
        args: body.texts(cx, "args"),
        command: body.plain_text(cx, "command"),
        name: block.label(0),
    }
}

pub(super) fn identity(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiIdentity {
    let body = block.content(cx, scope, &IDENTITY);
    ApiIdentity {
        audience: body.texts(cx, "aud"),
        change_mode: body.plain_text(cx, "change_mode"),
        change_signal: body.plain_text(cx, "change_signal"),
        env: body.plain_bool(cx, "env"),
        extra_claims: body.texts(cx, "extra_claims"),
        file: body.plain_bool(cx, "file"),
        filepath: body.plain_text(cx, "filepath"),
        name: body.plain_text(cx, "name"),
        service_name: body.plain_text(cx, "service_name"),
        ttl: body.duration(cx, "ttl").unwrap_or_default(),
    }
}

pub(super) fn vault(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiVault {
    let body = block.content(cx, scope, &VAULT);
    let change_mode = body.text(cx, "change_mode");
    ApiVault {
        allow_token_expiration: body.bool(cx, "allow_token_expiration"),
        change_mode: Some(change_mode.unwrap_or_else(|| "restart".to_owned())),
        change_signal: body.text(cx, "change_signal"),
        cluster: body.plain_text(cx, "cluster"),
        disable_file: Some(body.bool(cx, "disable_file").unwrap_or(false)),
        env: Some(body.bool(cx, "env").unwrap_or(true)),
        namespace: body.text(cx, "namespace"),
        policies: body.texts(cx, "policies"),
        role: body.plain_text(cx, "role"),
    }
}

pub(super) fn consul(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> Consul {
    let body = block.content(cx, scope, &CONSUL);
    Consul {
        namespace: body.plain_text(cx, "namespace"),
        cluster: body.plain_text(cx, "cluster"),
        partition: body.plain_text(cx, "partition"),
    }
}

pub(super) fn secret(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiSecret {
    let body = block.content(cx, scope, &SECRET);
    ApiSecret {
        config: only(cx, &body, "config", free_form),
        env: body.text_map(cx, "env"),
        name: block.label(0),
        path: body.plain_text(cx, "path"),
        provider: body.plain_text(cx, "provider"),
    }
}

fn schedule(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> Schedule {
    let body = block.content(cx, scope, &SCHEDULE);
    Schedule {
        cron: only(cx, &body, "cron", cron),
    }
}

fn cron(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ScheduleCron {
    let body = block.content(cx, scope, &CRON);
    ScheduleCron {
        start: body.plain_text(cx, "start"),
        end: body.plain_text(cx, "end"),
        timezone: body.plain_text(cx, "timezone"),
    }
}
