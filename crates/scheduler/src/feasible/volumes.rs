//! Whether a node exposes the volumes that a group mounts (scheduler sheet §8.6).

use caravan_model::{Allocation, HostVolume, Job, Node, VolumeRequest, volume_type};
use caravan_state::{ScopedKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing compatible host volumes";

/// The access mode that lets one allocation of a node write.
pub(crate) const SINGLE_WRITER: &str = "single-node-single-writer";

/// Why the node does not have the volumes, when it has not.
///
/// `running` is what would run on the node beside it.
pub(crate) fn lacks<'a>(
    state: &State,
    job: &Job,
    node: &Node,
    requests: &BTreeMap<String, VolumeRequest>,
    alloc_name: &str,
    running: impl Iterator<Item = &'a Arc<Allocation>>,
) -> Option<String> {
    let running: Vec<&Arc<Allocation>> = running.collect();
    let host = requests
        .values()
        .filter(|request| request.r#type.is_empty() || request.r#type == volume_type::HOST);
    for request in host {
        let source = request.source_for(alloc_name);
        if !has(state, job, node, request, &source, &running) {
            return Some(MISSING.to_owned());
        }
    }
    let missing: Vec<&str> = requests
        .values()
        .filter(|request| request.r#type == volume_type::CSI)
        .map(|request| request.source.as_str())
        .collect();
    if missing.is_empty() {
        None
    } else {
        Some(format!("missing CSI volume(s) {}", missing.join(", ")))
    }
}

fn has(
    state: &State,
    job: &Job,
    node: &Node,
    request: &VolumeRequest,
    source: &str,
    running: &[&Arc<Allocation>],
) -> bool {
    let Some(exposed) = node.host_volumes.get(source) else {
        return false;
    };
    if exposed.id.is_empty() {
        return !request.sticky && (request.read_only || !exposed.read_only);
    }
    let key = ScopedKey::new(job.namespace.clone(), exposed.id.clone());
    let Some(volume) = state.host_volume(&key) else {
        return false;
    };
    let single = request.access_mode == SINGLE_WRITER;
    allows(volume, request) && !(single && running.iter().any(|alloc| writes(alloc, job, source)))
}

/// Whether an allocation mounts the volume of this name to write to it; one whose group is not known may.
/// Allocations of the plan have no job of their own where it is `job`.
fn writes(alloc: &Allocation, job: &Job, source: &str) -> bool {
    let planned = Some(job).filter(|job| job.id == alloc.job_id);
    let job = alloc.job.as_deref().or(planned);
    let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
    let Some(group) = group else { return true };
    group
        .volumes
        .values()
        .any(|volume| !volume.read_only && volume.source_for(&alloc.name) == source)
}

fn allows(volume: &HostVolume, request: &VolumeRequest) -> bool {
    let access = match request.access_mode.as_str() {
        "" if request.read_only => "single-node-reader-only",
        "" => "single-node-writer",
        mode => mode,
    };
    let attachment = match request.attachment_mode.as_str() {
        "" => "file-system",
        mode => mode,
    };
    let capable = volume.requested_capabilities.iter().any(|capability| {
        capability.access_mode == access && capability.attachment_mode == attachment
    });
    let mode_fits = match access {
        "single-node-reader-only" => request.read_only,
        "single-node-writer" => !request.read_only,
        _ => true,
    };
    volume.state.to_string() == "ready" && capable && mode_fits
}
