//! Blocks that say how allocations are updated, restarted, replaced and moved.

use super::content::{BlockRef, Content};
use super::schema::Schema;
use crate::eval::{Scope, Session};
use caravan_model::api::{
    ApiDisconnectStrategy, ApiEphemeralDisk, ApiMigrateStrategy, ApiReschedulePolicy,
    ApiRestartPolicy, ApiUpdateStrategy,
};
use serde::Serialize;

const UPDATE: Schema = Schema {
    attributes: &[
        "stagger",
        "max_parallel",
        "health_check",
        "min_healthy_time",
        "healthy_deadline",
        "progress_deadline",
        "canary",
        "auto_revert",
        "auto_promote",
    ],
    blocks: &[],
};

const RESTART: Schema = Schema {
    attributes: &["interval", "attempts", "delay", "mode", "render_templates"],
    blocks: &[],
};

const RESCHEDULE: Schema = Schema {
    attributes: &[
        "attempts",
        "interval",
        "delay",
        "delay_function",
        "max_delay",
        "unlimited",
    ],
    blocks: &[],
};

const MIGRATE: Schema = Schema {
    attributes: &[
        "max_parallel",
        "health_check",
        "min_healthy_time",
        "healthy_deadline",
    ],
    blocks: &[],
};

const DISCONNECT: Schema = Schema {
    attributes: &["lost_after", "stop_on_client_after", "replace", "reconcile"],
    blocks: &[],
};

const EPHEMERAL_DISK: Schema = Schema {
    attributes: &["sticky", "migrate", "size"],
    blocks: &[],
};

/// The only block of a type, decoded.
pub(super) fn only<T>(
    cx: &mut Session<'_>,
    body: &Content<'_>,
    kind: &str,
    decode: fn(&mut Session<'_>, &BlockRef<'_>, &Scope) -> T,
) -> Option<T> {
    let block = body.block(kind)?;
    Some(decode(cx, block, &body.scope))
}

/// All blocks of a type, decoded; none when there are none.
pub(super) fn all<T>(
    cx: &mut Session<'_>,
    body: &Content<'_>,
    kind: &str,
    decode: fn(&mut Session<'_>, &BlockRef<'_>, &Scope) -> T,
) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for block in body.blocks(kind) {
        if !cx.spend(BLOCK_COST, block.header()) {
            break;
        }
        all.push(decode(cx, block, &body.scope));
    }
    (!all.is_empty()).then_some(all)
}

/// What a block that may be repeated costs: what it becomes has room for everything that it could hold.
const BLOCK_COST: usize = 10;

/// Pays for copies of what tasks inherit; none when they would be too many, or too large.
pub(super) fn inherited<T: Serialize>(
    cx: &mut Session<'_>,
    body: &Content<'_>,
    given: Option<T>,
    copies: usize,
) -> Option<T> {
    let size = serde_json::to_string(given.as_ref()?).map_or(0, |text| text.len());
    let cost = copies.saturating_mul(1 + size / 16);
    given.filter(|_| cx.spend(cost, body.start))
}

pub(super) fn update(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiUpdateStrategy {
    let body = block.content(cx, scope, &UPDATE);
    ApiUpdateStrategy {
        auto_promote: body.bool(cx, "auto_promote"),
        auto_revert: body.bool(cx, "auto_revert"),
        canary: body.int(cx, "canary"),
        health_check: body.text(cx, "health_check"),
        healthy_deadline: body.duration(cx, "healthy_deadline"),
        max_parallel: body.int(cx, "max_parallel"),
        min_healthy_time: body.duration(cx, "min_healthy_time"),
        progress_deadline: body.duration(cx, "progress_deadline"),
        stagger: body.duration(cx, "stagger"),
    }
}

pub(super) fn restart(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiRestartPolicy {
    let body = block.content(cx, scope, &RESTART);
    ApiRestartPolicy {
        attempts: body.int(cx, "attempts"),
        delay: body.duration(cx, "delay"),
        interval: body.duration(cx, "interval"),
        mode: body.text(cx, "mode"),
        render_templates: body.bool(cx, "render_templates"),
    }
}

pub(super) fn reschedule(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiReschedulePolicy {
    let body = block.content(cx, scope, &RESCHEDULE);
    ApiReschedulePolicy {
        attempts: body.int(cx, "attempts"),
        delay: body.duration(cx, "delay"),
        delay_function: body.text(cx, "delay_function"),
        interval: body.duration(cx, "interval"),
        max_delay: body.duration(cx, "max_delay"),
        unlimited: body.bool(cx, "unlimited"),
    }
}

pub(super) fn migrate(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiMigrateStrategy {
    let body = block.content(cx, scope, &MIGRATE);
    ApiMigrateStrategy {
        health_check: body.text(cx, "health_check"),
        healthy_deadline: body.duration(cx, "healthy_deadline"),
        max_parallel: body.int(cx, "max_parallel"),
        min_healthy_time: body.duration(cx, "min_healthy_time"),
    }
}

pub(super) fn disconnect(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiDisconnectStrategy {
    let body = block.content(cx, scope, &DISCONNECT);
    ApiDisconnectStrategy {
        lost_after: body.duration(cx, "lost_after"),
        reconcile: body.text(cx, "reconcile"),
        replace: body.bool(cx, "replace"),
        stop_on_client_after: body.duration(cx, "stop_on_client_after"),
    }
}

pub(super) fn ephemeral_disk(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiEphemeralDisk {
    let body = block.content(cx, scope, &EPHEMERAL_DISK);
    ApiEphemeralDisk {
        migrate: body.bool(cx, "migrate"),
        size_mb: body.int(cx, "size"),
        sticky: body.bool(cx, "sticky"),
    }
}
