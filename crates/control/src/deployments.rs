//! Rollouts: what users do to them, and what the leader does by itself (server sheet §8).

mod action;
mod revert;

pub use action::{DeploymentError, fail, pause, promote, set_health};

#[cfg(test)]
mod tests;
