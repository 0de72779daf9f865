//! `job explain`: why a job's work runs where it runs, and why the rest waits.
//!
//! It shows what the scheduler recorded when it decided; nothing is decided again for it. Only what nodes take no
//! work is as it is now.

mod because;
mod nodes;
mod placement;
mod remedy;
mod text;

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::json::{Fields, list};
use caravan_sdk::Query;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const SPEC: Command = Command {
    name: "job explain",
    args: "[options] <job>",
    synopsis: "Explain where a job runs and why the rest of it waits",
    about: "Explain shows, for each task group of a job, how many of its allocations run and how \
            many wait; which nodes were ruled out and by what; what would let the rest run; which \
            allocations failed or were evicted, and by whom; and how the node of each allocation \
            scored against the next ones. What ruled nodes out and how they scored was recorded \
            when the scheduler decided; which nodes take no new work is as it is now.",
    flags: &[JSON, TEMPLATE, VERBOSE],
    run,
    ..COMMAND
};

/// How many allocations of a job are explained without `-verbose`, newest first.
const MOST_ALLOCS: usize = 5;

const DOING: &str = "Error explaining job";

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let get = |tail: &str| api.get(&found.path(tail), found.query()).doing(DOING);
    let job = get("")?;
    let stubs = get("/allocations")?;
    let evals = get("/evaluations")?;
    let deployment = get("/deployment")?;
    let most = match context.verbose() {
        true => usize::MAX,
        false => MOST_ALLOCS,
    };
    let alive = because::alive(list(&stubs)).take(most);
    let ids = alive.map(|stub| stub.str("ID"));
    let allocs = in_full(&api, ids, found.query())?;
    // Names and states of nodes help, but who may read jobs need not be allowed to read nodes.
    let nodes = api.get("/v1/nodes", found.query()).unwrap_or(Value::Null);
    let evictors = evictors(&api, list(&stubs), most, &found.query());
    let explanation = because::explain(&because::Known {
        job: &job,
        stubs: list(&stubs),
        allocs: &allocs,
        evals: list(&evals),
        deployment: &deployment,
        nodes: list(&nodes),
        evictors: &evictors,
        now: crate::format::now(),
    });
    if context.data_if_wanted(&explanation, "*api.JobExplanation")? {
        return Ok(0);
    }
    let text = text::render(&context.ui, &explanation, context.verbose());
    context.ui.out(&text);
    Ok(0)
}

fn in_full<'a>(
    api: &Api,
    ids: impl Iterator<Item = &'a str>,
    query: Query,
) -> Result<Vec<Value>, Failure> {
    let path = |id: &str| format!("/v1/allocation/{id}");
    ids.map(|id| api.get(&path(id), query.clone()).doing(DOING))
        .collect()
}

/// The allocations that took the place of evicted ones, by id; those that are forgotten or hidden are left out.
fn evictors(api: &Api, stubs: &[Value], most: usize, query: &Query) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for stub in placement::evicted(stubs).take(most) {
        let id = stub.str("PreemptedByAllocation");
        if !found.contains_key(id)
            && let Ok(alloc) = api.get(&format!("/v1/allocation/{id}"), query.clone())
        {
            found.insert(id.to_owned(), alloc);
        }
    }
    found
}

/// The newest of some rows.
fn newest<'a>(rows: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    rows.max_by_key(|row| row.int("CreateIndex"))
}
