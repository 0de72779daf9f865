//! `node pool apply|delete|info`: one node pool.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::switch;
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, plain};
use crate::specfile::{self, Body};
use crate::table::pairs;
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

pub(super) const APPLY: Command = Command {
    name: "node pool apply",
    args: "[options] <input>",
    synopsis: "Create or update a node pool",
    about: "Apply is used to create or update a node pool. The specification file is read from stdin by specifying \"-\", otherwise a path to the file is expected.",
    flags: &[switch("json", "The file is JSON.")],
    run: apply,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "node pool delete",
    args: "[options] <node-pool>",
    synopsis: "Delete a node pool",
    about: "Delete is used to remove a node pool. It must not have nodes or running jobs.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "node pool info",
    args: "[options] <node-pool>",
    synopsis: "Fetch information on an existing node pool",
    about: "Info is used to fetch information on an existing node pool.",
    flags: &[JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

fn apply(context: &mut Context) -> Outcome {
    let path = context.one_arg("<input>")?;
    let bytes =
        read_or_stdin(&path).map_err(|error| format!("Failed to read file {path:?}: {error}"))?;
    let pool = match context.given.on("json") {
        true => crate::json::parse(&bytes)
            .map_err(|error| format!("Failed to parse input as JSON: {error}"))?,
        false => {
            from_hcl(&bytes).map_err(|error| format!("Failed to parse input content: {error}"))?
        }
    };
    let api = context.api()?;
    api.put("/v1/node/pools", Query::new(), &pool)
        .doing("Error applying node pool")?;
    context.ui.out(&format!(
        "Successfully applied node pool {:?}!",
        pool.str("Name")
    ));
    Ok(0)
}

fn from_hcl(bytes: &[u8]) -> Result<Value, String> {
    let body = specfile::parse(&String::from_utf8_lossy(bytes))?;
    let block = body
        .blocks
        .iter()
        .find(|block| block.kind == "node_pool")
        .ok_or("\"node_pool\" block not found")?;
    let name = block.labels.first().ok_or("node_pool block has no name")?;
    let inner: &Body = &block.body;
    let mut pool = json!({
        "Name": name,
        "Description": inner.value("description"),
        "Meta": inner.map("meta"),
        "NodeIdentityTTL": inner.value("node_identity_ttl"),
    });
    if let Some(config) = inner.block("scheduler_config") {
        pool["SchedulerConfiguration"] = json!({
            "SchedulerAlgorithm": config.value("scheduler_algorithm"),
            "MemoryOversubscriptionEnabled": config.value("memory_oversubscription_enabled"),
        });
    }
    if let Value::Object(members) = &mut pool {
        members.retain(|_, value| !value.is_null());
    }
    Ok(pool)
}

fn delete(context: &mut Context) -> Outcome {
    let name = context.one_arg("<node_pool>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/node/pool/{}", escape_path(&name)),
        Query::new(),
    )
    .doing("Error deleting node pool")?;
    context
        .ui
        .out(&format!("Successfully deleted node pool {name:?}!"));
    Ok(0)
}

/// The pool with a name or prefix.
pub(super) fn find(context: &Context, api: &crate::api::Api, name: &str) -> Result<Value, String> {
    let found = context
        .named(api, "/v1/node/pools", name)
        .map_err(|error| error.to_string())?;
    match found.as_slice() {
        [] => Err(format!("No node pool with prefix {name:?} found")),
        [one] => Ok(one.clone()),
        many => {
            let table = super::pool_lists::table(many);
            Err(format!("Prefix matched multiple node pools\n\n{table}"))
        }
    }
}

fn info(context: &mut Context) -> Outcome {
    let name = context.one_arg("<node_pool>")?;
    let api = context.api()?;
    let pool = find(context, &api, &name)
        .map_err(|error| Failure::new(format!("Error retrieving node pool: {error}")))?;
    if context.data_if_wanted(&pool, "*api.NodePool")? {
        return Ok(0);
    }
    let ttl = caravan_model::Duration(pool.int("NodeIdentityTTL"));
    let head = pairs(&[
        ("Name", pool.str("Name").to_owned()),
        ("Description", pool.str("Description").to_owned()),
        ("Node Identity TTL", ttl.to_string()),
    ]);
    let meta: Vec<(&str, String)> = pool
        .members("Meta")
        .into_iter()
        .map(|(key, value)| (key, plain(value)))
        .collect();
    let meta = match meta.is_empty() {
        true => "No metadata".to_owned(),
        false => pairs(&meta),
    };
    let config = pool.at("SchedulerConfiguration");
    let config = match config.is_null() {
        true => "No scheduler configuration".to_owned(),
        false => pairs(&[
            (
                "Scheduler Algorithm",
                config.str("SchedulerAlgorithm").to_owned(),
            ),
            (
                "Memory Oversubscription",
                plain(config.at("MemoryOversubscriptionEnabled")),
            ),
        ]),
    };
    let ui = &context.ui;
    let text = format!(
        "{head}\n\n{}\n{meta}\n\n{}\n{config}",
        ui.bold("Metadata"),
        ui.bold("Scheduler Configuration")
    );
    context.ui.out(&text);
    Ok(0)
}
