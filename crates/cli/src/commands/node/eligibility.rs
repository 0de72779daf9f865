//! `node eligibility`: whether a node gets new work.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::resolve::long_enough;
use caravan_sdk::Query;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "node eligibility",
    args: "[options] <node>",
    synopsis: "Toggle scheduling eligibility for a given node",
    about: "Toggles the nodes scheduling eligibility. When a node is marked as ineligible, no new allocations will be placed on it but existing allocations will remain.",
    flags: &[
        switch("disable", "No new allocations."),
        switch("enable", "New allocations again."),
        switch("self", "The node of this agent."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let (enable, disable) = (context.given.on("enable"), context.given.on("disable"));
    if enable == disable {
        return Err(context.usage("Either the '-enable' or '-disable' flag must be set"));
    }
    let own = context.given.on("self");
    if !own && context.given.args.len() != 1 {
        return Err(context.usage("Node ID must be specified if -self isn't being used"));
    }
    let api = context.api()?;
    let id = match own {
        true => context.self_node(&api)?,
        false => {
            let prefix = context.given.arg(0).to_owned();
            long_enough(&prefix)?;
            context.node_id(
                &api,
                &prefix,
                "prefix or id",
                "Error updating scheduling eligibility",
            )?
        }
    };
    let (word, text) = match enable {
        true => ("eligible", "eligible for scheduling"),
        false => ("ineligible", "ineligible for scheduling"),
    };
    let body = json!({"NodeID": id, "Eligibility": word});
    api.put(&format!("/v1/node/{id}/eligibility"), Query::new(), &body)
        .doing("Error updating scheduling eligibility")?;
    context
        .ui
        .out(&format!("Node {id:?} scheduling eligibility set: {text}"));
    Ok(0)
}
