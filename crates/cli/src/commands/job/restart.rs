//! `job restart`: restarts or reschedules the running allocations of a job, batch by batch.

use super::restart_options::Options;
use crate::api::Api;
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{list, switch, text_or};
use crate::format::{self, counted};
use crate::json::{self, Fields};
use crate::resolve::FoundJob;
use caravan_sdk::Query;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(super) const SPEC: Command = Command {
    name: "job restart",
    args: "[options] <job>",
    synopsis: "Restart or reschedule allocations for a job",
    about: "Restart or reschedule allocations for a particular job. Restarting the job calls the 'Restart Allocation' API endpoint to restart the tasks inside allocations, so the allocations themselves are not modified but rather restarted in-place. Rescheduling the job stops its current allocations and new ones take their place.\n\nThe command can operate in batches of allocations, with a pause between them.",
    flags: &[
        switch(
            "all-tasks",
            "Also tasks that have already run, such as prestart ones.",
        ),
        text_or("batch-size", "1", "n|n%", "How many allocations at a time."),
        text_or(
            "batch-wait",
            "0s",
            "duration|ask",
            "The pause between two batches.",
        ),
        list("group", "name", "Only this group. May be repeated."),
        switch(
            "no-shutdown-delay",
            "Do not wait for the shutdown delay of groups and tasks.",
        ),
        text_or(
            "on-error",
            "ask",
            "ask|fail",
            "What to do when an allocation cannot be restarted.",
        ),
        switch(
            "reschedule",
            "Replace allocations instead of restarting them in place.",
        ),
        list("task", "name", "Only this task. May be repeated."),
        switch("yes", "Answer yes to all questions."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

/// The longest wait for tasks to run again; what they do after that is their own affair.
const RESTART_WAIT: Duration = Duration::from_secs(10);

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let options = Options::read(context)?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    check_deployment(&api, &found)?;
    let allocs = eligible(&api, &found, &options)?;
    if allocs.is_empty() {
        context.ui.out("No allocations to restart");
        return Ok(0);
    }
    let step = options.batch.of(allocs.len());
    let batches = allocs.len().div_ceil(step);
    say(
        context,
        &format!("Restarting {}", counted(allocs.len(), "allocation")),
    );
    let mut errors = Vec::new();
    for (at, batch) in allocs.chunks(step).enumerate() {
        if at > 0 && !pause(context, &options)? {
            break;
        }
        if step > 1 {
            let text = format!(
                "Restarting {} batch of {}",
                ordinal(at + 1),
                counted(batch.len(), "allocation")
            );
            say(context, &text);
        }
        for alloc in batch {
            if let Err(failure) = restart(context, &api, &found, alloc, &options) {
                errors.push(failure.message);
            }
        }
        if !errors.is_empty() && at + 1 < batches && !goes_on(context, &options)? {
            break;
        }
    }
    if errors.is_empty() {
        say(context, "Job restart finished");
        context.ui.out("\nJob restarted successfully!");
        return Ok(0);
    }
    say(context, "Job restart finished with errors");
    let lines: Vec<String> = errors.iter().map(|error| format!("* {error}")).collect();
    let count = counted(errors.len(), "error");
    Err(format!(
        "\n{count} occurred while restarting job:\n{}",
        lines.join("\n")
    )
    .into())
}

fn say(context: &mut Context, text: &str) {
    let line = format!("==> {}: {text}", format::time(format::now()));
    let line = context.ui.bold(&line);
    context.ui.out(&line);
}

fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn check_deployment(api: &Api, found: &FoundJob) -> Result<(), Failure> {
    let deployment = api
        .get(&found.path("/deployment"), found.query())
        .doing("Error retrieving latest deployment")?;
    let status = deployment.str("Status");
    match matches!(
        status,
        "running" | "pending" | "blocked" | "unblocking" | "initializing"
    ) {
        true => Err(format!(
            "Deployment {:?} is {status:?}",
            format::id(deployment.str("ID"), false)
        )
        .into()),
        false => Ok(()),
    }
}

fn eligible(api: &Api, found: &FoundJob, options: &Options) -> Result<Vec<Value>, Failure> {
    let allocs = api
        .get(&found.path("/allocations"), found.query())
        .doing("Error retrieving allocations")?;
    let mut chosen: Vec<Value> = json::list(&allocs)
        .iter()
        .filter(|alloc| {
            alloc.str("ClientStatus") == "running" && alloc.str("NextAllocation").is_empty()
        })
        .filter(|alloc| alloc.str("DesiredStatus") == "run")
        .filter(|alloc| {
            options.groups.is_empty() || options.groups.iter().any(|g| g == alloc.str("TaskGroup"))
        })
        .filter(|alloc| {
            let states = alloc.at("TaskStates");
            let has = |task: &String| !states.lacks(task);
            options.tasks.is_empty() || options.tasks.iter().any(has)
        })
        .cloned()
        .collect();
    chosen.sort_by(|a, b| a.str("Name").cmp(b.str("Name")));
    Ok(chosen)
}

/// Between two batches; whether to go on.
fn pause(context: &mut Context, options: &Options) -> Result<bool, Failure> {
    match options.wait {
        Some(wait) if wait.0 <= 0 => {}
        Some(wait) => {
            say(
                context,
                &format!("Waiting {wait} before restarting the next batch"),
            );
            std::thread::sleep(Duration::from_nanos(wait.0.unsigned_abs()));
        }
        None => {
            let question = "Proceed with the next batch?";
            return Ok(options.yes || context.ui.confirm(question, "Job restart canceled")?);
        }
    }
    Ok(true)
}

/// After an error; whether to go on.
fn goes_on(context: &mut Context, options: &Options) -> Result<bool, Failure> {
    if !options.ask_on_error {
        return Ok(options.yes);
    }
    context.ui.confirm(
        "Proceed with the next batch although there were errors?",
        "Job restart canceled",
    )
}

fn restart(
    context: &mut Context,
    api: &Api,
    found: &FoundJob,
    alloc: &Value,
    options: &Options,
) -> Result<(), Failure> {
    let id = alloc.str("ID");
    let (short, group) = (context.id(id), alloc.str("TaskGroup"));
    let now = format::time(format::now());
    let line = |what: &str| format!("    {now}: {what} {short:?} for group {group:?}");
    if options.reschedule {
        context.ui.out(&line("Rescheduling allocation"));
        return reschedule(context, api, found, alloc, options);
    }
    let path = format!("/v1/client/allocation/{id}/restart");
    let call = |body: Value| {
        let done = api.put(&path, found.query(), &body);
        done.doing(format!("Failed to restart allocation {short:?}"))
    };
    if options.tasks.is_empty() {
        let what = match options.all_tasks {
            true => "Restarting all tasks in allocation",
            false => "Restarting running tasks in allocation",
        };
        context.ui.out(&line(what));
        call(json!({"AllTasks": options.all_tasks}))?;
        await_restarted(api, found, alloc, &[]);
        return Ok(());
    }
    for task in options
        .tasks
        .iter()
        .filter(|task| !alloc.at("TaskStates").lacks(task))
    {
        context
            .ui
            .out(&line(&format!("Restarting task {task:?} in allocation")));
        call(json!({"TaskName": task}))?;
    }
    await_restarted(api, found, alloc, &options.tasks);
    Ok(())
}

/// Waits a while for tasks that ran to run again, so that what comes next finds the allocation running.
fn await_restarted(api: &Api, found: &FoundJob, alloc: &Value, tasks: &[String]) {
    let path = format!("/v1/allocation/{}", alloc.str("ID"));
    let named = |name: &str| tasks.is_empty() || tasks.iter().any(|task| task == name);
    let ran = alloc
        .members("TaskStates")
        .into_iter()
        .filter(|(name, state)| named(name) && state.str("State") == "running");
    let ran: Vec<(&str, &Value)> = ran.collect();
    let began = Instant::now();
    while began.elapsed() < RESTART_WAIT {
        let Ok(now) = api.get(&path, found.query()) else {
            return;
        };
        let states = now.at("TaskStates");
        let again = |(name, before): &(&str, &Value)| {
            let state = states.at(name);
            state.str("State") == "dead"
                || (state.str("State") == "running"
                    && state.at("LastRestart") != before.at("LastRestart"))
        };
        if ran.iter().all(again) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn reschedule(
    context: &mut Context,
    api: &Api,
    found: &FoundJob,
    alloc: &Value,
    options: &Options,
) -> Result<(), Failure> {
    let id = alloc.str("ID");
    let short = context.id(id);
    let query = found
        .query()
        .flag("no_shutdown_delay", options.no_shutdown_delay)
        .flag("reschedule", true);
    api.put(&format!("/v1/allocation/{id}/stop"), query, &Value::Null)
        .doing(format!("Failed to stop allocation {short:?}"))?;
    let query = || Query::new().namespace(&found.namespace);
    let mut told = Instant::now();
    let mut replacement = String::new();
    loop {
        let watched = if replacement.is_empty() {
            id
        } else {
            &replacement
        };
        let now = api
            .get(&format!("/v1/allocation/{watched}"), query())
            .doing(format!("Failed to retrieve allocation {watched:?}"))?;
        if replacement.is_empty() {
            replacement = replacement_of(api, found, &now)?;
            if !replacement.is_empty() {
                let next = context.id(&replacement);
                context.ui.out(&format!("    Allocation {short:?} replaced by {next:?}, waiting for {next:?} to start running"));
                continue;
            }
        } else {
            let (next, status) = (context.id(&replacement), now.str("ClientStatus"));
            match status {
                "running" => {
                    context
                        .ui
                        .out(&format!("    Allocation {next:?} is \"running\""));
                    return Ok(());
                }
                "failed" | "lost" | "complete" => {
                    return Err(format!("Allocation {next:?} is {status:?}").into());
                }
                _ => {}
            }
        }
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            context.ui.out(&format!(
                "    Still waiting for allocation {short:?} to be replaced"
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The id of what took an allocation's place, empty while nothing did. Allocations of system jobs are not
/// linked to each other: there it is what came later under the same name on the same node.
fn replacement_of(api: &Api, found: &FoundJob, alloc: &Value) -> Result<String, Failure> {
    let next = alloc.str("NextAllocation");
    if !next.is_empty() || alloc.at("Job").str("Type") != "system" {
        return Ok(next.to_owned());
    }
    let allocs = api
        .get(&found.path("/allocations"), found.query())
        .doing("Error retrieving allocations")?;
    let later = json::list(&allocs).iter().find(|other| {
        other.str("NodeID") == alloc.str("NodeID")
            && other.str("Name") == alloc.str("Name")
            && other.int("CreateIndex") > alloc.int("CreateIndex")
    });
    Ok(later.map_or("", |other| other.str("ID")).to_owned())
}
