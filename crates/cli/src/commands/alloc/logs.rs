//! `alloc logs`: what a task printed.

use super::tail::{Part, copy};
use super::{long_enough, of_job, only_task, query};
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, switch, text};
use crate::json::Fields;
use caravan_sdk::Query;

pub(super) const SPEC: Command = Command {
    name: "alloc logs",
    args: "[options] <allocation> <task>\nAlias: nomad logs",
    synopsis: "Streams the logs of a task",
    about: "Streams the stdout/stderr of the given allocation and task. With -f and neither -stdout nor -stderr both are followed.",
    flags: &[
        switch("stdout", "Its output."),
        switch("stderr", "Its error output."),
        switch("f", "Go on as more is written."),
        switch("tail", "Only the end."),
        int("n", "-1", "With -tail, how many lines; 10 without it."),
        int("c", "-1", "With -tail, how many bytes."),
        switch(
            "job",
            "The first argument is a job; one of its allocations is taken.",
        ),
        text("group", "name", "With -job, the group."),
        text("task", "name", "The task; the only one without it."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let by_job = context.given.on("job");
    match context.given.args.len() {
        0 if by_job => return Err(context.usage("A job ID is required")),
        0 => return Err(context.usage("An allocation ID is required")),
        1 | 2 => {}
        _ => return Err(context.usage("This command takes one or two arguments")),
    }
    let named = match context.given.text("task") {
        "" if by_job => job_task(context),
        "" => context.given.arg(1).to_owned(),
        task => task.to_owned(),
    };
    let prefix = context.given.arg(0).to_owned();

    if !by_job {
        long_enough(&prefix)?;
    }
    let (stdout, stderr) = (context.given.on("stdout"), context.given.on("stderr"));
    let group = context.given.text("group").to_owned();
    let api = context.api()?;
    let alloc = match by_job {
        true => {
            let found = context.job(&api, &prefix)?;
            of_job(&api, &found, &group, &named)?
        }
        false => context.alloc(&api, &prefix)?,
    };
    let task = match named.is_empty() {
        true => only_task(&alloc).map_err(|failure| {
            Failure::new(format!("Failed to validate task: {}", failure.message))
        })?,
        false => named,
    };
    if stdout && stderr {
        return Err("Unable to support both stdout and stderr".into());
    }
    let given = &context.given;
    let follow = given.on("f");
    let choosy = stdout || stderr || given.on("tail") || given.is_set("n") || given.is_set("c");
    let path = format!("/v1/client/fs/logs/{}", alloc.str("ID"));
    let query =
        |kind: &str| -> Query { query(&alloc).with("task", task.as_str()).with("type", kind) };
    if follow && !choosy {
        let both = api.wait(async {
            let out = copy(&api, &path, query("stdout"), Part::All, true, false);
            let err = copy(&api, &path, query("stderr"), Part::All, true, true);
            tokio::try_join!(out, err)
        });
        both.map_err(|error| format!("Failed to read file: error reading file: {error}"))?;
        return Ok(0);
    }
    let kind = if stderr { "stderr" } else { "stdout" };
    let part = Part::from_flags(context)
        .map_err(|reason| format!("Failed to read {kind} file: {reason}"))?;
    api.wait(copy(&api, &path, query(kind), part, follow, false))
        .map_err(|error| format!("Failed to read {kind} file: error reading file: {error}"))?;
    Ok(0)
}

/// With `-job`, the task is the second positional too.
fn job_task(context: &Context) -> String {
    context.given.arg(1).to_owned()
}
