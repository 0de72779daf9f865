//! `eval list`: evaluations, page by page.

use crate::command::{COMMAND, Command, FILTER, JSON, PAGE_TOKEN, PER_PAGE, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::text;
use crate::json::{Fields, list};
use crate::render;
use crate::table::columns;
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "eval list",
    synopsis: "List the set of evaluations tracked by Nomad",
    about: "List is used to list the set of evaluations processed by Nomad.",
    flags: &[
        FILTER,
        text("job", "job", "Only of this job."),
        text("status", "status", "Only with this status."),
        JSON,
        PAGE_TOKEN,
        PER_PAGE,
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let wants_data = context.wants_data()?;
    let api = context.api()?;
    let query = context
        .page()
        .with_some("job", context.given.text("job"))
        .with_some("status", context.given.text("status"));
    let (evals, meta) = api
        .get_meta("/v1/evaluations", query)
        .doing("Error querying evaluations")?;
    if wants_data {
        context.data(&evals, "[]*api.Evaluation")?;
        return Ok(0);
    }
    if list(&evals).is_empty() {
        context.ui.out("No evals found");
        return Ok(0);
    }
    let text = table(list(&evals), context.verbose());
    context.ui.out(&text);
    context.next_page(&meta.next_token);
    context.hint(&api, "View evaluations", "/evaluations");
    Ok(0)
}

/// The list of evaluations.
pub(super) fn table(evals: &[Value], verbose: bool) -> String {
    let mut rows = vec![row![
        "ID",
        "Priority",
        "Triggered By",
        "Job ID",
        "Namespace",
        "Node ID",
        "Status",
        "Placement Failures"
    ]];
    rows.extend(evals.iter().map(|eval| {
        row![
            crate::format::id(eval.str("ID"), verbose),
            eval.int("Priority"),
            eval.str("TriggeredBy"),
            eval.str("JobID"),
            eval.str("Namespace"),
            crate::format::id(eval.str("NodeID"), verbose),
            eval.str("Status"),
            render::placement_failures(eval)
        ]
    }));
    columns(&rows)
}
