//! `job stop`: stops jobs and follows that.

use super::follow;
use crate::api::Api;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{int, switch};
use crate::json::Fields;

pub(super) const SPEC: Command = Command {
    name: "job stop",
    args: "[options] <job>...",
    synopsis: "Stop a running job",
    about: "Stop one or more existing jobs. This command is used to signal allocations to shut down for the given job ids. Upon successful deregistration, an interactive monitor session will start to display log lines as the jobs unwind their allocations and complete shutting down. It is safe to exit the monitor early using ctrl+c.",
    flags: &[
        DETACH,
        int(
            "eval-priority",
            "0",
            "The priority of the evaluation, 1 to 100; the job's own without it.",
        ),
        switch("global", "Stop a multi-region job in all its regions."),
        switch(
            "no-shutdown-delay",
            "Do not wait for the shutdown delay of groups and tasks.",
        ),
        switch(
            "purge",
            "Remove the job at once instead of leaving that to garbage collection.",
        ),
        switch("yes", "Answer yes to all questions."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let jobs = context.given.args.clone();
    match jobs.as_slice() {
        [] => Err(context.usage("This command takes at least one argument: <job>")),
        [one] => {
            let api = context.api()?;
            stop(context, &api, one, true)
        }
        _ => all(context, &jobs),
    }
}

/// Several jobs at once; the exit code is that of the first that failed.
fn all(context: &mut Context, jobs: &[String]) -> Outcome {
    let api = context.api()?;
    let codes: Vec<u8> = std::thread::scope(|scope| {
        let started: Vec<_> = jobs
            .iter()
            .map(|job| {
                let mut own = Context::new(
                    context.command,
                    context.given.clone(),
                    context.argv.clone(),
                    context.ui.clone(),
                );
                let api = &api;
                scope.spawn(move || {
                    let outcome = match api.fork() {
                        Ok(api) => stop(&mut own, &api, job, false),
                        Err(error) => Err(error.to_string().into()),
                    };
                    outcome.unwrap_or_else(|failure| {
                        own.ui.error(&failure.message);
                        failure.code
                    })
                })
            })
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap_or(1))
            .collect()
    });
    Ok(codes.into_iter().find(|code| *code != 0).unwrap_or(0))
}

fn stop(context: &mut Context, api: &Api, prefix: &str, ask: bool) -> Outcome {
    let job = context.job(api, prefix)?;
    let question = format!("Are you sure you want to stop job {:?}?", job.id);
    if ask
        && job.id != prefix
        && !context.given.on("yes")
        && !context.ui.confirm(&question, "Cancelling job stop")?
    {
        return Ok(0);
    }
    let mut query = job
        .query()
        .flag("purge", context.given.on("purge"))
        .flag("global", context.given.on("global"))
        .flag("no_shutdown_delay", context.given.on("no-shutdown-delay"));
    if context.given.int("eval-priority") != 0 {
        query = query.with("eval_priority", context.given.text("eval-priority"));
    }
    let answer = api
        .delete(&job.path(""), query)
        .map_err(|error| format!("Error deregistering job with id {prefix} err: {error}"))?;
    let eval = answer.str("EvalID");
    follow(context, api, eval, &job.namespace, eval)
}
