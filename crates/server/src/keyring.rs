//! The keys of the cluster as this server holds them: unwrapped once, looked up by id, renewed by the leader.

use crate::clock;
use crate::propose::{ProposeError, Proposer};
use crate::store::Store;
use caravan_identity::{IdentityError, RootKey};
use caravan_model::*;
use caravan_state::{Command, State, Table, WrappedRootKey};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a request waits for the cluster's first key.
const FIRST_KEY: std::time::Duration = std::time::Duration::from_secs(10);

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    /// The cluster has no active key yet.
    #[error("keyring has not been initialized yet")]
    NotReady,
    /// The key is not in the state.
    #[error("no such key {0:?} in keyring")]
    Unknown(String),
    /// The key is there and cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The change could not be made.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The key could not be made.
    #[error("a root key could not be made: {0}")]
    Make(String),
}

/// Keys that were unwrapped, by id.
#[derive(Default)]
pub(crate) struct Keyring {
    unwrapped: Mutex<BTreeMap<String, Arc<RootKey>>>,
}

impl Keyring {
    /// A key of the state, unwrapped.
    pub(crate) fn key(&self, state: &State, id: &str) -> Result<Arc<RootKey>, KeyringError> {
        let mut unwrapped = self
            .unwrapped
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = unwrapped.get(id) {
            return Ok(Arc::clone(key));
        }
        let row = state
            .root_key(&id.to_owned())
            .ok_or_else(|| KeyringError::Unknown(id.to_owned()))?;
        let document = row
            .wrapped
            .first()
            .ok_or_else(|| KeyringError::Unknown(id.to_owned()))?;
        let key = Arc::new(RootKey::unwrap(id, document)?);
        unwrapped.insert(id.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// The public halves of all keys that may have signed what is still valid.
    pub(crate) fn public(&self, state: &State) -> Result<Vec<Jwk>, KeyringError> {
        let rows = state
            .root_keys()
            .filter(|row| row.meta.state != KeyState::Deprecated);
        rows.map(|row| Ok(self.key(state, &row.meta.key_id.to_string())?.jwk()))
            .collect()
    }

    /// The key that new things are encrypted and signed with.
    pub(crate) fn active(&self, state: &State) -> Result<Arc<RootKey>, KeyringError> {
        let row = active_row(state).ok_or(KeyringError::NotReady)?;
        self.key(state, &row.meta.key_id.to_string())
    }
}

/// The id of the key that new things are signed with.
pub(crate) fn active_id(state: &State) -> Option<KeyId> {
    active_row(state).map(|row| row.meta.key_id)
}

fn active_row(state: &State) -> Option<&Arc<WrappedRootKey>> {
    state
        .root_keys()
        .find(|row| row.meta.state == KeyState::Active)
}

/// The state once it has an active key; the state as it is when that takes too long.
pub(crate) async fn ready(store: &Store) -> Arc<State> {
    let with_key = async {
        loop {
            let state = store.snapshot();
            if active_row(&state).is_some() {
                return state;
            }
            store
                .tables_moved(&[Table::RootKeys], state.index_of(Table::RootKeys))
                .await;
        }
    };
    match tokio::time::timeout(FIRST_KEY, with_key).await {
        Ok(state) => state,
        Err(_) => store.snapshot(),
    }
}

/// 32 fresh random bytes.
fn random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|error| KeyringError::Make(error.to_string()))?;
    Ok(bytes)
}

/// A fresh nonce.
pub(crate) fn nonce() -> Result<[u8; 12], KeyringError> {
    random()
}

/// Makes a key, off the event loop: finding primes takes a while.
pub(crate) async fn make(
    state: KeyState,
    publish_time: UnixNanos,
) -> Result<WrappedRootKey, KeyringError> {
    let id = clock::uuid();
    let make = {
        let id = id.clone();
        move || -> Result<(Vec<u8>, Vec<u8>), KeyringError> {
            let key = RootKey::new(id, random()?, RootKey::generate_signing_der()?)?;
            Ok((key.wrap(&random()?), key.public_der()))
        }
    };
    let made = tokio::task::spawn_blocking(make)
        .await
        .map_err(|error| KeyringError::Make(error.to_string()))?;
    let (wrapped, public_key) = made?;
    let key_id = id.parse().map_err(|_| KeyringError::Unknown(id.clone()))?;
    let meta = RootKeyMeta {
        key_id,
        algorithm: "aes256-gcm".to_owned(),
        create_time: clock::now(),
        state,
        publish_time,
        ..RootKeyMeta::default()
    };
    Ok(WrappedRootKey {
        meta,
        wrapped: vec![wrapped],
        public_key,
    })
}

/// Gives a cluster without a key its first one: the leader's duty.
pub(crate) async fn initialize(store: &Store, proposer: &Proposer) -> Result<(), KeyringError> {
    if active_row(&store.snapshot()).is_none() {
        let key = make(KeyState::Active, UnixNanos::ZERO).await?;
        proposer
            .propose(&Command::UpsertRootKeys { keys: vec![key] })
            .await?;
    }
    Ok(())
}
