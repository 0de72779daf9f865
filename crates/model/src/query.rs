//! Metadata that reads and writes carry in their bodies, flattened.

use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// What a read says about how fresh it is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryMeta {
    /// The state index of the answer.
    pub index: u64,
    /// How long ago the server last heard of the leader.
    pub last_contact: Duration,
    /// Whether there is a leader.
    pub known_leader: bool,
    /// Where the next page begins; empty on the last.
    pub next_token: String,
}

/// What a write says: an answer with nothing but the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WriteMeta {
    /// The index of the write.
    pub index: u64,
}
