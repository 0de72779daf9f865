//! Commands that look into the data folder of an agent that does not run.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, switch};
use crate::json::{Fields, list, pretty_sorted};
use crate::lent::{Found, Look, look_into};
use crate::msgpack::Packed;
use crate::table::pairs;
use serde_json::Value;
use std::path::Path;

pub(super) const CLIENT_STATE: Command = Command {
    name: "operator client-state",
    args: "<data dir>",
    synopsis: "Displays the state of a client that does not run",
    about: "Displays what the client with this data folder would take up again when it is started: its allocations, their tasks and how they did, as JSON. The client must not run.",
    client: false,
    run: client_state,
    ..COMMAND
};

pub(super) const RAFT_INFO: Command = Command {
    name: "operator raft info",
    args: "<data dir>",
    synopsis: "Displays where the log of a server begins and ends",
    about: "Displays the first and last entry of the log in a server's data folder. The server must not run.",
    client: false,
    run: raft_info,
    ..COMMAND
};

pub(super) const RAFT_LOGS: Command = Command {
    name: "operator raft logs",
    args: "[options] <data dir>",
    synopsis: "Displays the log of a server that does not run",
    about: "Displays the entries of the log in a server's data folder, one JSON object a line. The server must not run.",
    flags: &[switch("pretty", "Indented JSON, as one list.")],
    client: false,
    run: raft_logs,
    ..COMMAND
};

pub(super) const RAFT_STATE: Command = Command {
    name: "operator raft state",
    args: "[options] <data dir>",
    synopsis: "Displays the state of a server that does not run",
    about: "Displays the state that the log in a server's data folder leads to, as JSON. What is encrypted stays so. The server must not run.",
    flags: &[int(
        "last-index",
        "0",
        "The last entry to apply. All of them when 0.",
    )],
    client: false,
    run: raft_state,
    ..COMMAND
};

pub(super) const RAFT_MIGRATE: Command = Command {
    name: "operator raft migrate-backend",
    args: "[options] <data dir>",
    synopsis: "Migrates the log to another storage",
    about: "There is one kind of storage for the log, so that there is nothing to migrate.",
    flags: &[switch("yes", "Do not ask.")],
    client: false,
    run: migrate,
    ..COMMAND
};

fn look(context: &Context, look: Look) -> Result<Value, Failure> {
    let folder = context.one_arg("<path>")?;
    let found = look_into(look, Path::new(&folder))
        .map_err(|error| Failure::new(format!("Error reading {folder}: {error}")))?;
    match found {
        Found::Json(value) => Ok(value),
        Found::Packed(bytes) => match Packed::read(&bytes) {
            Some(packed) => Ok(packed.json()),
            None => Err(format!("Error reading {folder}: its state cannot be shown").into()),
        },
    }
}

fn client_state(context: &mut Context) -> Outcome {
    let state = look(context, Look::ClientState)?;
    context.ui.out(&pretty_sorted(&state));
    Ok(0)
}

fn raft_info(context: &mut Context) -> Outcome {
    let info = look(context, Look::RaftInfo)?;
    let number = |name: &str| match info.at(name) {
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    };
    context.ui.out(&pairs(&[
        ("Path", info.str("path").to_owned()),
        ("Length", number("length")),
        ("First Index", number("first_index")),
        ("Last Index", number("last_index")),
        ("Last Term", number("last_term")),
        ("Snapshot Index", number("snapshot_index")),
    ]));
    Ok(0)
}

fn raft_logs(context: &mut Context) -> Outcome {
    let entries = look(context, Look::RaftLogs)?;
    if context.given.on("pretty") {
        context.ui.out(&pretty_sorted(&entries));
        return Ok(0);
    }
    for entry in list(&entries) {
        context.ui.out(&entry.to_string());
    }
    Ok(0)
}

fn raft_state(context: &mut Context) -> Outcome {
    let last = u64::try_from(context.given.int("last-index"))
        .ok()
        .filter(|last| *last > 0);
    let state = look(context, Look::RaftState(last))?;
    context.ui.out(&pretty_sorted(&state));
    Ok(0)
}

fn migrate(context: &mut Context) -> Outcome {
    context.one_arg("<path>")?;
    context
        .ui
        .out("There is one kind of storage for the log; nothing was changed.");
    Ok(0)
}
