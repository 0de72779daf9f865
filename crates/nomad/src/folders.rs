//! Looking into the data folders of agents that do not run, for the command line.

use caravan_cli::{Found, Look};
use caravan_server::inspect;
use std::path::{Path, PathBuf};

/// See [`caravan_cli::LookInto`].
///
/// # Errors
/// The folder is not what was looked for, is in use, or is damaged.
pub fn look_into(look: Look, folder: &Path) -> Result<Found, String> {
    let text = |error: inspect::InspectError| error.to_string();
    match look {
        Look::ClientState => caravan_client::client_state(folder).map(Found::Json),
        Look::RaftInfo => inspect::log_info(&log_of(folder)?)
            .map(Found::Json)
            .map_err(text),
        Look::RaftLogs => inspect::log_entries(&log_of(folder)?)
            .map(Found::Json)
            .map_err(text),
        Look::RaftState(last) => inspect::state_dump(&log_of(folder)?, last)
            .map(Found::Packed)
            .map_err(text),
    }
}

/// The folder of the log: named itself, or within a server's or an agent's.
fn log_of(folder: &Path) -> Result<PathBuf, String> {
    let inside = ["", "raft", "server/raft"].map(|inside| folder.join(inside));
    let found = inside
        .into_iter()
        .find(|path| path.join("raft.redb").exists());
    found.ok_or_else(|| "there is no log of a server".to_owned())
}
