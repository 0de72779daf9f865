//! `node pool list|jobs|nodes`: pools, and what is in one.

use super::pool::find;
use crate::command::{COMMAND, Command, FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::json::{Fields, list};
use crate::render;
use crate::table::columns;
use caravan_sdk::escape_path;
use serde_json::Value;

pub(super) const LIST: Command = Command {
    name: "node pool list",
    synopsis: "List node pools",
    about: "List is used to list existing node pools.",
    flags: &[FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE],
    run: pools,
    ..COMMAND
};

pub(super) const JOBS: Command = Command {
    name: "node pool jobs",
    args: "[options] <node-pool>",
    synopsis: "Fetch a list of jobs in a node pool",
    about: "Node pool jobs is used to list jobs in a given node pool.",
    flags: &[FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE],
    run: jobs,
    ..COMMAND
};

pub(super) const NODES: Command = Command {
    name: "node pool nodes",
    args: "[options] <node-pool>",
    synopsis: "Fetch a list of nodes in a node pool",
    about: "Node pool nodes is used to list nodes in a given node pool.",
    flags: &[FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, VERBOSE],
    run: nodes,
    ..COMMAND
};

/// The list of pools.
pub(super) fn table(pools: &[Value]) -> String {
    let mut rows = vec![row!["Name", "Description"]];
    rows.extend(
        pools
            .iter()
            .map(|pool| row![pool.str("Name"), pool.str("Description")]),
    );
    columns(&rows)
}

fn pools(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let (found, meta) = api
        .get_meta("/v1/node/pools", context.page())
        .doing("Error querying node pools")?;
    if context.data_if_wanted(&found, "[]*api.NodePool")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No node pools".to_owned(),
        pools => table(pools),
    };
    context.ui.out(&text);
    context.next_page(&meta.next_token);
    Ok(0)
}

/// A list below the pool that the argument names.
fn members(context: &mut Context, rest: &str) -> Result<Option<(Value, String)>, Failure> {
    let name = context.one_arg("<node_pool>")?;
    let api = context.api()?;
    let pool = find(context, &api, &name)
        .map_err(|error| format!("Error retrieving node pool: {error}"))?;
    let path = format!("/v1/node/pool/{}/{rest}", escape_path(pool.str("Name")));
    let (found, meta) = api
        .get_meta(&path, context.page())
        .doing(format!("Error querying node pool {rest}"))?;
    let type_name = if rest == "jobs" {
        "[]*api.JobListStub"
    } else {
        "[]*api.NodeListStub"
    };
    match context.data_if_wanted(&found, type_name)? {
        true => Ok(None),
        false => Ok(Some((found, meta.next_token))),
    }
}

fn jobs(context: &mut Context) -> Outcome {
    let Some((found, next)) = members(context, "jobs")? else {
        return Ok(0);
    };
    let everywhere = context.config().namespace == "*";
    let text = match list(&found) {
        [] => "No jobs".to_owned(),
        jobs => render::job_list(jobs, everywhere),
    };
    context.ui.out(&text);
    context.next_page(&next);
    Ok(0)
}

fn nodes(context: &mut Context) -> Outcome {
    let Some((found, next)) = members(context, "nodes")? else {
        return Ok(0);
    };
    let text = match list(&found) {
        [] => "No nodes".to_owned(),
        nodes => render::node_list_short(nodes, context.verbose()),
    };
    context.ui.out(&text);
    context.next_page(&next);
    Ok(0)
}
