//! Commands about instances of services and about host volumes (server sheet §§7.3, 15.2).

use crate::change::Change;
use crate::error::ApplyError;
use crate::key::ScopedKey;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

pub(super) fn upsert(
    txn: &mut Txn<'_>,
    services: Vec<ServiceRegistration>,
) -> Result<(), ApplyError> {
    for mut service in services {
        let key = ScopedKey::new(service.namespace.clone(), service.id.clone());
        match txn.state.services.get(&key) {
            Some(old) => {
                service.create_index = old.create_index;
                service.modify_index = old.modify_index;
                if **old == service {
                    continue;
                }
            }
            None => service.create_index = txn.index,
        }
        service.modify_index = txn.index;
        let service = Arc::new(service);
        txn.state.services.insert(key, Arc::clone(&service));
        txn.touch(Table::Services);
        txn.changes.push(Change::Service(service));
    }
    Ok(())
}

/// Forgets instances; one alone must exist, of several those that are gone are passed over.
pub(super) fn delete(txn: &mut Txn<'_>, keys: &[ScopedKey]) -> Result<(), ApplyError> {
    let before = txn.changes.len();
    for key in keys {
        forget(txn, key);
    }
    if keys.len() == 1 && txn.changes.len() == before {
        return Err(ApplyError::ServiceNotFound);
    }
    Ok(())
}

fn forget(txn: &mut Txn<'_>, key: &ScopedKey) {
    if let Some(service) = txn.state.services.remove(key) {
        txn.touch(Table::Services);
        txn.changes.push(Change::ServiceRemoved(service));
    }
}

/// Forgets the instances on a node that is gone.
pub(super) fn delete_of_node(txn: &mut Txn<'_>, node: NodeId) {
    let keys: Vec<ScopedKey> = txn
        .state
        .services
        .iter()
        .filter(|(_, service)| service.node_id == node)
        .map(|(key, _)| key.clone())
        .collect();
    for key in keys {
        forget(txn, &key);
    }
}
