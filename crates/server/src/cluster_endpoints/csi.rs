//! Volumes and plugins of the container storage interface: there are no plugins yet, so there is nothing of theirs.

use super::host_volumes;
use crate::admission::error_text;
use crate::endpoints::{Answered, Call};
use caravan_http::page::page_filter;
use caravan_http::{Answer, ApiError, Meta, Op};
use caravan_model::*;
use caravan_state::Table;
use serde::{Deserialize, Serialize};

const NO_ROWS: [(); 0] = [];

pub(super) fn answers(op: Op) -> bool {
    matches!(
        op,
        Op::VolumeRegister
            | Op::VolumeListExternal
            | Op::SnapshotList
            | Op::SnapshotCreate
            | Op::SnapshotDelete
            | Op::CsiVolumeRead
            | Op::CsiVolumeRegister
            | Op::CsiVolumeDeregister
            | Op::CsiVolumeCreate
            | Op::CsiVolumeDetach
            | Op::CsiVolumeDelete
            | Op::PluginList
            | Op::PluginRead
    )
}

pub(super) fn dispatch(call: &Call) -> Answered {
    let id = call.request.param("id");
    match call.request.op {
        Op::PluginList => plugins(call),
        Op::PluginRead => Err(call.missing("plugin not found", &[Table::CsiPlugins])),
        Op::CsiVolumeRead => Err(call.missing("volume not found", &[Table::CsiVolumes])),
        Op::CsiVolumeRegister | Op::CsiVolumeCreate | Op::VolumeRegister => register(call),
        Op::CsiVolumeDeregister => {
            force(call)?;
            Err(ApiError::internal(format!("volume not found: {id}")))
        }
        Op::CsiVolumeDelete => Err(ApiError::internal(format!("volume not found: {id}"))),
        Op::CsiVolumeDetach if call.request.query.text("node").is_none() => {
            Err(ApiError::bad_request("detach requires node ID"))
        }
        Op::CsiVolumeDetach => Err(ApiError::internal("no such volume")),
        Op::SnapshotCreate => create_snapshots(call),
        Op::SnapshotDelete => Err(ApiError::internal(error_text(&[
            "no such plugin".to_owned()
        ]))),
        _ => Err(ApiError::internal("no such plugin")),
    }
}

/// The `force` flag of deletions of volumes.
pub(super) fn force(call: &Call) -> Result<bool, ApiError> {
    call.request
        .query
        .flag("force")
        .map_err(|_| ApiError::bad_request("invalid force value"))
}

/// `GET /v1/volumes`, which the `type` decides.
pub(super) fn list_by_type(call: &Call) -> Answered {
    match call.request.query.get("type").unwrap_or_default() {
        "host" => host_volumes::list(call),
        "csi" => {
            call.caller.need_csi_list(call.request.namespace())?;
            page_filter(&call.request.options)?;
            call.tables(&NO_ROWS, &[Table::CsiVolumes])
        }
        "" => Answer::json(&NO_ROWS, Meta::none()),
        _ => Err(ApiError::not_found("resource not found")),
    }
}

fn plugins(call: &Call) -> Answered {
    match call.request.query.get("type").unwrap_or_default() {
        "csi" => call.object(&NO_ROWS, 1, &[Table::CsiPlugins]),
        "" => Answer::json(&NO_ROWS, Meta::none()),
        _ => Ok(Answer::empty(Meta::none())),
    }
}

#[derive(Deserialize, Default)]
#[serde(
    default,
    rename = "CSIVolumeRegisterRequest",
    rename_all = "PascalCase"
)]
struct VolumesRequest {
    volumes: Option<Vec<CsiVolume>>,
}

fn register(call: &Call) -> Answered {
    let body: VolumesRequest = call.request.json()?;
    let volumes = body.volumes.unwrap_or_default();
    let Some(first) = volumes.first() else {
        return Err(ApiError::internal("missing volume definition"));
    };
    for volume in &volumes {
        let mut faults = Vec::new();
        if volume.id.is_empty() {
            faults.push("missing volume id");
        }
        if volume.plugin_id.is_empty() {
            faults.push("missing plugin id");
        }
        if volume.requested_capabilities.is_empty() {
            faults.push("must include at least one capability block");
        }
        if !faults.is_empty() {
            return Err(ApiError::internal(format!(
                "validation: {}",
                faults.join(", ")
            )));
        }
    }
    Err(ApiError::internal(format!(
        "no CSI plugin named: {} could be found",
        first.plugin_id
    )))
}

#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Snapshots {
    snapshots: Option<Vec<CsiSnapshot>>,
    #[serde(flatten)]
    meta: QueryMeta,
}

#[derive(Deserialize, Default)]
#[serde(
    default,
    rename = "CSISnapshotCreateRequest",
    rename_all = "PascalCase"
)]
struct SnapshotsRequest {
    snapshots: Option<Vec<serde_json::Value>>,
}

fn create_snapshots(call: &Call) -> Answered {
    let body: SnapshotsRequest = call.request.json()?;
    if body
        .snapshots
        .is_some_and(|snapshots| !snapshots.is_empty())
    {
        return Err(ApiError::internal("no such plugin"));
    }
    Answer::json(
        &Snapshots::default(),
        Meta {
            known_leader: Some(false),
            ..Meta::read(0)
        },
    )
}
