//! `alloc exec`: runs a command inside a task.

use super::exec_session::{self, Terminal};
use super::{known_task, of_job, only_task, query};
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{switch, switch_on, text, text_or};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "alloc exec",
    args: "[options] <allocation> <command> [<args>...]",
    synopsis: "Execute commands in task",
    about: "Run command inside the environment of the given allocation and task. The exit code is that of the command. With a terminal, \"~.\" at the start of a line closes the session.",
    flags: &[
        text("task", "name", "The task; the only one without it."),
        text("group", "name", "With -job, the group."),
        switch(
            "job",
            "The first argument is a job; one of its allocations is taken.",
        ),
        switch_on("i", "Pass stdin."),
        switch("t", "Give it a terminal. On when stdin and stdout are one."),
        switch("it", "The same as -i -t."),
        switch("ti", "The same as -i -t."),
        text_or("e", "~", "char|none", "The escape character."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let by_job = context.given.on("job");
    if context.given.args.is_empty() {
        let what = if by_job {
            "A job ID is required"
        } else {
            "An allocation ID is required"
        };
        return Err(context.usage(what));
    }
    let words = context.given.args[1..].to_vec();
    if words.is_empty() {
        return Err(context.usage("A command is required"));
    }
    let terminal = Terminal::from_flags(context)?;
    let prefix = context.given.arg(0).to_owned();
    let (task, group) = (
        context.given.text("task").to_owned(),
        context.given.text("group").to_owned(),
    );
    let api = context.api()?;
    let alloc = match by_job {
        true => {
            let found = context.job(&api, &prefix)?;
            of_job(&api, &found, &group, &task)?
        }
        false => {
            if prefix.chars().count() == 1 {
                return Err("Alloc ID must contain at least two characters".into());
            }
            context.alloc(&api, &prefix)?
        }
    };
    let task = match task.is_empty() {
        true => only_task(&alloc)?,
        false => {
            known_task(&alloc, &task)?;
            task
        }
    };
    let query = query(&alloc)
        .with("task", task)
        .with("tty", terminal.tty.to_string())
        .with("command", json!(words).to_string());
    let path = format!("/v1/client/allocation/{}/exec", alloc.str("ID"));
    exec_session::run(context, &api, &path, query, &terminal)
}
