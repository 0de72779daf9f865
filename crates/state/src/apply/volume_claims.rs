//! Claims on sticky host volumes: a group that once ran on such a volume goes on running there (server sheet §15.2).

use crate::change::Change;
use crate::error::ApplyError;
use crate::key::{ClaimKey, JobKey, ScopedKey};
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

/// A new allocation claims the sticky volumes of its group on its node. A claim that the group has already goes over
/// to the allocation.
pub(super) fn claim(txn: &mut Txn<'_>, alloc: &Allocation) {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let sticky = group
        .iter()
        .flat_map(|group| group.volumes.values())
        .filter(|volume| volume.sticky);
    let sources: Vec<String> = sticky
        .map(|volume| volume.source_for(&alloc.name))
        .collect();
    for source in sources {
        let node = txn.state.nodes.get(&alloc.node_id);
        let shown = node.and_then(|node| node.host_volumes.get(&source));
        let Some(id) = shown
            .map(|shown| shown.id.clone())
            .filter(|id| !id.is_empty())
        else {
            continue;
        };
        let mut claim = TaskGroupHostVolumeClaim {
            id: id_of(alloc, &id),
            namespace: alloc.namespace.clone(),
            job_id: alloc.job_id.clone(),
            task_group_name: alloc.task_group.clone(),
            alloc_id: alloc.id,
            volume_id: id,
            volume_name: source,
            create_index: txn.index,
            modify_index: txn.index,
        };
        let key = ClaimKey::of(&claim);
        if let Some(known) = txn.state.volume_claims.get(&key) {
            claim.id.clone_from(&known.id);
            claim.create_index = known.create_index;
        }
        txn.state.volume_claims.insert(key, Arc::new(claim));
        txn.touch(Table::VolumeClaims);
    }
}

/// The same on every server: made of the ids of the allocation and the volume.
fn id_of(alloc: &Allocation, volume: &str) -> String {
    let volume = volume.parse().unwrap_or(AllocId::NIL).0.as_u128();
    AllocId::from_u128(alloc.id.0.as_u128() ^ volume).to_string()
}

pub(super) fn delete(txn: &mut Txn<'_>, ids: &[String]) -> Result<(), ApplyError> {
    forget_where(txn, |_, claim| ids.contains(&claim.id));
    Ok(())
}

pub(super) fn forget_job(txn: &mut Txn<'_>, job: &JobKey) {
    let claims = txn
        .state
        .volume_claims_of_job(job)
        .map(|claim| ClaimKey::of(claim));
    for key in claims.collect::<Vec<_>>() {
        txn.state.volume_claims.remove(&key);
        txn.touch(Table::VolumeClaims);
    }
}

pub(super) fn forget_volume(txn: &mut Txn<'_>, volume: &HostVolume) {
    let volume = ScopedKey::new(volume.namespace.clone(), volume.id.clone());
    forget_where(txn, |key, _| {
        key.job.namespace == volume.namespace && key.volume == volume.name
    });
}

fn forget_where(
    txn: &mut Txn<'_>,
    unwanted: impl Fn(&ClaimKey, &TaskGroupHostVolumeClaim) -> bool,
) {
    let claims = txn
        .state
        .volume_claims
        .iter()
        .filter(|(key, claim)| unwanted(key, claim));
    for key in claims.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
        txn.state.volume_claims.remove(&key);
        txn.touch(Table::VolumeClaims);
        txn.changes.push(Change::VolumeClaimRemoved(key.job));
    }
}
