//! `operator gossip keyring`: keys of the gossip between servers.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::json::Fields;
use crate::table::columns;
use base64::Engine;
use caravan_sdk::Query;
use serde_json::json;

pub(super) const GENERATE: Command = Command {
    name: "operator gossip keyring generate",
    synopsis: "Generates a new encryption key",
    about: "Generates a new 32-byte encryption key that can be used to configure the agent to encrypt traffic.",
    client: false,
    run: generate,
    ..COMMAND
};

pub(super) const INSTALL: Command = Command {
    name: "operator gossip keyring install",
    args: "[options] <key>",
    synopsis: "Install a gossip encryption key",
    about: "Install a new encryption key used for gossip. This will broadcast the new key to all members in the cluster.",
    run: |context| {
        change(
            context,
            "install",
            "Installing new gossip encryption key...",
        )
    },
    ..COMMAND
};

pub(super) const USE: Command = Command {
    name: "operator gossip keyring use",
    args: "[options] <key>",
    synopsis: "Change the gossip encryption key",
    about: "Change the encryption key used for gossip. The key must already be installed before this operation can succeed.",
    run: |context| change(context, "use", "Changing primary gossip encryption key..."),
    ..COMMAND
};

pub(super) const REMOVE: Command = Command {
    name: "operator gossip keyring remove",
    args: "[options] <key>",
    synopsis: "Remove a gossip encryption key",
    about: "Remove the given key from the cluster. This operation may only be performed on keys which are not currently the primary key.",
    run: |context| change(context, "remove", "Removing gossip encryption key..."),
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "operator gossip keyring list",
    synopsis: "List gossip encryption keys",
    about: "List all currently installed encryption keys.",
    run: list,
    ..COMMAND
};

fn generate(context: &mut Context) -> Outcome {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| Failure::new("no randomness"))?;
    context
        .ui
        .out(&base64::engine::general_purpose::STANDARD.encode(key));
    Ok(0)
}

fn change(context: &mut Context, what: &str, text: &str) -> Outcome {
    let key = context.one_arg("<key>")?;
    context.ui.out(text);
    let api = context.api()?;
    api.put(
        &format!("/v1/agent/keyring/{what}"),
        Query::new(),
        &json!({"Key": key}),
    )
    .map_err(|error| Failure::new(format!("error: {error}")))?;
    Ok(0)
}

fn list(context: &mut Context) -> Outcome {
    context.no_args()?;
    context.ui.out("Gathering installed encryption keys...");
    let api = context.api()?;
    let answer = api
        .get("/v1/agent/keyring/list", Query::new())
        .map_err(|error| Failure::new(format!("error: {error}")))?;
    let mut rows = vec![row!["Key"]];
    rows.extend(answer.members("Keys").into_iter().map(|(key, _)| row![key]));
    context.ui.out(&columns(&rows));
    Ok(0)
}
