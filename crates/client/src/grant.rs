//! What Vault and Consul give for a signed identity.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an identity was exchanged for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) token: String,
    /// `None`: it does not end.
    pub(crate) lasts: Option<Duration>,
}
