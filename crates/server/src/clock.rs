//! The one place where the server reads a clock or makes an id: decisions are told both.

use caravan_model::{EvalId, UnixNanos};

/// The time now.
#[must_use]
pub(crate) fn now() -> UnixNanos {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A fresh number that ids are made of.
pub(crate) fn fresh() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

/// A fresh evaluation id.
#[must_use]
pub(crate) fn eval_id() -> EvalId {
    EvalId(uuid::Uuid::new_v4())
}

/// A fresh UUID as text.
#[must_use]
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A fresh seed for a decision that needs randomness.
#[must_use]
pub(crate) fn seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Thirty-two fresh bytes.
#[must_use]
pub(crate) fn seed_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes
}
