//! The data folder belongs to one agent at a time.

use crate::config::AgentConfig;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;

/// Held while the agent runs.
pub(super) type Lock = Flock<File>;

/// Makes the data folder and claims it.
pub(super) fn claim(config: &AgentConfig) -> Result<Lock, String> {
    let folder = &config.dirs.data;
    std::fs::create_dir_all(folder).map_err(|error| {
        format!(
            "Error starting agent: the data folder {} cannot be made: {error}",
            folder.display()
        )
    })?;
    let path = folder.join("agent.lock");
    let file = File::create(&path).map_err(|error| {
        format!(
            "Error starting agent: {} cannot be written: {error}",
            path.display()
        )
    })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        format!(
            "Error starting agent: another agent uses the data folder {}; stop it, or give this one its own -data-dir",
            folder.display()
        )
    })
}
