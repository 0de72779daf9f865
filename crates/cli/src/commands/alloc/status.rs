//! `alloc status`: everything about an allocation.

use super::query;
use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::Fields;
use crate::render;
use crate::resolve::{MANY_ALLOCS, long_enough};
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "alloc status",
    args: "[options] <allocation>",
    synopsis: "Display allocation status information and metadata",
    about: "Display information about existing allocations and its tasks. This command can be used to inspect the current status of an allocation, including its running status, metadata, and verbose failure messages reported by internal subsystems.",
    flags: &[
        switch("short", "One line a task."),
        switch("stats", "Also what every task uses."),
        JSON,
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    let wants_data = context.wants_data()?;
    if context.given.args.is_empty() && wants_data {
        let api = context.api()?;
        let all = api
            .get("/v1/allocations", Query::new())
            .doing("Error querying allocations")?;
        context.data(&all, "[]*api.AllocationListStub")?;
        return Ok(0);
    }
    if context.given.args.len() != 1 {
        return Err(context.usage(
            "This command takes one of the following argument conditions:\n * A single <allocation>\n * No arguments, with output format specified",
        ));
    }
    let prefix = context.given.arg(0).to_owned();
    long_enough(&prefix)?;
    let api = context.api()?;
    let alloc = match context.alloc(&api, &prefix) {
        Ok(alloc) => alloc,
        Err(failure) if failure.message.starts_with(MANY_ALLOCS) => {
            context.ui.out(&failure.message);
            return Ok(0);
        }
        Err(failure) => return Err(failure),
    };
    if wants_data {
        context.data(&alloc, "*api.Allocation")?;
        return Ok(0);
    }
    let verbose = context.verbose();
    match context.given.on("short") {
        true => {
            let text = render::alloc_short(&context.ui, &alloc, verbose);
            context.ui.out(&text);
        }
        false => full(context, &api, &alloc),
    }
    let path = format!("/allocations/{}", alloc.str("ID"));
    context.hint(&api, "View allocation details", &path);
    Ok(0)
}

fn full(context: &mut Context, api: &Api, alloc: &Value) {
    let verbose = context.verbose();
    let id = alloc.str("ID");
    let mut text = render::alloc_head(alloc, eligible(api, alloc), verbose);
    text += &render::alloc_addresses(alloc);
    let checks = api.get(&format!("/v1/client/allocation/{id}/checks"), query(alloc));
    text += &render::alloc_checks(&checks.unwrap_or_default());
    context.ui.out(&text);
    let stats = stats(context, api, alloc);
    let mut text = render::alloc_tasks(
        &context.ui,
        alloc,
        &stats,
        context.given.on("stats"),
        verbose,
    );
    if verbose {
        let scores = render::placement_failure(&context.ui, alloc.at("Metrics"), "  ", true);
        if !scores.is_empty() {
            text += &format!("\n\n{}\n{scores}", context.ui.bold("Placement Metrics"));
        }
    }
    if !text.is_empty() {
        context.ui.out(text.strip_prefix('\n').unwrap_or(&text));
    }
}

/// When a failed allocation may be replaced, if an evaluation waits for that.
fn eligible(api: &Api, alloc: &Value) -> Option<i64> {
    let waits = alloc.str("FollowupEvalID");
    if waits.is_empty() || !alloc.str("NextAllocation").is_empty() {
        return None;
    }
    let eval = api
        .get(&format!("/v1/evaluation/{waits}"), query(alloc))
        .ok()?;
    let at = crate::format::nanos(eval.at("WaitUntil"));
    (at > crate::format::now()).then_some(at)
}

/// What the tasks use; nothing after saying why there is nothing.
fn stats(context: &mut Context, api: &Api, alloc: &Value) -> Value {
    let path = format!("/v1/client/allocation/{}/stats", alloc.str("ID"));
    match api.get(&path, query(alloc)) {
        Ok(stats) => stats,
        Err(error) => {
            context.ui.out("");
            let node = api.get(&format!("/v1/node/{}", alloc.str("NodeID")), Query::new());
            match node.is_ok_and(|node| node.str("Status") == "down") {
                true => context
                    .ui
                    .out("Omitting resource statistics since the node is down."),
                false => context
                    .ui
                    .error(&format!("Couldn't retrieve stats: {error}")),
            }
            Value::Null
        }
    }
}
