//! What a task needs.

use super::content::BlockRef;
use super::network::network;
use super::placement::{affinities, constraints};
use super::policy::{all, only};
use super::schema::{Schema, many, named, one};
use crate::eval::{Scope, Session};
use caravan_model::api::{ApiLogConfig, ApiNuma, ApiRequestedDevice, ApiResources};

const RESOURCES: Schema = Schema {
    attributes: &[
        "cpu",
        "cores",
        "memory",
        "memory_max",
        "disk",
        "iops",
        "secrets",
    ],
    blocks: &[many("network"), named("device"), one("numa")],
};

const DEVICE: Schema = Schema {
    attributes: &["count"],
    blocks: &[many("constraint"), many("affinity")],
};

const NUMA: Schema = Schema {
    attributes: &["affinity", "devices"],
    blocks: &[],
};

const LOGS: Schema = Schema {
    attributes: &["max_files", "max_file_size", "enabled", "disabled"],
    blocks: &[],
};

pub(super) fn resources(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiResources {
    let body = block.content(cx, scope, &RESOURCES);
    ApiResources {
        cpu: body.int(cx, "cpu"),
        cores: body.int(cx, "cores"),
        devices: all(cx, &body, "device", device),
        disk_mb: body.int(cx, "disk"),
        iops: body.int(cx, "iops"),
        memory_mb: body.int(cx, "memory"),
        memory_max_mb: body.int(cx, "memory_max"),
        numa: only(cx, &body, "numa", numa),
        networks: all(cx, &body, "network", network),
        secrets_mb: body.int(cx, "secrets"),
    }
}

fn device(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiRequestedDevice {
    let body = block.content(cx, scope, &DEVICE);
    ApiRequestedDevice {
        affinities: affinities(cx, &body),
        constraints: constraints(cx, &body),
        count: body.count(cx, "count"),
        name: block.label(0),
    }
}

fn numa(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiNuma {
    let body = block.content(cx, scope, &NUMA);
    ApiNuma {
        affinity: body.plain_text(cx, "affinity"),
        devices: body.texts(cx, "devices"),
    }
}

pub(super) fn logs(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiLogConfig {
    let body = block.content(cx, scope, &LOGS);
    ApiLogConfig {
        disabled: body.bool(cx, "disabled"),
        enabled: body.bool(cx, "enabled"),
        max_file_size_mb: body.int(cx, "max_file_size"),
        max_files: body.int(cx, "max_files"),
    }
}
