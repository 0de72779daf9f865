//! `operator root keyring`: keys that encrypt variables and sign identities.

use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text};
use crate::format::{now, time};
use crate::json::{Fields, list};
use crate::table::columns;
use caravan_sdk::{Query, escape_path};
use serde_json::Value;

pub(super) const LIST: Command = Command {
    name: "operator root keyring list",
    synopsis: "Lists the root keys",
    about: "List the currently installed keys. This list returns key metadata and not sensitive key material.",
    flags: &[VERBOSE],
    known_as: "root keyring list",
    run: all,
    ..COMMAND
};

pub(super) const ROTATE: Command = Command {
    name: "operator root keyring rotate",
    synopsis: "Rotates the root encryption key",
    about: "Generate a new encryption key for all future variables. Either the key is used at once, or it is published first and used later.",
    flags: &[
        switch(
            "full",
            "Decrypt all existing variables and encrypt them with the new key.",
        ),
        switch("now", "Use the new key at once."),
        text(
            "prepublish",
            "duration",
            "Publish the new key, and use it after this time.",
        ),
        VERBOSE,
    ],
    known_as: "root keyring rotate",
    run: rotate,
    ..COMMAND
};

pub(super) const REMOVE: Command = Command {
    name: "operator root keyring remove",
    args: "[options] <key ID>",
    synopsis: "Removes a root encryption key",
    about: "Remove an encryption key from the cluster. The key may only be removed if it is not the active key.",
    flags: &[switch("force", "Although variables are encrypted with it.")],
    known_as: "root keyring remove",
    run: remove,
    ..COMMAND
};

fn table(keys: &[&Value], verbose: bool) -> String {
    let mut rows = vec![row!["Key", "State", "Create Time", "Publish Time"]];
    rows.extend(keys.iter().map(|key| {
        row![
            crate::format::id(key.str("KeyID"), verbose),
            key.str("State"),
            time(key.int("CreateTime")),
            time(key.int("PublishTime"))
        ]
    }));
    columns(&rows)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let keys = api
        .get("/v1/operator/keyring/keys", Query::new())
        .doing("error")?;
    let keys: Vec<&Value> = list(&keys).iter().collect();
    let text = table(&keys, context.verbose());
    context.ui.out(&text);
    Ok(0)
}

fn rotate(context: &mut Context) -> Outcome {
    context.no_args()?;
    let (at_once, later) = (
        context.given.on("now"),
        context.given.text("prepublish").to_owned(),
    );
    if at_once != later.is_empty() {
        return Err("\nOne of \"-now\" or \"-prepublish\" must be used.\n\nIf a key has been leaked use \"-now\" to force immediate rotation.\n\nOtherwise please use \"-prepublish <duration>\" to ensure the new key is not used\nto sign workload identities before JWKS endpoints are updated.\n".into());
    }
    let mut query = Query::new().flag("full", context.given.on("full"));
    if !at_once {
        let length: caravan_model::Duration = later
            .parse()
            .map_err(|_| format!("error: time: invalid duration {later:?}"))?;
        query = query.with("publish_time", (now() + length.0).to_string());
    }
    let api = context.api()?;
    let answer = api
        .put("/v1/operator/keyring/rotate", query, &Value::Null)
        .doing("error")?;
    let text = table(&[answer.at("Key")], context.verbose());
    context.ui.out(&text);
    Ok(0)
}

fn remove(context: &mut Context) -> Outcome {
    let id = context.one_arg("<key ID>")?;
    let api = context.api()?;
    let query = Query::new().flag("force", context.given.on("force"));
    api.delete(
        &format!("/v1/operator/keyring/key/{}", escape_path(&id)),
        query,
    )
    .doing("error")?;
    context.ui.out(&format!("Removed encryption key {id}"));
    Ok(0)
}
