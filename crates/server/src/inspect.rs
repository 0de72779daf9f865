//! Looking into the data of a server that does not run: its log as commands, and the state that the log leads to.

use crate::fsm;
use caravan_consensus::{LogEntry, Logged, StartError, read_log, read_snapshot};
use caravan_state::State;
use serde_json::{Value, json};
use std::path::Path;

/// Why the data cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// There is no log, another agent uses it, or it is damaged.
    #[error(transparent)]
    Log(#[from] StartError),
    /// The snapshot or an entry cannot be read by this version.
    #[error("{0}")]
    Unreadable(String),
}

/// Where the log ends and what it is of.
///
/// # Errors
/// See [`InspectError`].
pub fn log_info(dir: &Path) -> Result<Value, InspectError> {
    let entries = read_log(dir)?;
    let snapshot = read_snapshot(dir)?;
    Ok(json!({
        "path": dir.display().to_string(),
        "first_index": entries.first().map(|entry| entry.index),
        "last_index": entries.last().map(|entry| entry.index),
        "last_term": entries.last().map(|entry| entry.term),
        "length": entries.len(),
        "snapshot_index": snapshot.map(|snapshot| snapshot.index),
    }))
}

/// The entries of the log.
///
/// # Errors
/// See [`InspectError`].
pub fn log_entries(dir: &Path) -> Result<Value, InspectError> {
    Ok(read_log(dir)?.iter().map(shown).collect())
}

fn shown(entry: &LogEntry) -> Value {
    let (kind, body) = match &entry.content {
        Logged::Blank => ("Noop", Value::Null),
        Logged::Members(members) => ("Configuration", json!(members)),
        Logged::Command(bytes) => match fsm::decode(bytes) {
            Ok(command) => (
                "Command",
                caravan_codec::json::to_value(&command)
                    .unwrap_or_else(|_| json!(format!("{command:?}"))),
            ),
            Err(error) => ("Unreadable", json!(error.to_string())),
        },
    };
    json!({"Index": entry.index, "Term": entry.term, "Type": kind, "Body": body})
}

/// The state after the entry with this index, or after all of them; as it is dumped.
///
/// # Errors
/// See [`InspectError`].
pub fn state_dump(dir: &Path, last: Option<u64>) -> Result<Vec<u8>, InspectError> {
    let unreadable = |error: &dyn std::fmt::Display| InspectError::Unreadable(error.to_string());
    let mut state = match read_snapshot(dir)? {
        Some(snapshot) => {
            let mut state = State::restore(&snapshot.data).map_err(|error| unreadable(&error))?;
            state.advance(snapshot.index);
            state
        }
        None => State::initial(),
    };
    for entry in read_log(dir)? {
        if entry.index <= state.index() || last.is_some_and(|last| entry.index > last) {
            continue;
        }
        match &entry.content {
            Logged::Command(bytes) => {
                let command = fsm::decode(bytes).map_err(|error| unreadable(&error))?;
                // A command that was refused then is refused now.
                let _ = state.apply(entry.index, command);
            }
            Logged::Blank | Logged::Members(_) => state.advance(entry.index),
        }
    }
    Ok(state.dump())
}
