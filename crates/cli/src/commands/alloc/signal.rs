//! `alloc signal`: sends a signal to tasks.

use super::{known_task, long_enough, named_task, query};
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{text, text_or};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "alloc signal",
    args: "[options] <allocation> <task>",
    synopsis: "Signal a running allocation",
    about: "Signal an existing allocation. This command is used to signal a specific alloc and its subtasks. If no task is provided then all of the allocation's subtasks will receive the signal.",
    flags: &[
        text_or("s", "SIGKILL", "signal", "The signal."),
        text("task", "name", "Only this task."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        1..=2,
        "This command takes up to two arguments: <alloc-id> <task>",
    )?;
    let prefix = context.given.arg(0).to_owned();
    let task = named_task(context);
    long_enough(&prefix)?;
    let api = context.api()?;
    let alloc = context.alloc(&api, &prefix)?;
    if !task.is_empty() {
        known_task(&alloc, &task)?;
    }
    let path = format!("/v1/client/allocation/{}/signal", alloc.str("ID"));
    let body = json!({"Task": task, "Signal": context.given.text("s")});
    api.put(&path, query(&alloc), &body)
        .doing("Error signalling allocation")?;
    Ok(0)
}
