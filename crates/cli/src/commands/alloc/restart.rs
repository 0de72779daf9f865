//! `alloc restart`: restarts tasks in place.

use super::{known_task, long_enough, named_task, query};
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, text};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "alloc restart",
    args: "[options] <allocation> <task>",
    synopsis: "Restart a running allocation",
    about: "Restart an existing allocation. This command is used to restart a specific alloc and its tasks. If no task is provided then all of the allocation's tasks that are currently running will be restarted.",
    flags: &[
        switch(
            "all-tasks",
            "Also tasks that have already run, such as prestart ones.",
        ),
        text("task", "name", "Only this task."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        1..=2,
        "This command takes one or two arguments: <alloc-id> <task-name>",
    )?;
    let prefix = context.given.arg(0).to_owned();
    let task = named_task(context);
    let all = context.given.on("all-tasks");
    if all && !task.is_empty() {
        return Err("The -all-tasks option is not allowed when restarting a specific task.".into());
    }
    long_enough(&prefix)?;
    let api = context.api()?;
    let alloc = context.alloc(&api, &prefix)?;
    if !task.is_empty() {
        known_task(&alloc, &task)?;
    }
    let path = format!("/v1/client/allocation/{}/restart", alloc.str("ID"));
    let body = json!({"TaskName": task, "AllTasks": all});
    api.put(&path, query(&alloc), &body).map_err(|error| {
        let what = if task.is_empty() {
            "allocation"
        } else {
            "task"
        };
        format!("Failed to restart {what}:\n\n{error}")
    })?;
    Ok(0)
}
