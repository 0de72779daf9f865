//! Variables: small encrypted key-value sets under a path, with locks.

use crate::id::{KeyId, NamespaceName};
use crate::shape;
use crate::time::{Duration, UnixNanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that a variable's keys and values may take together, in bytes.
pub const MAX_SIZE: usize = 64 * 1024;
/// How long a lock lives without renewal, and how long it is kept free afterwards, when not said.
pub const DEFAULT_LOCK_TTL: Duration = Duration::from_secs(15);
/// The shortest life of a lock.
pub const MIN_LOCK_TTL: Duration = Duration::from_secs(10);
/// The longest life of a lock.
pub const MAX_LOCK_TTL: Duration = Duration::from_secs(24 * 3600);

/// Everything about a variable but what is in it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VariableMetadata {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its path.
    pub path: String,
    /// The lock on it; shown only to its holder and to management.
    pub lock: Option<VariableLock>,
    /// Index of the creation.
    pub create_index: u64,
    /// When it was created.
    pub create_time: UnixNanos,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it last changed.
    pub modify_time: UnixNanos,
}

/// A variable in the clear.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "VariableDecrypted", rename_all = "PascalCase")]
pub struct Variable {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its path.
    pub path: String,
    /// The lock on it.
    pub lock: Option<VariableLock>,
    /// Index of the creation.
    pub create_index: u64,
    /// When it was created.
    pub create_time: UnixNanos,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it last changed.
    pub modify_time: UnixNanos,
    /// What is in it; null when it may not be seen.
    pub items: Option<BTreeMap<String, String>>,
}

impl Variable {
    /// Everything but what is in it.
    #[must_use]
    pub fn metadata(&self) -> VariableMetadata {
        VariableMetadata {
            namespace: self.namespace.clone(),
            path: self.path.clone(),
            lock: self.lock.clone(),
            create_index: self.create_index,
            create_time: self.create_time,
            modify_index: self.modify_index,
            modify_time: self.modify_time,
        }
    }
}

impl VariableMetadata {
    /// The variable with these items.
    #[must_use]
    pub fn with_items(self, items: Option<BTreeMap<String, String>>) -> Variable {
        // exhaustive
        let Self {
            namespace,
            path,
            lock,
            create_index,
            create_time,
            modify_index,
            modify_time,
        } = self;
        Variable {
            namespace,
            path,
            lock,
            create_index,
            create_time,
            modify_index,
            modify_time,
            items,
        }
    }
}

/// A variable as stored.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VariableEncrypted {
    /// Everything but what is in it.
    pub metadata: VariableMetadata,
    /// Nonce and ciphertext of the items.
    #[serde(with = "shape::base64_bytes")]
    pub data: Vec<u8>,
    /// The key it is encrypted with.
    #[serde(rename = "KeyID")]
    pub key_id: KeyId,
}

/// A lock on a variable.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VariableLock {
    /// How long it lives without renewal.
    #[serde(rename = "TTL", with = "shape::duration_text")]
    pub ttl: Duration,
    /// How long it is kept free after it ran out.
    #[serde(with = "shape::duration_text")]
    pub lock_delay: Duration,
    /// What its holder proves itself by.
    #[serde(rename = "ID")]
    pub id: String,
}
