//! `job action`: runs an action that a task declares.

use crate::command::{COMMAND, Command};
use crate::commands::alloc::exec_session::{self, Terminal};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, switch_on, text, text_or};
use crate::json::{self, Fields};
use caravan_sdk::Query;

pub(super) const SPEC: Command = Command {
    name: "job action",
    args: "[options] <action>",
    synopsis: "Run a pre-defined command from a given context",
    about: "Perform a predefined command inside a running allocation. An action is a command that the job declares for a task; the job has to be named, and the task if the action is declared more than once.",
    flags: &[
        text("job", "job", "The job that declares the action. Required."),
        text(
            "alloc",
            "id",
            "The allocation to run it in; any running one without it.",
        ),
        text("group", "name", "The group of the task."),
        text("task", "name", "The task that declares the action."),
        switch_on("i", "Pass stdin."),
        switch(
            "t",
            "Give it a terminal; only when stdin is one without it.",
        ),
        text_or("e", "~", "char|none", "The escape character."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let job = context.given.text("job").to_owned();
    if context.given.args.is_empty() {
        return Err(context.usage("An action name is required"));
    }
    if job.is_empty() {
        return Err(context.usage("A job ID is required"));
    }
    let action = context.given.arg(0).to_owned();
    let terminal = Terminal::from_flags(context)?;
    let api = context.api()?;
    let found = context.job(&api, &job)?;
    let (mut group, mut task) = (
        context.given.text("group").to_owned(),
        context.given.text("task").to_owned(),
    );
    if task.is_empty() || group.is_empty() {
        let actions = api
            .get(&found.path("/actions"), found.query())
            .doing("Error retrieving actions")?;
        let fits = |one: &&serde_json::Value| {
            one.str("Name") == action
                && (task.is_empty() || one.str("TaskName") == task)
                && (group.is_empty() || one.str("TaskGroupName") == group)
        };
        let matching: Vec<&serde_json::Value> = json::list(&actions).iter().filter(fits).collect();
        match matching.as_slice() {
            [] => return Err(format!("No action {action:?} found in job {:?}", found.id).into()),
            [one] => {
                (group, task) = (
                    one.str("TaskGroupName").to_owned(),
                    one.str("TaskName").to_owned(),
                )
            }
            _ => {
                let all: Vec<serde_json::Value> = matching.into_iter().cloned().collect();
                let table = super::status::action_table(&all);
                return Err(format!(
                    "Action {action:?} is declared more than once; use -group and -task:\n\n{table}"
                )
                .into());
            }
        }
    }
    let alloc = match context.given.text("alloc") {
        "" => exec_session::any_alloc(&api, &found, &group, &task)?,
        prefix => context.alloc(&api, prefix)?.str("ID").to_owned(),
    };
    let query = Query::new()
        .namespace(&found.namespace)
        .with("action", action)
        .with("allocID", alloc)
        .with("task", task)
        .with("group", group)
        .with("tty", terminal.tty.to_string());
    exec_session::run(context, &api, &found.path("/action"), query, &terminal)
}
