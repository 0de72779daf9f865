//! `operator raft`: the servers' consensus.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text};
use crate::json::Fields;
use crate::table::columns_with;
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const LIST: Command = Command {
    name: "operator raft list-peers",
    synopsis: "Display the current Raft peer configuration",
    about: "Displays the current Raft peer configuration.",
    flags: &[switch("stale", "Whether any server may answer.")],
    run: list,
    ..COMMAND
};

pub(super) const REMOVE: Command = Command {
    name: "operator raft remove-peer",
    synopsis: "Remove a Nomad server from the Raft configuration",
    about: "Remove the Nomad server with given ID from the Raft configuration.",
    flags: &[
        text("peer-id", "id", "The server."),
        text("peer-address", "addr", "The server's address."),
    ],
    run: remove,
    ..COMMAND
};

pub(super) const TRANSFER: Command = Command {
    name: "operator raft transfer-leadership",
    synopsis: "Transfer leadership to a specified Nomad server",
    about: "Transfer leadership to the Nomad server with given peer ID or address in the Raft configuration.",
    flags: &[
        text("peer-id", "id", "The server."),
        text("peer-address", "addr", "The server's address."),
    ],
    run: transfer,
    ..COMMAND
};

fn list(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let query = match context.given.on("stale") {
        true => Query::new().stale(),
        false => Query::new(),
    };
    let config = api
        .get("/v1/operator/raft/configuration", query)
        .doing("Failed to retrieve raft configuration")?;
    let mut rows = vec![row![
        "Node",
        "ID",
        "Address",
        "State",
        "Voter",
        "RaftProtocol"
    ]];
    rows.extend(config.items("Servers").iter().map(|server| {
        let state = if server.yes("Leader") {
            "leader"
        } else {
            "follower"
        };
        row![
            server.str("Node"),
            server.str("ID"),
            server.str("Address"),
            state,
            server.yes("Voter"),
            crate::json::plain(server.at("RaftProtocol"))
        ]
    }));
    context.ui.out(&columns_with(&rows, ""));
    Ok(0)
}

fn remove(context: &mut Context) -> Outcome {
    let id = context.given.text("peer-id").to_owned();
    if id.is_empty() {
        return Err("Missing peer id required".into());
    }
    let api = context.api()?;
    api.delete(
        "/v1/operator/raft/peer",
        Query::new().with("id", id.as_str()),
    )
    .doing("Error removing peer")?;
    context.ui.out(&format!("Removed peer with id {id:?}"));
    Ok(0)
}

fn transfer(context: &mut Context) -> Outcome {
    let (id, address) = (
        context.given.text("peer-id").to_owned(),
        context.given.text("peer-address").to_owned(),
    );
    if id.is_empty() == address.is_empty() {
        return Err("Exactly one of -peer-id or -peer-address must be given".into());
    }
    let api = context.api()?;
    let query = Query::new()
        .with_some("id", &id)
        .with_some("address", &address);
    api.put("/v1/operator/raft/transfer-leadership", query, &Value::Null)
        .doing("Error transferring leadership to peer")?;
    let (what, which) = if id.is_empty() {
        ("address", address)
    } else {
        ("id", id)
    };
    context.ui.out(&format!(
        "Transferred leadership to peer with {what} {which:?}"
    ));
    Ok(0)
}
