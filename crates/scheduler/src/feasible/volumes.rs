//! Whether a node exposes the volumes that a group mounts (scheduler sheet §8.6).

use crate::planned::Planned;
use caravan_model::{
    Allocation, HostVolume, HostVolumeState, Job, Node, VolumeRequest, volume_type,
};
use caravan_state::{JobKey, ScopedKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing compatible host volumes";

/// The access mode that lets one allocation of a node write.
pub(crate) const SINGLE_WRITER: &str = "single-node-single-writer";

/// Who asks for volumes.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) job: &'a Job,
    pub(crate) group: &'a str,
    pub(crate) alloc_name: &'a str,
    /// It runs on the node already: it holds what it claims.
    pub(crate) in_place: bool,
}

/// Why the node does not have the volumes, when it has not.
pub(crate) fn lacks(
    state: &State,
    planned: &Planned,
    node: &Node,
    requests: &BTreeMap<String, VolumeRequest>,
    asker: Asker<'_>,
) -> Option<String> {
    let running: Vec<&Arc<Allocation>> = planned.proposed(state, node.id).collect();
    let host = requests
        .values()
        .filter(|request| request.r#type.is_empty() || request.r#type == volume_type::HOST);
    for request in host {
        let source = request.source_for(asker.alloc_name);
        let claimed =
            asker.in_place || !request.sticky || is_claimed(state, planned, node, &source, asker);
        if !has(state, asker.job, node, request, &source, &running) || !claimed {
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

/// Whether the group may take a sticky volume of this name on the node: as long as some volume that it has claimed is
/// not in use by it, only such a one.
fn is_claimed(
    state: &State,
    planned: &Planned,
    node: &Node,
    source: &str,
    asker: Asker<'_>,
) -> bool {
    let job = JobKey::new(asker.job.namespace.clone(), asker.job.id.clone());
    let uses = |alloc: &Allocation| {
        let same_group = alloc.job_id == job.id && alloc.task_group == asker.group;
        same_group && alloc.namespace == job.namespace && !alloc.server_terminal()
    };
    let unmet = state
        .volume_claims_of_job(&job)
        .filter(|claim| claim.task_group_name == asker.group && claim.volume_name == source);
    let mut unmet = unmet.filter(|claim| {
        let key = ScopedKey::new(claim.namespace.clone(), claim.volume_id.clone());
        let volume = state.host_volume(&key);
        volume.is_some_and(|volume| {
            !planned
                .proposed(state, volume.node_id)
                .any(|alloc| uses(alloc))
        })
    });
    let here = node
        .host_volumes
        .get(source)
        .map_or("", |shown| shown.id.as_str());
    let Some(first) = unmet.next() else {
        return true;
    };
    first.volume_id == here || unmet.any(|claim| claim.volume_id == here)
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
    let alone = request.access_mode == SINGLE_WRITER;
    let collides = |alloc: &&Arc<Allocation>| match writes(alloc, job, source) {
        Writes::No => false,
        Writes::Alone => alone || !request.read_only,
        Writes::WithOthers => alone,
    };
    allows(volume, request) && !running.iter().any(collides)
}

/// How an allocation mounts a volume.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    No,
    /// Nobody else may write to it on the node.
    Alone,
    WithOthers,
}

/// Whether an allocation mounts the volume of this name to write to it; one whose group is not known may want it for
/// itself. Allocations of the plan have no job of their own where it is `job`.
fn writes(alloc: &Allocation, job: &Job, source: &str) -> Writes {
    let planned = Some(job).filter(|job| job.id == alloc.job_id);
    let job = alloc.job.as_deref().or(planned);
    let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
    let Some(group) = group else {
        return Writes::Alone;
    };
    let mine = group
        .volumes
        .values()
        .filter(|volume| !volume.read_only && volume.source_for(&alloc.name) == source);
    mine.fold(Writes::No, |so_far, volume| {
        if so_far == Writes::Alone || volume.access_mode == SINGLE_WRITER {
            Writes::Alone
        } else {
            Writes::WithOthers
        }
    })
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
    volume.state == HostVolumeState::Ready && capable && mode_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::HostVolumeCapability;

    fn volume() -> HostVolume {
        HostVolume {
            requested_capabilities: vec![HostVolumeCapability {
                attachment_mode: "file-system".to_owned(),
                access_mode: "single-node-writer".to_owned(),
            }],
            state: HostVolumeState::Ready,
            ..HostVolume::default()
        }
    }

    fn request(change: impl FnOnce(&mut VolumeRequest)) -> VolumeRequest {
        let mut request = VolumeRequest::default();
        change(&mut request);
        request
    }

    #[test]
    fn a_volume_is_used_as_it_was_made_for() {
        let allowed = |change: fn(&mut VolumeRequest)| allows(&volume(), &request(change));
        assert!(allowed(|_| {}), "a file system with one writer");
        assert!(allowed(|ask| ask.attachment_mode = "file-system".to_owned()));
        assert!(!allowed(
            |ask| ask.attachment_mode = "block-device".to_owned()
        ));
        assert!(!allowed(|ask| ask.read_only = true));
        assert!(!allowed(|ask| {
            ask.access_mode = "single-node-writer".to_owned();
            ask.read_only = true;
        }));
        assert!(!allowed(|ask| ask.access_mode = SINGLE_WRITER.to_owned()));
    }

    #[test]
    fn a_volume_is_used_once_it_is_there() {
        for (state, expected) in [
            (HostVolumeState::Ready, true),
            (HostVolumeState::Pending, false),
            (HostVolumeState::Unavailable, false),
        ] {
            let volume = HostVolume { state, ..volume() };
            assert_eq!(allows(&volume, &request(|_| {})), expected, "{state:?}");
        }
    }
}
