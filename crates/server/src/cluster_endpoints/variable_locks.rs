//! Locks on variables (http-api §2.10): taken, renewed, given back.

use super::variables::{answer_written, apply, check, encrypted, refused, sent};
use crate::admission::error_text;
use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{EncryptedVariable, ScopedKey, VariableOp};
use std::collections::BTreeMap;

/// What a request does with a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LockOperation {
    Acquire,
    Renew,
    Release,
}

/// The lock operation that the request asks for, if any.
pub(super) fn operation(call: &Call) -> Result<Option<LockOperation>, ApiError> {
    let query = &call.request.query;
    let asked: Vec<LockOperation> = [
        ("lock-acquire", LockOperation::Acquire),
        ("lock-renew", LockOperation::Renew),
        ("lock-release", LockOperation::Release),
    ]
    .into_iter()
    .filter(|(name, _)| query.has(name))
    .map(|(_, operation)| operation)
    .collect();
    match asked.as_slice() {
        [] => Ok(None),
        [_] if query.has("cas") => Err(ApiError::bad_request(
            "CAS can't be used with lock operations",
        )),
        [one] => Ok(Some(*one)),
        _ => Err(ApiError::bad_request("multiple lock operations")),
    }
}

pub(super) async fn carry_out(call: &Call, operation: LockOperation) -> Answered {
    match operation {
        LockOperation::Acquire => acquire(call).await,
        LockOperation::Renew => renew(call),
        LockOperation::Release => release(call).await,
    }
}

async fn acquire(call: &Call) -> Answered {
    let mut variable = sent(call)?;
    let mut lock = variable.lock.take().unwrap_or_default();
    if lock.ttl.is_zero() {
        lock.ttl = variable::DEFAULT_LOCK_TTL;
    }
    if lock.lock_delay.is_zero() {
        lock.lock_delay = variable::DEFAULT_LOCK_TTL;
    }
    let mut faults = Vec::new();
    if lock.ttl.0 < 0 || lock.lock_delay.0 < 0 {
        faults.push("Lock delay and TTL must be positive".to_owned());
    }
    if lock.ttl < variable::MIN_LOCK_TTL || lock.ttl > variable::MAX_LOCK_TTL {
        faults.push("TTL must be between 10 seconds and 24 hours".to_owned());
    }
    if !faults.is_empty() {
        return Err(refused(error_text(&faults)));
    }
    if lock.id.is_empty() {
        lock.id = clock::uuid();
    }
    check(
        &variable.path,
        variable.items.as_ref().unwrap_or(&BTreeMap::new()),
    )?;
    variable.lock = Some(lock.clone());
    let items = variable.items.as_ref().filter(|items| !items.is_empty());
    let row = encrypted(call, variable.metadata(), items).await?;
    let applied = apply(call, VariableOp::LockAcquire, row).await?;
    let key = ScopedKey::new(variable.namespace.clone(), variable.path.clone());
    call.shared.locks.renew(key, &lock, clock::steady());
    answer_written(call, &variable, &applied).await
}

fn lock_id(variable: &Variable) -> &str {
    variable.lock.as_ref().map_or("", |lock| lock.id.as_str())
}

fn renew(call: &Call) -> Answered {
    let variable = sent(call)?;
    if lock_id(&variable).is_empty() {
        return Err(ApiError::internal(error_text(&[
            "missing lock ID".to_owned()
        ])));
    }
    let key = ScopedKey::new(variable.namespace.clone(), variable.path.clone());
    let stored = call
        .state
        .variable(&key)
        .ok_or_else(|| ApiError::not_found("variable doesn't exist"))?;
    let held = stored
        .metadata
        .lock
        .as_ref()
        .filter(|lock| !lock.id.is_empty());
    let held = held.ok_or_else(|| ApiError::conflict("variable doesn't hold a lock"))?;
    if held.id != lock_id(&variable) {
        return Err(ApiError::conflict("attempting to modify locked variable"));
    }
    call.shared.locks.renew(key, held, clock::steady());
    Answer::json(&stored.metadata, Meta::none())
}

async fn release(call: &Call) -> Answered {
    let variable = sent(call)?;
    if variable
        .items
        .as_ref()
        .is_some_and(|items| !items.is_empty())
    {
        return Err(refused(
            "lock release operation doesn't take variable items",
        ));
    }
    if lock_id(&variable).is_empty() {
        return Err(refused("missing lock information"));
    }
    let row = EncryptedVariable {
        metadata: variable.metadata(),
        ..EncryptedVariable::default()
    };
    let index = Meta::write(0);
    let key = ScopedKey::new(variable.namespace.clone(), variable.path.clone());
    let stored = call.state.variable(&key);
    let stored =
        stored.ok_or_else(|| ApiError::internal("variable doesn't exist").with_meta(index))?;
    if stored.metadata.lock.is_none() {
        return Err(ApiError::conflict("variable doesn't hold a lock"));
    }
    let applied = apply(call, VariableOp::LockRelease, row).await?;
    let state = call.after(&applied).await;
    let stored = state
        .variable(&key)
        .ok_or_else(|| ApiError::internal("variable was deleted meanwhile"))?;
    Answer::json(
        &stored.metadata.clone().with_items(Some(BTreeMap::new())),
        Meta::write(applied.index),
    )
}
