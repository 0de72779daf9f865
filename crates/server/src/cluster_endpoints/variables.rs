//! Variables (http-api §2.10, server sheet §11).

use super::variable_locks;
use crate::clock;
use crate::endpoints::list::{self, Keyed};
use crate::endpoints::{Answered, Call};
use crate::keyring::{self, KeyringError};
use crate::propose::ProposeError;
use caravan_acl::VariableCapability;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{
    Applied, ApplyError, Command, EncryptedVariable, ScopedKey, Table, VariableOp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const TABLES: &[Table] = &[Table::Variables];

/// A row as filters see it: the metadata is embedded, so that its members have to be named through it.
#[derive(serde::Serialize)]
struct Row {
    #[serde(rename = "VariableMetadata")]
    metadata: VariableMetadata,
}

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let rows = call
        .state
        .variables()
        .map(|row| &row.metadata)
        .filter(|row| call.in_scope(&row.namespace) && row.path.starts_with(prefix))
        .filter(|row| {
            call.caller
                .on_variable(row.namespace.as_str(), &row.path, VariableCapability::List)
        })
        .map(|row| Keyed {
            key: format!("{}.{}", row.namespace, row.path),
            row: Arc::new(Row {
                metadata: row.clone(),
            }),
        })
        .collect();
    // The order cannot be turned round here.
    let mut forward = call.clone();
    forward.request.options.reverse = false;
    let mut answer = list::answer(&forward, TABLES, rows, |row| row.metadata.clone())?;
    // Even before the first was written there is something to wait for.
    answer.head.meta.index = answer.head.meta.index.map(|index| index.max(1));
    Ok(answer)
}

/// The namespace and path that the request names.
pub(super) fn key(call: &Call) -> ScopedKey {
    ScopedKey::new(call.request.namespace(), call.request.param("path"))
}

/// The items of a stored variable.
pub(super) fn items(
    call: &Call,
    variable: &EncryptedVariable,
) -> Result<BTreeMap<String, String>, ApiError> {
    if variable.data.is_empty() {
        return Ok(BTreeMap::new());
    }
    let state = call.shared.store.snapshot();
    let key = call.shared.keyring.key(&state, &variable.key_id)?;
    let plain = key.decrypt(&variable.data).map_err(KeyringError::from)?;
    serde_json::from_slice(&plain)
        .map_err(|error| ApiError::internal(format!("variable cannot be read: {error}")))
}

/// The stored variable with its items.
pub(super) fn decrypted(call: &Call, variable: &EncryptedVariable) -> Result<Variable, ApiError> {
    Ok(variable
        .metadata
        .clone()
        .with_items(Some(items(call, variable)?)))
}

pub(super) fn read(call: &Call) -> Answered {
    match call.state.variable(&key(call)) {
        Some(variable) => {
            let shown = decrypted(call, variable)?;
            call.object(&shown, variable.metadata.modify_index, TABLES)
        }
        None => Err(call.missing("variable not found", TABLES)),
    }
}

/// The index of a check-and-set, when one is asked for.
pub(super) fn cas(call: &Call) -> Result<Option<u64>, ApiError> {
    let Some(text) = call.request.query.text("cas") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "can not parse cas: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

/// A refusal by the state's side, which is told with the prefix of a call between servers.
pub(super) fn refused(text: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("RPC Error:: 400,{text}")).with_meta(Meta::write(0))
}

fn check_path(path: &str) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_~/".contains(c);
    if !(1..=128).contains(&path.len()) || !path.chars().all(letters) {
        return Err(format!("invalid path {path:?}"));
    }
    let parts: Vec<&str> = path.split('/').collect();
    let fine = match parts.as_slice() {
        ["nomad", "jobs" | "sentinel", ..] => true,
        ["nomad", "job-templates", _] => true,
        ["nomad", "job-templates", ..] => {
            return Err(
                "only paths at \"nomad/job-templates/<name>\" are valid job template paths"
                    .to_owned(),
            );
        }
        ["nomad", ..] => false,
        _ => true,
    };
    if fine {
        return Ok(());
    }
    Err("only paths at \"nomad/jobs\" or \"nomad/job-templates\" and below are valid paths under the top-level \
         \"nomad\" directory"
        .to_owned())
}

/// Checks path and items of what is to be written.
pub(super) fn check(path: &str, items: &BTreeMap<String, String>) -> Result<(), ApiError> {
    check_path(path).map_err(refused)?;
    let size: usize = items
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > variable::MAX_SIZE {
        return Err(refused("variables are limited to 64KiB in total size"));
    }
    Ok(())
}

/// The variable as it is put into the log.
pub(super) async fn encrypted(
    call: &Call,
    metadata: VariableMetadata,
    items: Option<&BTreeMap<String, String>>,
) -> Result<EncryptedVariable, ApiError> {
    let Some(items) = items else {
        return Ok(EncryptedVariable {
            metadata,
            ..EncryptedVariable::default()
        });
    };
    let state = keyring::ready(&call.shared.store).await;
    let key = call.shared.keyring.active(&state)?;
    let plain = serde_json::to_vec(items).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(EncryptedVariable {
        metadata,
        data: key.encrypt(keyring::nonce()?, &plain),
        key_id: key.id().to_owned(),
    })
}

/// Proposes an operation; a conflict is told with the variable that is in the way.
pub(super) async fn apply(
    call: &Call,
    operation: VariableOp,
    variable: EncryptedVariable,
) -> Result<Arc<Applied>, ApiError> {
    let command = Command::ApplyVariable {
        operation,
        variable: Box::new(variable),
        now: clock::now(),
    };
    match call.shared.proposer.propose(&command).await {
        Ok(applied) => Ok(applied),
        Err(ProposeError::Refused(ApplyError::VariableConflict(current))) => {
            let error = conflict(call, current.as_deref())?;
            let locked = current
                .as_ref()
                .is_some_and(|current| current.metadata.create_index == 0);
            let index = if locked {
                0
            } else {
                call.shared.store.snapshot().index()
            };
            let plain = matches!(operation, VariableOp::LockAcquire | VariableOp::LockRelease);
            Err(if plain {
                error
            } else {
                error.with_meta(Meta::write(index))
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn conflict(call: &Call, current: Option<&EncryptedVariable>) -> Result<ApiError, ApiError> {
    let shown = match current {
        Some(current) if current.data.is_empty() => current.metadata.clone().with_items(None),
        Some(current) => {
            let at = &current.metadata;
            let reads =
                call.caller
                    .on_variable(at.namespace.as_str(), &at.path, VariableCapability::Read);
            if reads {
                decrypted(call, current)?
            } else {
                at.clone().with_items(None)
            }
        }
        None => Variable::default(),
    };
    let text =
        serde_json::to_string(&shown).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(ApiError::conflict(text))
}

/// The variable of the request's body, at the path of the request.
pub(super) fn sent(call: &Call) -> Result<Variable, ApiError> {
    let mut variable: Variable = call.request.json()?;
    variable.path = call.request.param("path").to_owned();
    if variable.namespace.as_str().is_empty() {
        variable.namespace = call.request.namespace().into();
    }
    call.permit_in(&variable.namespace)?;
    Ok(variable)
}

pub(super) async fn write(call: &Call) -> Answered {
    if let Some(operation) = variable_locks::operation(call)? {
        return variable_locks::carry_out(call, operation).await;
    }
    let cas = cas(call)?;
    let variable = sent(call)?;
    let items = variable.items.as_ref().filter(|items| !items.is_empty());
    let items =
        items.ok_or_else(|| ApiError::bad_request("variable missing required Items object"))?;
    check(&variable.path, items)?;
    if variable
        .lock
        .as_ref()
        .is_some_and(|lock| !lock.ttl.is_zero() || !lock.lock_delay.is_zero())
    {
        return Err(refused(
            "RPC Error:: 400,variable should not contain lock definition",
        ));
    }
    let mut metadata = variable.metadata();
    metadata.modify_index = cas.unwrap_or(0);
    let operation = if cas.is_some() {
        VariableOp::CheckAndSet
    } else {
        VariableOp::Set
    };
    let applied = apply(
        call,
        operation,
        encrypted(call, metadata, Some(items)).await?,
    )
    .await?;
    answer_written(call, &variable, &applied).await
}

/// Shows a variable as it is after a write.
pub(super) async fn answer_written(
    call: &Call,
    variable: &Variable,
    applied: &Applied,
) -> Answered {
    let state = call.after(applied).await;
    let key = ScopedKey::new(variable.namespace.clone(), variable.path.clone());
    let stored = state
        .variable(&key)
        .ok_or_else(|| ApiError::internal("variable was deleted meanwhile"))?;
    Answer::json(&decrypted(call, stored)?, Meta::write(applied.index))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let cas = cas(call)?;
    let metadata = VariableMetadata {
        namespace: call.request.namespace().into(),
        path: call.request.param("path").to_owned(),
        modify_index: cas.unwrap_or(0),
        ..VariableMetadata::default()
    };
    let operation = if cas.is_some() {
        VariableOp::CheckAndDelete
    } else {
        VariableOp::Delete
    };
    let variable = EncryptedVariable {
        metadata,
        ..EncryptedVariable::default()
    };
    let applied = apply(call, operation, variable).await?;
    Ok(Answer::empty(Meta::write(applied.index)).with_status(204))
}
