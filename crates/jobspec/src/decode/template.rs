//! Files that are rendered or fetched before a task starts.

use super::content::BlockRef;
use super::policy::only;
use super::schema::{Schema, one};
use crate::eval::{Scope, Session};
use caravan_model::api::{ApiArtifact, ApiChangeScript, ApiTemplate};
use caravan_model::{Duration, WaitConfig};

const TEMPLATE: Schema = Schema {
    attributes: &[
        "source",
        "destination",
        "data",
        "change_mode",
        "change_signal",
        "once",
        "splay",
        "perms",
        "uid",
        "gid",
        "left_delimiter",
        "right_delimiter",
        "env",
        "vault_grace",
        "error_on_missing_key",
    ],
    blocks: &[one("change_script"), one("wait")],
};

const CHANGE_SCRIPT: Schema = Schema {
    attributes: &[
        "command",
        "args",
        "timeout",
        "fail_on_error",
        "run_on_first_render",
    ],
    blocks: &[],
};

const WAIT: Schema = Schema {
    attributes: &["min", "max"],
    blocks: &[],
};

const ARTIFACT: Schema = Schema {
    attributes: &["source", "destination", "mode", "insecure", "chown"],
    blocks: &[one("options"), one("headers")],
};

pub(super) fn template(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiTemplate {
    let body = block.content(cx, scope, &TEMPLATE);
    ApiTemplate {
        change_mode: Some(
            body.text(cx, "change_mode")
                .unwrap_or_else(|| "restart".to_owned()),
        ),
        change_script: only(cx, &body, "change_script", change_script),
        change_signal: body.text(cx, "change_signal"),
        dest_path: body.text(cx, "destination"),
        embedded_tmpl: body.text(cx, "data"),
        envvars: body.bool(cx, "env"),
        err_missing_key: Some(body.bool(cx, "error_on_missing_key").unwrap_or(false)),
        gid: body.int(cx, "gid"),
        left_delim: body.text(cx, "left_delimiter"),
        once: body.bool(cx, "once"),
        perms: Some(body.text(cx, "perms").unwrap_or_else(|| "0644".to_owned())),
        right_delim: body.text(cx, "right_delimiter"),
        source_path: body.text(cx, "source"),
        splay: Some(body.duration(cx, "splay").unwrap_or(Duration::from_secs(5))),
        uid: body.int(cx, "uid"),
        vault_grace: body.duration(cx, "vault_grace"),
        wait: only(cx, &body, "wait", wait),
    }
}

fn change_script(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiChangeScript {
    let body = block.content(cx, scope, &CHANGE_SCRIPT);
    ApiChangeScript {
        args: Some(body.texts(cx, "args").unwrap_or_default()),
        command: body.text(cx, "command"),
        fail_on_error: Some(body.bool(cx, "fail_on_error").unwrap_or(false)),
        run_on_first_render: Some(body.bool(cx, "run_on_first_render").unwrap_or(false)),
        timeout: Some(
            body.duration(cx, "timeout")
                .unwrap_or(Duration::from_secs(5)),
        ),
    }
}

fn wait(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> WaitConfig {
    let body = block.content(cx, scope, &WAIT);
    WaitConfig {
        min: body.duration(cx, "min"),
        max: body.duration(cx, "max"),
    }
}

pub(super) fn artifact(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiArtifact {
    let body = block.content(cx, scope, &ARTIFACT);
    ApiArtifact {
        chown: body.plain_bool(cx, "chown"),
        getter_headers: body.text_map(cx, "headers"),
        getter_insecure: body.bool(cx, "insecure"),
        getter_mode: body.text(cx, "mode"),
        getter_options: body.text_map(cx, "options"),
        getter_source: body.text(cx, "source"),
        relative_dest: body.text(cx, "destination"),
    }
}
