//! The keys of the cluster (http-api §2.8, server sheet §12).

use crate::endpoints::{Answered, Call};
use crate::keyring::{self, KeyringError};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table, WrappedRootKey};
use std::sync::Arc;

const TABLES: &[Table] = &[Table::RootKeys];
/// How long others may keep the public keys: a key is published long before it signs.
const PUBLIC_KEYS_AGE: &str = "max-age=3600";

impl From<KeyringError> for ApiError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Propose(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

/// Keys in the order in which they were made.
fn in_order(call: &Call) -> Vec<Arc<WrappedRootKey>> {
    let mut keys: Vec<_> = call.state.root_keys().cloned().collect();
    keys.sort_by_key(|key| (key.meta.create_index, key.meta.create_time));
    keys
}

/// The call with a state that has a key, which a new cluster takes a moment to make.
async fn with_key(call: &Call) -> Call {
    Call {
        state: keyring::ready(&call.shared.store).await,
        ..call.clone()
    }
}

pub(super) async fn list(call: &Call) -> Answered {
    let call = with_key(call).await;
    let metas: Vec<RootKeyMeta> = in_order(&call).iter().map(|key| key.meta.clone()).collect();
    call.tables(&metas, TABLES)
}

pub(super) async fn jwks(call: &Call) -> Answered {
    let call = with_key(call).await;
    let mut keys = Vec::new();
    for row in in_order(&call)
        .iter()
        .filter(|row| row.meta.state != KeyState::Deprecated)
    {
        keys.push(
            call.shared
                .keyring
                .key(&call.state, &row.meta.key_id.to_string())?
                .jwk(),
        );
    }
    Ok(call
        .tables(&Jwks { keys }, TABLES)?
        .with_header("cache-control", PUBLIC_KEYS_AGE))
}

pub(super) async fn rotate(call: &Call) -> Answered {
    let query = &call.request.query;
    let full = query.has("full") && query.get("full") != Some("false");
    let publish = query.text("publish_time").map(|text| {
        text.parse::<i64>().map_err(|_| {
            ApiError::internal(format!(
                "invalid publish_time: strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        })
    });
    let publish = UnixNanos(publish.transpose()?.unwrap_or(0));
    if full && !publish.is_zero() {
        return Err(ApiError::internal(
            "keyring cannot be prepublished and full rotated at the same time",
        ));
    }
    let state = if publish.is_zero() {
        KeyState::Active
    } else {
        KeyState::Prepublished
    };
    let key = keyring::make(state, publish).await?;
    let shown = key.meta.clone();
    let mut keys = vec![key];
    if state == KeyState::Active {
        let now = call.shared.store.snapshot();
        let old = now
            .root_keys()
            .filter(|row| row.meta.state == KeyState::Active)
            .map(|row| {
                let mut row = WrappedRootKey::clone(row);
                row.meta.state = if full {
                    KeyState::Rekeying
                } else {
                    KeyState::Inactive
                };
                row
            });
        keys.extend(old);
    }
    let applied = call.propose(Command::UpsertRootKeys { keys }).await?;
    if full {
        rekey(call).await?;
    }
    Answer::json(
        &KeyringRotateResponse {
            key: Some(shown),
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}

/// Encrypts every variable anew by the active key; afterwards the old keys are needed no more.
async fn rekey(call: &Call) -> Result<(), ApiError> {
    let state = call.shared.store.snapshot();
    let active = call.shared.keyring.active(&state)?;
    for variable in state
        .variables()
        .filter(|variable| variable.key_id != active.id())
    {
        let old = call.shared.keyring.key(&state, &variable.key_id)?;
        let plain = old.decrypt(&variable.data).map_err(KeyringError::from)?;
        let mut anew = caravan_state::EncryptedVariable::clone(variable);
        anew.data = active.encrypt(keyring::nonce()?, &plain);
        anew.key_id = active.id().to_owned();
        let command = Command::ApplyVariable {
            operation: caravan_state::VariableOp::CheckAndSet,
            variable: Box::new(anew),
            now: crate::clock::now(),
        };
        // Whoever wrote it meanwhile did so with the active key.
        match call.shared.proposer.propose(&command).await {
            Ok(_) | Err(crate::propose::ProposeError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let done: Vec<WrappedRootKey> = state
        .root_keys()
        .filter(|row| row.meta.state == KeyState::Rekeying)
        .map(|row| {
            let mut row = WrappedRootKey::clone(row);
            row.meta.state = KeyState::Inactive;
            row
        })
        .collect();
    call.propose(Command::UpsertRootKeys { keys: done }).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call) -> Answered {
    let force = call
        .request
        .query
        .flag("force")
        .map_err(|_| ApiError::new(422, "invalid force parameter"))?;
    let id = call.request.param("id").to_owned();
    let key = call
        .state
        .root_key(&id)
        .ok_or_else(|| ApiError::internal("root key not found"))?;
    if key.meta.state == KeyState::Active {
        return Err(ApiError::internal(
            "active root key cannot be deleted - call rotate first",
        ));
    }
    let used = call.state.variables().any(|variable| variable.key_id == id)
        || call
            .state
            .allocs()
            .any(|alloc| alloc.signing_key_id == key.meta.key_id && !alloc.terminal_status());
    if used && !force {
        return Err(ApiError::internal("root key in use, cannot delete"));
    }
    let applied = call
        .propose(Command::DeleteRootKeys { ids: vec![id] })
        .await?;
    Answer::json(
        &WriteMeta {
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}
