//! The room as other rooms see it: a server that leads, without a network.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod claims;
mod forgotten;
mod health;
mod parameters;
mod registration;
mod restore;
mod scale;
mod statuses;
mod support;

/// Far longer than anything here takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
