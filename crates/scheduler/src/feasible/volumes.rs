//! Whether a node exposes the volumes that a group mounts (scheduler sheet §8.6).

use caravan_model::{HostVolume, Node, VolumeRequest, volume_type};
use caravan_state::{ScopedKey, State};
use std::collections::BTreeMap;

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing compatible host volumes";

/// Why the node does not have the volumes, when it has not.
pub(crate) fn lacks(
    state: &State,
    namespace: &str,
    node: &Node,
    requests: &BTreeMap<String, VolumeRequest>,
    alloc_name: &str,
) -> Option<String> {
    let host = requests
        .values()
        .filter(|request| request.r#type.is_empty() || request.r#type == volume_type::HOST);
    for request in host {
        if !has(
            state,
            namespace,
            node,
            request,
            &request.source_for(alloc_name),
        ) {
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

fn has(state: &State, namespace: &str, node: &Node, request: &VolumeRequest, source: &str) -> bool {
    let Some(exposed) = node.host_volumes.get(source) else {
        return false;
    };
    if exposed.id.is_empty() {
        return !request.sticky && (request.read_only || !exposed.read_only);
    }
    let key = ScopedKey::new(namespace, exposed.id.to_string());
    state
        .host_volume(&key)
        .is_some_and(|volume| allows(volume, request))
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
