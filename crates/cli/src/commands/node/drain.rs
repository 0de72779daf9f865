//! `node drain`: moves allocations off a node, and follows that.

use super::watch::{self, Drain};
use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{list, switch, text};
use crate::format;
use crate::json::Fields;
use crate::resolve::long_enough;
use caravan_model::Duration;
use caravan_sdk::Query;
use serde_json::{Map, Value, json};

pub(super) const SPEC: Command = Command {
    name: "node drain",
    args: "[options] <node>",
    synopsis: "Toggle drain mode on a given node",
    about: "Toggles node draining on a specified node. It is required that either -enable or -disable is specified, but not both. The -self flag is useful to drain the local node.",
    flags: &[
        switch("enable", "Drain the node."),
        switch("disable", "Stop draining the node."),
        text(
            "deadline",
            "duration",
            "When remaining allocations are stopped. Default: 1h",
        ),
        switch("force", "Stop all allocations at once."),
        switch("no-deadline", "Wait for as long as it takes."),
        switch("ignore-system", "Leave system allocations alone."),
        switch(
            "keep-ineligible",
            "With -disable, keep the node without new allocations.",
        ),
        text("m", "message", "Why; kept with the drain."),
        list(
            "meta",
            "key=value",
            "Metadata of the drain. May be repeated.",
        ),
        switch("detach", "Return at once instead of following the drain."),
        switch("monitor", "Follow a drain that goes on."),
        switch("self", "The node of this agent."),
        switch("yes", "Answer yes to all questions."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let given = &context.given;
    let (enable, disable, monitor) = (given.on("enable"), given.on("disable"), given.on("monitor"));
    if monitor && (enable || disable) {
        return Err(context
            .usage("The -monitor flag cannot be used with the '-enable' or '-disable' flags"));
    }
    if !monitor && enable == disable {
        return Err(context.usage(
            "Either the '-enable' or '-disable' flag must be set, unless using '-monitor'",
        ));
    }
    let own = given.on("self");
    if !own && given.args.len() != 1 {
        return Err(context.usage("Node ID must be specified if -self isn't being used"));
    }
    let deadline = deadline(context, disable)?;
    let meta = meta(context)?;
    let api = context.api()?;
    let prefix = context.given.arg(0).to_owned();
    let id = match own {
        true => context.self_node(&api)?,
        false => {
            long_enough(&prefix)?;
            context.node_id(&api, &prefix, "prefix or id", "Error toggling drain mode")?
        }
    };
    let node = api
        .get(&format!("/v1/node/{id}"), Query::new())
        .doing("Error toggling drain mode")?;
    if monitor {
        return follow(context, &api, &node);
    }
    let verb = if enable { "enable" } else { "disable" };
    let question = format!("Are you sure you want to {verb} drain mode for node {id:?}?");
    if !own
        && prefix != id
        && !context.given.on("yes")
        && !context.ui.confirm(&question, "Canceling drain toggle")?
    {
        return Ok(0);
    }
    let body = json!({
        "NodeID": id,
        "DrainSpec": enable.then(|| json!({
            "Deadline": deadline.0,
            "IgnoreSystemJobs": context.given.on("ignore-system"),
        })),
        "MarkEligible": disable && !context.given.on("keep-ineligible"),
        "Meta": meta,
    });
    set(context, &api, &id, enable, &body)
}

/// Follows a drain that goes on.
fn follow(context: &mut Context, api: &Api, node: &Value) -> Outcome {
    if node.lacks("DrainStrategy") {
        context.ui.warn("No drain strategy set");
        return Ok(0);
    }
    let id = node.str("ID");
    stamp(
        context,
        &format!("Monitoring node {id:?}: Ctrl-C to detach monitoring"),
    );
    let mut drain = Drain::start(api, id)?;
    watch::follow(context, api, &mut drain)
}

/// Begins or ends a drain, and follows one that it began.
fn set(context: &mut Context, api: &Api, id: &str, enable: bool, body: &Value) -> Outcome {
    let mut drain = Drain::start(api, id)?;
    api.put(&format!("/v1/node/{id}/drain"), Query::new(), body)
        .doing("Error updating drain specification")?;
    let what = if enable { "set" } else { "unset" };
    let done = format!("Node {id:?} drain strategy {what}");
    if !enable || context.given.on("detach") {
        context.ui.out(&done);
        return Ok(0);
    }
    stamp(
        context,
        "Ctrl-C to stop monitoring: will not cancel the node drain",
    );
    stamp(context, &done);
    watch::follow(context, api, &mut drain)
}

fn stamp(context: &mut Context, text: &str) {
    let now = format::time(format::now());
    let line = context.ui.paint("32", &format!("{now}: {text}"));
    context.ui.out(&line);
}

fn deadline(context: &Context, disable: bool) -> Result<Duration, Failure> {
    let given = &context.given;
    let text = given.text("deadline");
    let (force, none) = (given.on("force"), given.on("no-deadline"));
    if disable && (!text.is_empty() || force || none || given.on("ignore-system")) {
        return Err(
            context.usage("-disable can't be combined with flags configuring drain strategy")
        );
    }
    if !text.is_empty() && (force || none) {
        return Err(context.usage("-deadline can't be combined with -force or -no-deadline"));
    }
    if force && none {
        return Err(context.usage("-force and -no-deadline are mutually exclusive"));
    }
    if force {
        return Ok(Duration(-1_000_000_000));
    }
    if none {
        return Ok(Duration(0));
    }
    let text = if text.is_empty() { "1h" } else { text };
    let deadline: Duration = text.parse().map_err(|_| {
        format!("Failed to parse deadline {text:?}: time: invalid duration {text:?}")
    })?;
    match deadline.0 > 0 {
        true => Ok(deadline),
        false => Err("A positive drain duration must be given".into()),
    }
}

fn meta(context: &Context) -> Result<Map<String, Value>, Failure> {
    let mut meta = Map::new();
    for pair in context.given.list("meta") {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key.is_empty() {
            return Err(format!("Error parsing meta value: {pair}").into());
        }
        meta.insert(key.to_owned(), json!(value));
    }
    let message = context.given.text("m");
    if !message.is_empty() {
        meta.insert("message".to_owned(), json!(message));
    }
    Ok(meta)
}
