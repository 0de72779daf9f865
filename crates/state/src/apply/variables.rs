//! Commands about variables, their locks, and root keys (server sheet §§11, 12).

use crate::change::Change;
use crate::command::{EncryptedVariable, VariableOp, WrappedRootKey};
use crate::error::ApplyError;
use crate::key::ScopedKey;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

/// Carries out one operation on one variable.
pub(super) fn apply(
    txn: &mut Txn<'_>,
    operation: VariableOp,
    variable: EncryptedVariable,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let key = ScopedKey::new(
        variable.metadata.namespace.clone(),
        variable.metadata.path.clone(),
    );
    let stored = txn.state.variables.get(&key).cloned();
    let stored = stored.as_deref();
    match operation {
        VariableOp::Set => {
            check_lock(stored, &variable)?;
            write(txn, key, variable, now);
        }
        VariableOp::CheckAndSet => {
            check_index(stored, &variable)?;
            check_lock(stored, &variable)?;
            write(txn, key, variable, now);
        }
        VariableOp::Delete => {
            check_lock(stored, &variable)?;
            remove(txn, &key);
        }
        VariableOp::CheckAndDelete => {
            check_index(stored, &variable)?;
            check_lock(stored, &variable)?;
            remove(txn, &key);
        }
        VariableOp::LockAcquire => acquire(txn, key, stored, variable, now)?,
        VariableOp::LockRelease => release(txn, key, stored, &variable, now)?,
    }
    Ok(())
}

fn lock_id(variable: &EncryptedVariable) -> Option<&str> {
    variable
        .metadata
        .lock
        .as_ref()
        .map(|lock| lock.id.as_str())
        .filter(|id| !id.is_empty())
}

fn check_index(
    stored: Option<&EncryptedVariable>,
    given: &EncryptedVariable,
) -> Result<(), ApplyError> {
    if stored.map_or(0, |stored| stored.metadata.modify_index) == given.metadata.modify_index {
        return Ok(());
    }
    let current = stored.cloned().unwrap_or_else(|| blank(given));
    Err(ApplyError::VariableConflict(Some(Box::new(current))))
}

/// A lock that somebody else holds keeps everybody else's hands off; nothing of the variable is shown to them.
fn check_lock(
    stored: Option<&EncryptedVariable>,
    given: &EncryptedVariable,
) -> Result<(), ApplyError> {
    match stored.and_then(lock_id) {
        Some(held) if lock_id(given) != Some(held) => {
            Err(ApplyError::VariableConflict(Some(Box::new(blank(given)))))
        }
        _ => Ok(()),
    }
}

fn blank(given: &EncryptedVariable) -> EncryptedVariable {
    EncryptedVariable {
        metadata: VariableMetadata {
            namespace: given.metadata.namespace.clone(),
            path: given.metadata.path.clone(),
            ..VariableMetadata::default()
        },
        ..EncryptedVariable::default()
    }
}

fn write(txn: &mut Txn<'_>, key: ScopedKey, mut variable: EncryptedVariable, now: UnixNanos) {
    let stored = txn.state.variables.get(&key).cloned();
    variable.metadata.create_index = stored
        .as_ref()
        .map_or(txn.index, |old| old.metadata.create_index);
    variable.metadata.create_time = stored.as_ref().map_or(now, |old| old.metadata.create_time);
    if variable.metadata.lock.is_none() {
        variable.metadata.lock = stored.and_then(|old| old.metadata.lock.clone());
    }
    variable.metadata.modify_index = txn.index;
    variable.metadata.modify_time = now;
    let variable = Arc::new(variable);
    txn.state.variables.insert(key, Arc::clone(&variable));
    txn.touch(Table::Variables);
    txn.changes.push(Change::Variable(variable));
}

fn remove(txn: &mut Txn<'_>, key: &ScopedKey) {
    if let Some(variable) = txn.state.variables.remove(key) {
        txn.touch(Table::Variables);
        txn.changes.push(Change::VariableRemoved(variable));
    }
}

fn acquire(
    txn: &mut Txn<'_>,
    key: ScopedKey,
    stored: Option<&EncryptedVariable>,
    mut given: EncryptedVariable,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    check_lock(stored, &given)?;
    if given.data.is_empty()
        && let Some(stored) = stored
    {
        given.data.clone_from(&stored.data);
        given.key_id.clone_from(&stored.key_id);
    }
    write(txn, key, given, now);
    Ok(())
}

fn release(
    txn: &mut Txn<'_>,
    key: ScopedKey,
    stored: Option<&EncryptedVariable>,
    given: &EncryptedVariable,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let stored = stored.ok_or(ApplyError::VariableMissing)?;
    lock_id(stored).ok_or(ApplyError::VariableNotLocked)?;
    check_lock(Some(stored), given)?;
    let mut open = stored.clone();
    open.metadata.lock = None;
    open.metadata.modify_index = txn.index;
    open.metadata.modify_time = now;
    let open = Arc::new(open);
    txn.state.variables.insert(key, Arc::clone(&open));
    txn.touch(Table::Variables);
    txn.changes.push(Change::Variable(open));
    Ok(())
}

pub(super) fn upsert_root_keys(
    txn: &mut Txn<'_>,
    keys: Vec<WrappedRootKey>,
) -> Result<(), ApplyError> {
    for mut key in keys {
        let old = txn.state.root_keys.get(&key.meta.key_id.to_string());
        key.meta.create_index = old.map_or(txn.index, |old| old.meta.create_index);
        key.meta.modify_index = txn.index;
        txn.state
            .root_keys
            .insert(key.meta.key_id.to_string(), Arc::new(key));
        txn.touch(Table::RootKeys);
    }
    Ok(())
}

pub(super) fn delete_root_keys(txn: &mut Txn<'_>, ids: &[String]) -> Result<(), ApplyError> {
    for id in ids {
        if txn.state.root_keys.remove(id).is_some() {
            txn.touch(Table::RootKeys);
        }
    }
    Ok(())
}
