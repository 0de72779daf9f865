//! `alloc pause`: holds a scheduled task, or lets it run.

use super::{known_task, long_enough, named_task, only_task, query};
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text, text_or};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "alloc pause",
    args: "[options] <allocation> <task>",
    synopsis: "Pause a running task",
    about: "Set the pause state of an allocation. This command is used to suspend or resume the task, or to hand it back to its schedule.",
    flags: &[
        text_or("state", "pause", "pause|run|scheduled", "The wanted state."),
        switch("status", "Only show the state."),
        text("task", "name", "The task."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        1..=2,
        "This command takes one or two arguments: <alloc-id> <task>",
    )?;
    let prefix = context.given.arg(0).to_owned();
    let state = context.given.text("state").to_owned();
    if !matches!(state.as_str(), "pause" | "run" | "scheduled") {
        return Err(context.usage(&format!(
            "The -state flag must be one of pause, run or scheduled, not {state:?}"
        )));
    }
    long_enough(&prefix)?;
    let api = context.api()?;
    let alloc = context.alloc(&api, &prefix)?;
    let task = match named_task(context) {
        task if task.is_empty() => only_task(&alloc)?,
        task => {
            known_task(&alloc, &task)?;
            task
        }
    };
    let path = format!("/v1/client/allocation/{}/pause", alloc.str("ID"));
    if context.given.on("status") {
        let answer = api
            .get(&path, query(&alloc).with("task", task))
            .doing("Error getting pause status")?;
        let state = answer.as_str().unwrap_or(answer.str("State"));
        context.ui.out(&format!("Pause state: {state:?}"));
        return Ok(0);
    }
    let body = json!({"ScheduleState": state, "Task": task});
    api.write(caravan_sdk::Method::POST, &path, query(&alloc), &body)
        .doing("Error pausing alloc")?;
    Ok(0)
}
