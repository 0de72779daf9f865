//! What a driver finds out about its host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Undetected,
    Unhealthy,
    Healthy,
}

/// One look at the host. Attributes go to the node; `detected` and health to the node's driver list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub attributes: BTreeMap<String, String>,
    pub health: Health,
    pub description: String,
}

impl Fingerprint {
    #[must_use]
    pub fn healthy(attributes: BTreeMap<String, String>) -> Self {
        Self {
            attributes,
            health: Health::Healthy,
            description: "Healthy".into(),
        }
    }

    #[must_use]
    pub fn undetected(description: impl Into<String>) -> Self {
        Self {
            attributes: BTreeMap::new(),
            health: Health::Undetected,
            description: description.into(),
        }
    }

    #[must_use]
    pub fn unhealthy(description: impl Into<String>) -> Self {
        Self {
            attributes: BTreeMap::new(),
            health: Health::Unhealthy,
            description: description.into(),
        }
    }

    #[must_use]
    pub fn detected(&self) -> bool {
        self.health != Health::Undetected
    }

    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }
}
