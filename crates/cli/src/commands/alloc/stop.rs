//! `alloc stop`: stops an allocation; another takes its place.

use super::{long_enough, query};
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::Fields;
use crate::monitor::watch_evaluation;
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "alloc stop",
    args: "[options] <allocation>",
    synopsis: "Stop and reschedule a running allocation",
    about: "Stop an existing allocation. This command is used to signal a specific alloc to shut down. When the allocation has been shut down, it will then be rescheduled. An interactive monitoring session will display log lines as the allocation completes shutting down.",
    flags: &[
        DETACH,
        switch(
            "no-shutdown-delay",
            "Do not wait for the shutdown delay of groups and tasks.",
        ),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<alloc-id>")?;
    long_enough(&prefix)?;
    let api = context.api()?;
    let alloc = context.alloc(&api, &prefix)?;
    let batch = alloc.at("Job").str("Type") == "batch";
    let query = query(&alloc)
        .flag("no_shutdown_delay", context.given.on("no-shutdown-delay"))
        .flag("reschedule", batch);
    let path = format!("/v1/allocation/{}/stop", alloc.str("ID"));
    let answer = api
        .put(&path, query, &Value::Null)
        .doing("Error stopping allocation")?;
    let eval = answer.str("EvalID");
    if context.given.on("detach") {
        context.ui.out(eval);
        return Ok(0);
    }
    let verbose = context.verbose();
    watch_evaluation(&api, &mut context.ui, eval, alloc.str("Namespace"), verbose)
}
