//! Volumes of groups, their mounts in tasks, and storage plugins.

use super::content::BlockRef;
use super::policy::only;
use super::schema::{Schema, one};
use crate::eval::{Scope, Session};
use caravan_model::CsiPluginConfig;
use caravan_model::api::{ApiMountOptions, ApiVolumeMount, ApiVolumeRequest};

const VOLUME: Schema = Schema {
    attributes: &[
        "type",
        "source",
        "read_only",
        "sticky",
        "access_mode",
        "attachment_mode",
        "per_alloc",
    ],
    blocks: &[one("mount_options")],
};

const MOUNT_OPTIONS: Schema = Schema {
    attributes: &["fs_type", "mount_flags"],
    blocks: &[],
};

const VOLUME_MOUNT: Schema = Schema {
    attributes: &[
        "volume",
        "destination",
        "read_only",
        "propagation_mode",
        "selinux_label",
    ],
    blocks: &[],
};

const CSI_PLUGIN: Schema = Schema {
    attributes: &[
        "id",
        "type",
        "mount_dir",
        "stage_publish_base_dir",
        "health_timeout",
    ],
    blocks: &[],
};

pub(super) fn volume(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiVolumeRequest {
    let body = block.content(cx, scope, &VOLUME);
    ApiVolumeRequest {
        access_mode: body.plain_text(cx, "access_mode"),
        attachment_mode: body.plain_text(cx, "attachment_mode"),
        mount_options: only(cx, &body, "mount_options", mount_options),
        name: block.label(0),
        per_alloc: body.plain_bool(cx, "per_alloc"),
        read_only: body.plain_bool(cx, "read_only"),
        source: body.plain_text(cx, "source"),
        sticky: body.plain_bool(cx, "sticky"),
        r#type: body.plain_text(cx, "type"),
    }
}

fn mount_options(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiMountOptions {
    let body = block.content(cx, scope, &MOUNT_OPTIONS);
    ApiMountOptions {
        fs_type: body.plain_text(cx, "fs_type"),
        mount_flags: body.texts(cx, "mount_flags"),
    }
}

pub(super) fn volume_mount(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiVolumeMount {
    let body = block.content(cx, scope, &VOLUME_MOUNT);
    ApiVolumeMount {
        destination: body.text(cx, "destination"),
        propagation_mode: body.text(cx, "propagation_mode"),
        read_only: body.bool(cx, "read_only"),
        selinux_label: body.text(cx, "selinux_label"),
        volume: body.text(cx, "volume"),
    }
}

pub(super) fn csi_plugin(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> CsiPluginConfig {
    let body = block.content(cx, scope, &CSI_PLUGIN);
    CsiPluginConfig {
        id: body.plain_text(cx, "id"),
        r#type: body.plain_text(cx, "type"),
        mount_dir: body.plain_text(cx, "mount_dir"),
        stage_publish_base_dir: body.plain_text(cx, "stage_publish_base_dir"),
        health_timeout: body.duration(cx, "health_timeout").unwrap_or_default(),
    }
}
