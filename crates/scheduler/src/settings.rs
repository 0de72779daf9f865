//! What a decision depends on beside the snapshot and the evaluation.

use caravan_model::{KeyId, UnixNanos};

/// The time and the seed of a decision, and what it is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// The time that delays and deadlines are counted from.
    pub now: UnixNanos,
    /// Makes ids and breaks ties: the same seed gives the same plan.
    pub seed: u64,
    /// The key that signs the identities of what is placed now; nil while there is none.
    pub signing_key: KeyId,
}
