//! `node meta apply` and `node meta read`: metadata of a running node.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::text;
use crate::json::{Fields, plain};
use crate::table::pairs;
use caravan_sdk::Query;
use serde_json::{Map, Value, json};

const NODE_ID: crate::flags::Flag =
    text("node-id", "id", "The node; that of this agent without it.");

pub(super) const APPLY: Command = Command {
    name: "node meta apply",
    args: "[options] key1=value1 ... keyN=valueN",
    synopsis: "Modify node metadata",
    about: "Modify a node's metadata. This command only works on client agents, and can be used to update the dynamic metadata the node registers.",
    flags: &[NODE_ID, text("unset", "key,key", "Keys to remove.")],
    run: apply,
    ..COMMAND
};

pub(super) const READ: Command = Command {
    name: "node meta read",
    synopsis: "Read node metadata",
    about: "Read a node's metadata. This command only works on client agents.",
    flags: &[NODE_ID, JSON, TEMPLATE],
    run: read,
    ..COMMAND
};

fn node(context: &Context, api: &Api) -> Result<String, Failure> {
    match context.given.text("node-id") {
        "" => Ok(String::new()),
        prefix => context.node_id(api, prefix, "prefix or id", "Error looking up node"),
    }
}

fn apply(context: &mut Context) -> Outcome {
    let unset = context.given.text("unset").to_owned();
    if unset.is_empty() && context.given.args.is_empty() {
        return Err("Must specify -unset or at least 1 key=value pair".into());
    }
    let mut meta = Map::new();
    for key in unset.split(',').filter(|key| !key.is_empty()) {
        meta.insert(key.to_owned(), Value::Null);
    }
    for pair in &context.given.args {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("Error parsing meta value: {pair:?}").into());
        };
        meta.insert(key.to_owned(), json!(value));
    }
    let api = context.api()?;
    let node = node(context, &api)?;
    let body = json!({"NodeID": node, "Meta": meta});
    let query = Query::new().with_some("node_id", &node);
    api.write(
        caravan_sdk::Method::POST,
        "/v1/client/metadata",
        query,
        &body,
    )
    .doing("Error applying dynamic node metadata")?;
    Ok(0)
}

fn read(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let node = node(context, &api)?;
    let answer = api
        .get(
            "/v1/client/metadata",
            Query::new().with_some("node_id", &node),
        )
        .doing("Error reading dynamic node metadata")?;
    if context.data_if_wanted(&answer, "*api.NodeMetaResponse")? {
        return Ok(0);
    }
    let mut blocks = Vec::new();
    for (title, member) in [
        ("All Meta", "Meta"),
        ("Dynamic Meta", "Dynamic"),
        ("Static Meta", "Static"),
    ] {
        let rows: Vec<(&str, String)> = answer
            .members(member)
            .into_iter()
            .map(|(key, value)| {
                let text = if value.is_null() {
                    "<unset>".to_owned()
                } else {
                    plain(value)
                };
                (key, text)
            })
            .collect();
        blocks.push(format!("{}\n{}", context.ui.bold(title), pairs(&rows)));
    }
    context.ui.out(&blocks.join("\n\n"));
    Ok(0)
}
