//! What a decision depends on beside the snapshot and the evaluation.

use caravan_model::UnixNanos;

/// The time and the seed of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// The time that delays and deadlines are counted from.
    pub now: UnixNanos,
    /// Makes ids and breaks ties: the same seed gives the same plan.
    pub seed: u64,
}
