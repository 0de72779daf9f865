//! Rollouts: what users do to them, and what the leader does by itself (server sheet §8).

mod action;
mod revert;
mod watcher;

pub use action::{DeploymentError, fail, pause, promote, set_health};
pub use watcher::DeploymentWatcher;

#[cfg(test)]
mod tests;
