//! Dynamic host volumes (http-api §2.11, server sheet §15.2).

use super::csi;
use crate::clock;
use crate::endpoints::list::{self, Keyed};
use crate::endpoints::{Answered, Call, rows};
use caravan_acl::NamespaceCapability;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, ScopedKey, Table};
use std::sync::Arc;

/// The plugin of a volume that names none.
const DEFAULT_PLUGIN: &str = "default";

const TABLES: &[Table] = &[Table::HostVolumes];

pub(super) fn list(call: &Call) -> Answered {
    let query = &call.request.query;
    let (node, pool) = (query.text("node_id"), query.text("node_pool"));
    let prefix = call.request.options.prefix.as_str();
    let rows = call
        .state
        .host_volumes()
        .filter(|row| call.in_scope(&row.namespace))
        .filter(|row| {
            call.caller
                .has(row.namespace.as_str(), NamespaceCapability::HostVolumeRead)
        })
        .filter(|row| row.id.starts_with(prefix))
        .filter(|row| node.is_none_or(|node| row.node_id.to_string() == node))
        .filter(|row| pool.is_none_or(|pool| row.node_pool == pool))
        .map(|row| Keyed {
            key: format!("{}.{}", row.namespace, row.id),
            row: Arc::clone(row),
        })
        .collect();
    let mut answer = list::answer(call, TABLES, rows, HostVolume::stub)?;
    answer.head.meta.index = answer.head.meta.index.map(|index| index.max(1));
    Ok(answer)
}

fn key(call: &Call) -> ScopedKey {
    ScopedKey::new(call.request.namespace(), call.request.param("id"))
}

/// The allocations that use a volume and have not ended.
fn users(call: &Call, volume: &HostVolume) -> Vec<Arc<Allocation>> {
    let uses = |alloc: &Allocation| {
        let job = alloc.job.as_ref()?;
        let group = job
            .task_groups
            .iter()
            .find(|group| group.name == alloc.task_group)?;
        group
            .volumes
            .values()
            .find(|request| {
                request.r#type != volume_type::CSI && request.source_for(&alloc.name) == volume.name
            })
            .map(|_| ())
    };
    call.state
        .allocs_of_node(&volume.node_id)
        .filter(|alloc| alloc.namespace == volume.namespace && !alloc.client_terminal())
        .filter(|alloc| uses(alloc).is_some())
        .cloned()
        .collect()
}

pub(super) fn read(call: &Call) -> Answered {
    match call.state.host_volume(&key(call)) {
        Some(volume) => {
            let allocations = users(call, volume)
                .iter()
                .map(|alloc| rows::stub(alloc))
                .collect();
            let shown = HostVolume {
                allocations: Some(allocations),
                ..HostVolume::clone(volume)
            };
            call.object(
                &shown,
                volume.modify_index,
                &[Table::HostVolumes, Table::Allocations],
            )
        }
        None => {
            let index = call.state.index_of_any(TABLES).max(1);
            Err(ApiError::not_found("volume not found").with_meta(call.head(index, TABLES)))
        }
    }
}

/// The volume of a request, with everything that it leaves open filled in, checked by itself.
fn requested(call: &Call) -> Result<HostVolume, ApiError> {
    let body: HostVolumeRequest = call.request.json()?;
    let mut volume = body
        .volume
        .ok_or_else(|| ApiError::internal("missing volume definition"))?;
    if let Some(namespace) = &call.request.options.namespace {
        volume.namespace = namespace.as_str().into();
    } else if volume.namespace.as_str().is_empty() {
        volume.namespace = NamespaceName::default_namespace();
    }
    call.permit_in(&volume.namespace)?;
    if volume.plugin_id.is_empty() {
        volume.plugin_id = DEFAULT_PLUGIN.to_owned();
    }
    if volume.requested_capabilities.is_empty() {
        volume.requested_capabilities.push(HostVolumeCapability {
            attachment_mode: "file-system".to_owned(),
            access_mode: "single-node-writer".to_owned(),
        });
    }
    check(&volume)?;
    Ok(volume)
}

fn check(volume: &HostVolume) -> Result<(), ApiError> {
    let fault = |text: String| {
        Err(ApiError::internal(format!(
            "volume validation failed: {text}"
        )))
    };
    if volume.name.is_empty() {
        return fault("missing name".to_owned());
    }
    let (low, high) = (
        volume.requested_capacity_min_bytes,
        volume.requested_capacity_max_bytes,
    );
    if high != 0 && high < low {
        return fault(format!(
            "capacity_max ({high}) must be larger than capacity_min ({low})"
        ));
    }
    let compares = |constraint: &&Constraint| constraint.operand.starts_with("distinct_");
    if let Some(constraint) = volume.constraints.iter().find(compares) {
        return fault(format!(
            "invalid constraint: {:?} compares allocations, of which a volume has none",
            constraint.operand
        ));
    }
    for capability in &volume.requested_capabilities {
        if !matches!(
            capability.attachment_mode.as_str(),
            "file-system" | "block-device"
        ) {
            return fault(format!(
                "invalid attachment mode: {:?}",
                capability.attachment_mode
            ));
        }
        let modes = [
            "single-node-reader-only",
            "single-node-writer",
            "single-node-single-writer",
            "single-node-multi-writer",
        ];
        if !modes.contains(&capability.access_mode.as_str()) {
            return fault(format!("invalid access mode: {:?}", capability.access_mode));
        }
    }
    Ok(())
}

/// Checks what a volume names in the cluster; returns the row that it replaces.
fn check_against(call: &Call, volume: &HostVolume) -> Result<Option<Arc<HostVolume>>, ApiError> {
    let fault = |text: String| {
        ApiError::internal(format!(
            "validating volume {:?} against state failed: {text}",
            volume.name
        ))
    };
    if !volume.node_id.is_nil() && call.state.node(&volume.node_id).is_none() {
        return Err(fault(format!(
            "node {:?} does not exist",
            volume.node_id.to_string()
        )));
    }
    if !volume.node_pool.is_empty() && call.state.node_pool(&volume.node_pool).is_none() {
        return Err(fault(format!(
            "node pool {:?} does not exist",
            volume.node_pool
        )));
    }
    if volume.id.is_empty() {
        return Ok(None);
    }
    let stored = call
        .state
        .host_volume(&ScopedKey::new(volume.namespace.clone(), volume.id.clone()));
    let stored = stored.ok_or_else(|| fault(format!("no such volume {:?}", volume.id)))?;
    check_change(stored, volume).map_err(fault)?;
    let users = users(call, stored);
    if !users.is_empty() {
        return Err(fault(in_use(stored, &users)));
    }
    Ok(Some(Arc::clone(stored)))
}

/// What a volume cannot become: one of another name or node, or smaller than it is.
fn check_change(stored: &HostVolume, wanted: &HostVolume) -> Result<(), String> {
    if stored.name != wanted.name {
        return Err("volume name cannot be updated".to_owned());
    }
    if !wanted.node_id.is_nil() && stored.node_id != wanted.node_id {
        return Err("node ID cannot be updated".to_owned());
    }
    if !wanted.node_pool.is_empty() && stored.node_pool != wanted.node_pool {
        return Err("node pool cannot be updated".to_owned());
    }
    let other = ![stored.plugin_id.as_str(), DEFAULT_PLUGIN].contains(&wanted.plugin_id.as_str());
    if other {
        return Err("plugin cannot be updated".to_owned());
    }
    let (high, has) = (wanted.requested_capacity_max_bytes, stored.capacity_bytes);
    if high > 0 && high < has {
        return Err(format!(
            "capacity_max ({high}) cannot be less than what the volume has ({has})"
        ));
    }
    Ok(())
}

fn in_use(volume: &HostVolume, users: &[Arc<Allocation>]) -> String {
    let ids: Vec<String> = users.iter().map(|alloc| alloc.id.to_string()).collect();
    format!(
        "volume {} in use by allocations: [{}]",
        volume.id,
        ids.join(" ")
    )
}

/// The node for a new volume: the first one that can make it and has none of its name.
fn place(call: &Call, volume: &HostVolume) -> Result<Arc<Node>, ApiError> {
    let (mut existing, mut infeasible) = (0, 0);
    let attribute = plugin_attribute(volume);
    for node in call.state.nodes().filter(|node| node.is_ready()) {
        let named = volume.node_id.is_nil() || volume.node_id == node.id;
        let in_pool = volume.node_pool.is_empty() || volume.node_pool == node.node_pool;
        if !named || !in_pool {
            continue;
        }
        let taken = node.host_volumes.contains_key(&volume.name)
            || call
                .state
                .host_volumes()
                .any(|other| other.node_id == node.id && other.name == volume.name);
        if taken {
            existing += 1;
        } else if !node.attributes.contains_key(&attribute) || !meets(volume, node) {
            infeasible += 1;
        } else {
            return Ok(Arc::clone(node));
        }
    }
    Err(ApiError::internal(format!(
        "could not place volume {:?}: no node meets constraints: {existing} nodes had existing volume, 0 nodes filtered by \
         node pool governance, {infeasible} nodes were infeasible",
        volume.name
    )))
}

/// The attribute of nodes that have a volume's plugin.
fn plugin_attribute(volume: &HostVolume) -> String {
    format!("plugins.host_volume.{}.version", volume.plugin_id)
}

fn meets(volume: &HostVolume, node: &Node) -> bool {
    let mut constraints = volume.constraints.iter();
    constraints.all(|constraint| caravan_scheduler::constraint_holds(constraint, node))
}

async fn store(call: &Call, mut volume: HostVolume, stored: Option<Arc<HostVolume>>) -> Answered {
    let now = clock::now();
    if volume.id.is_empty() {
        volume.id = clock::uuid();
    }
    volume.create_time = stored.as_ref().map_or(now, |old| old.create_time);
    volume.modify_time = now;
    volume.state = HostVolumeState::Pending;
    volume.allocations = None;
    let shown = volume.clone();
    let applied = call
        .propose(Command::UpsertHostVolumes {
            volumes: vec![volume],
        })
        .await?;
    let answer = HostVolumeResponse {
        volume: Some(shown),
        warnings: String::new(),
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}

pub(super) async fn create(call: &Call) -> Answered {
    let mut volume = requested(call)?;
    let stored = check_against(call, &volume)?;
    if let Some(stored) = &stored {
        volume.node_id = stored.node_id;
        volume.node_pool.clone_from(&stored.node_pool);
        volume.plugin_id.clone_from(&stored.plugin_id);
        // What a plugin made it makes anew, with what is asked for now; what was registered is as it is.
        let node = call.state.node(&volume.node_id);
        if !node.is_some_and(|node| node.attributes.contains_key(&plugin_attribute(&volume))) {
            volume.host_path.clone_from(&stored.host_path);
            volume.capacity_bytes = stored.capacity_bytes;
        }
    } else {
        let node = place(call, &volume)?;
        volume.node_id = node.id;
        volume.node_pool.clone_from(&node.node_pool);
    }
    if volume.id.is_empty() {
        volume.id = clock::uuid();
    }
    call.shared
        .volume_maker
        .make(&mut volume)
        .await
        .map_err(ApiError::internal)?;
    store(call, volume, stored).await
}

pub(super) async fn register(call: &Call) -> Answered {
    let mut volume = requested(call)?;
    if volume.node_id.is_nil() {
        return Err(ApiError::internal(
            "cannot register volume: node ID is required",
        ));
    }
    if volume.host_path.is_empty() {
        return Err(ApiError::internal(
            "cannot register volume: host path is required",
        ));
    }
    let stored = check_against(call, &volume)?;
    if let Some(node) = call.state.node(&volume.node_id) {
        volume.node_pool.clone_from(&node.node_pool);
    }
    if volume.id.is_empty() {
        volume.id = clock::uuid();
    }
    call.shared
        .volume_maker
        .make(&mut volume)
        .await
        .map_err(ApiError::internal)?;
    store(call, volume, stored).await
}

pub(super) async fn delete(call: &Call) -> Answered {
    let force = csi::force(call)?;
    let key = key(call);
    let volume = call
        .state
        .host_volume(&key)
        .cloned()
        .ok_or_else(|| ApiError::internal(format!("no such volume: {}", key.name)))?;
    let users = users(call, &volume);
    if !users.is_empty() {
        return Err(ApiError::internal(in_use(&volume, &users)));
    }
    if let Err(error) = call.shared.volume_maker.remove(&volume).await {
        if !force {
            return Err(ApiError::internal(error));
        }
        tracing::warn!(volume = %volume.id, %error, "a volume is forgotten though its node did not remove it");
    }
    let applied = call
        .propose(Command::DeleteHostVolumes { volumes: vec![key] })
        .await?;
    Answer::json(
        &WriteMeta {
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}

const CLAIMS: &[Table] = &[Table::VolumeClaims];

/// Which groups hold which sticky volumes.
pub(super) fn claims(call: &Call) -> Answered {
    let query = &call.request.query;
    let wanted = |name: &str, value: &str| {
        query
            .text(name)
            .is_none_or(|wanted| wanted.is_empty() || wanted == value)
    };
    let prefix = call.request.options.prefix.as_str();
    let rows = call
        .state
        .volume_claims()
        .filter(|row| call.in_scope(&row.namespace))
        .filter(|row| {
            call.caller
                .has(row.namespace.as_str(), NamespaceCapability::HostVolumeRead)
        })
        .filter(|row| row.id.starts_with(prefix))
        .filter(|row| wanted("job_id", row.job_id.as_str()))
        .filter(|row| wanted("task_group", &row.task_group_name))
        .filter(|row| wanted("volume_name", &row.volume_name))
        .map(|row| Keyed {
            key: format!("{}.{}", row.namespace, row.id),
            row: Arc::clone(row),
        })
        .collect();
    let mut answer = list::answer(call, CLAIMS, rows, TaskGroupHostVolumeClaim::clone)?;
    answer.head.meta.index = answer.head.meta.index.map(|index| index.max(1));
    Ok(answer)
}

/// Forgets a claim: the group may run on any volume of the name again.
pub(super) async fn delete_claim(call: &Call) -> Answered {
    let id = call.request.param("id");
    let known = call.state.volume_claims().find(|claim| claim.id == id);
    let Some(claim) = known else {
        return Err(ApiError::internal("task group volume claim does not exist"));
    };
    call.permit_in(&claim.namespace)?;
    let applied = call
        .propose(Command::DeleteVolumeClaims {
            ids: vec![claim.id.clone()],
        })
        .await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}
