//! `job start`: runs a stopped job again.

use super::follow;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job start",
    args: "[options] <job>",
    synopsis: "Start a stopped job",
    about: "Start an existing stopped job. This command is used to start a previously stopped job's most recent version. Upon successful start, an interactive monitor session will start to display log lines as the job starts its allocations based on its most recent version.",
    flags: &[DETACH, VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let mut job = api
        .get(&found.path(""), found.query())
        .doing("Error retrieving job")?;
    if !job.yes("Stop") {
        return Err(format!("Job {:?} has not been stopped", found.id).into());
    }
    let submission = api.get(
        &found.path("/submission"),
        found
            .query()
            .with("version", job.int("Version").to_string()),
    );
    job["Stop"] = json!(false);
    let body = json!({"Job": job, "Submission": submission.unwrap_or_default()});
    let answer = api
        .put("/v1/jobs", found.query(), &body)
        .doing("Error starting job")?;
    let eval = answer.str("EvalID");
    let mut detached = "Job start successful".to_owned();
    if !eval.is_empty() {
        detached += &format!("\nEvaluation ID: {eval}");
    }
    follow(context, &api, eval, &found.namespace, &detached)
}
