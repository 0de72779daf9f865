//! `job explain`: why a job's work runs where it runs, and why the rest waits.
//!
//! It shows what the scheduler recorded when it decided; nothing is decided again for it.

mod because;
mod text;

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::json::{Fields, list};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "job explain",
    args: "[options] <job>",
    synopsis: "Explain where a job runs and why the rest of it waits",
    about: "Explain shows, for each task group of a job, how many of its allocations run and how \
            many wait; which nodes were ruled out and by what; what would let the rest run; and how \
            the node of each allocation scored against the next ones. Everything shown was recorded \
            when the scheduler decided.",
    flags: &[JSON, TEMPLATE, VERBOSE],
    run,
    ..COMMAND
};

/// How many allocations of a job are explained without `-verbose`, newest first.
const MOST_ALLOCS: usize = 5;

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    const DOING: &str = "Error explaining job";
    let get = |tail: &str| api.get(&found.path(tail), found.query()).doing(DOING);
    let job = get("")?;
    let stubs = get("/allocations")?;
    let evals = get("/evaluations")?;
    let deployment = get("/deployment")?;
    let most = match context.verbose() {
        true => usize::MAX,
        false => MOST_ALLOCS,
    };
    let mut allocs = Vec::new();
    for stub in because::alive(list(&stubs)).take(most) {
        let path = format!("/v1/allocation/{}", stub.str("ID"));
        allocs.push(api.get(&path, found.query()).doing(DOING)?);
    }
    let explanation = because::explain(&because::Known {
        job: &job,
        stubs: list(&stubs),
        allocs: &allocs,
        evals: list(&evals),
        deployment: &deployment,
        now: crate::format::now(),
    });
    if context.data_if_wanted(&explanation, "*api.JobExplanation")? {
        return Ok(0);
    }
    let text = text::render(&context.ui, &explanation, context.verbose());
    context.ui.out(&text);
    Ok(0)
}

/// The newest of some rows.
fn newest<'a>(rows: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    rows.max_by_key(|row| row.int("CreateIndex"))
}
