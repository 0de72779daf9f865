//! `node status`: all nodes, or everything about one.

use crate::api::Api;
use crate::command::{COMMAND, Command, FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::{Fields, list};
use crate::render::{self, NodeColumns};
use crate::resolve::long_enough;
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "node status",
    args: "[options] <node>",
    synopsis: "Display status information about nodes",
    about: "Display status information about a given node. The list of nodes returned includes only nodes which jobs may be scheduled to, and includes status and other high-level information.",
    flags: &[
        switch("allocs", "Also how many allocations run on each node."),
        FILTER,
        JSON,
        switch("os", "Also the operating system of each node."),
        PAGE_TOKEN,
        PER_PAGE,
        switch("quiet", "Only full ids."),
        switch("self", "The node of this agent."),
        switch("short", "Without resources and events."),
        switch("stats", "Also everything that is measured."),
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes either one or no arguments")?;
    let wants_data = context.wants_data()?;
    let api = context.api()?;
    if context.given.args.is_empty() && !context.given.on("self") {
        return all(context, &api, wants_data);
    }
    let id = match context.given.on("self") {
        true => context.self_node(&api)?,
        false => {
            let prefix = context.given.arg(0).to_owned();
            long_enough(&prefix)?;
            context.node_id(&api, &prefix, "prefix", "Error querying node info")?
        }
    };
    let node = api
        .get(&format!("/v1/node/{id}"), Query::new())
        .doing("Error querying node info")?;
    if wants_data {
        context.data(&node, "*api.Node")?;
        return Ok(0);
    }
    one(context, &api, &node)?;
    context.hint(
        &api,
        "View client details and metrics",
        &format!("/clients/{id}"),
    );
    Ok(0)
}

fn all(context: &mut Context, api: &Api, wants_data: bool) -> Outcome {
    let quiet = context.given.on("quiet");
    if quiet && (context.verbose() || context.given.on("json")) {
        return Err(context.usage("-quiet cannot be used with -verbose or -json"));
    }
    let query = context.page().flag("os", context.given.on("os"));
    let (nodes, meta) = api
        .get_meta("/v1/nodes", query)
        .doing("Error querying node status")?;
    if wants_data {
        context.data(&nodes, "[]*api.NodeListStub")?;
        return Ok(0);
    }
    let nodes = list(&nodes);
    if nodes.is_empty() {
        context.ui.out("No nodes registered");
        return Ok(0);
    }
    if quiet {
        let ids: Vec<&str> = nodes.iter().map(|node| node.str("ID")).collect();
        context.ui.out(&ids.join("\n"));
        return Ok(0);
    }
    let columns = NodeColumns {
        os: context.given.on("os"),
        verbose: context.verbose(),
    };
    let mut counts = Vec::new();
    if context.given.on("allocs") {
        for node in nodes {
            counts.push(running(api, node.str("ID")).doing("Error querying node allocations")?);
        }
    }
    let counts = context.given.on("allocs").then_some(counts.as_slice());
    context.ui.out(&render::node_list(nodes, columns, counts));
    context.next_page(&meta.next_token);
    context.hint(api, "View and manage Nomad clients", "/clients");
    Ok(0)
}

fn running(api: &Api, node: &str) -> Result<usize, caravan_sdk::Error> {
    let allocs = api.get(&format!("/v1/node/{node}/allocations"), Query::new())?;
    let running = list(&allocs)
        .iter()
        .filter(|alloc| alloc.str("ClientStatus") == "running");
    Ok(running.count())
}

fn one(context: &mut Context, api: &Api, node: &Value) -> Outcome {
    let id = node.str("ID");
    let (short, verbose) = (context.given.on("short"), context.verbose());
    let allocs = api
        .get(&format!("/v1/node/{id}/allocations"), Query::new())
        .doing("Error querying node allocations")?;
    let allocs = list(&allocs);
    if short {
        let text = render::node_head(node, None, true, verbose)
            + &render::node_allocs(&context.ui, allocs, verbose);
        context.ui.out(&text);
        return Ok(0);
    }
    let stats = api.get("/v1/client/stats", Query::new().with("node_id", id));
    let uptime = stats.as_ref().ok().map(|stats| {
        let seconds = stats.int("Uptime");
        caravan_model::Duration(seconds.saturating_mul(1_000_000_000)).to_string()
    });
    let ui = &context.ui;
    let mut text = render::node_head(node, uptime.as_deref(), false, verbose);
    if verbose {
        text += &render::node_tables(ui, node);
    }
    text += &render::node_events(ui, node, verbose);
    text += &render::node_allocated(ui, node, allocs);
    let mut failed = None;
    match stats {
        Ok(stats) => {
            text += &render::node_used(ui, node, &usages(api, allocs));
            text += &render::host_used(ui, node, &stats);
            if context.given.on("stats") {
                text += &render::host_stats(ui, &stats);
            }
        }
        Err(error) => failed = Some(error),
    }
    text += &render::node_allocs(ui, allocs, verbose);
    if verbose {
        text += &render::node_attributes(ui, node);
    }
    context.ui.out(&text);
    if let Some(error) = failed {
        context
            .ui
            .error(&format!("\nerror fetching node stats: {error}"));
    }
    Ok(0)
}

/// What each running allocation uses; those that cannot be asked count as nothing.
fn usages(api: &Api, allocs: &[Value]) -> Vec<Value> {
    let running = allocs
        .iter()
        .filter(|alloc| alloc.str("ClientStatus") == "running");
    running
        .filter_map(|alloc| {
            let path = format!("/v1/client/allocation/{}/stats", alloc.str("ID"));
            api.get(&path, Query::new().namespace(alloc.str("Namespace")))
                .ok()
        })
        .collect()
}
