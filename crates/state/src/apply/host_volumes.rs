//! Commands about dynamic host volumes, and what registered nodes say about them (server sheet §15.2).

use crate::change::Change;
use crate::error::ApplyError;
use crate::key::ScopedKey;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

pub(super) fn upsert(txn: &mut Txn<'_>, volumes: Vec<HostVolume>) -> Result<(), ApplyError> {
    for mut volume in volumes {
        let key = ScopedKey::new(volume.namespace.clone(), volume.id.clone());
        let old = txn.state.host_volumes.get(&key);
        volume.create_index = old.map_or(txn.index, |old| old.create_index);
        let seen = txn
            .state
            .nodes
            .get(&volume.node_id)
            .is_some_and(|node| shows(node, &volume));
        if seen {
            volume.state = HostVolumeState::Ready;
        }
        put(txn, key, volume);
    }
    Ok(())
}

pub(super) fn delete(txn: &mut Txn<'_>, keys: &[ScopedKey]) -> Result<(), ApplyError> {
    for key in keys {
        if let Some(volume) = txn.state.host_volumes.remove(key) {
            txn.touch(Table::HostVolumes);
            super::volume_claims::forget_volume(txn, &volume);
            txn.changes.push(Change::HostVolumeRemoved(volume));
        }
    }
    Ok(())
}

/// Takes over what a node that was just registered says about its volumes.
pub(super) fn seen_by(txn: &mut Txn<'_>, node: &Node) {
    let moved: Vec<(ScopedKey, HostVolume)> = txn
        .state
        .host_volumes
        .iter()
        .filter(|(_, volume)| volume.node_id == node.id)
        .filter_map(|(key, volume)| {
            let state = match (shows(node, volume), volume.state) {
                (true, _) => HostVolumeState::Ready,
                (false, HostVolumeState::Ready) => HostVolumeState::Unavailable,
                (false, state) => state,
            };
            (state != volume.state).then(|| {
                (
                    key.clone(),
                    HostVolume {
                        state,
                        ..HostVolume::clone(volume)
                    },
                )
            })
        })
        .collect();
    for (key, volume) in moved {
        put(txn, key, volume);
    }
}

fn shows(node: &Node, volume: &HostVolume) -> bool {
    node.host_volumes
        .get(&volume.name)
        .is_some_and(|shown| shown.id == volume.id)
}

fn put(txn: &mut Txn<'_>, key: ScopedKey, mut volume: HostVolume) {
    volume.modify_index = txn.index;
    let volume = Arc::new(volume);
    txn.state.host_volumes.insert(key, Arc::clone(&volume));
    txn.touch(Table::HostVolumes);
    txn.changes.push(Change::HostVolume(volume));
}
