//! `job periodic force`: launches a periodic job now.

use super::follow;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::Outcome;
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job periodic force",
    args: "[options] <job id>",
    synopsis: "Force the launch of a periodic job",
    about: "This command is used to force the creation of a new instance of a periodic job. This is used to immediately run a periodic job, even if it violates the job's prohibit_overlap setting.",
    flags: &[DETACH, VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job id>")?;
    let api = context.api()?;
    let found = context.job_where(&api, &prefix, "periodic ", |job| job.yes("Periodic"))?;
    let answer = api
        .put(&found.path("/periodic/force"), found.query(), &json!(null))
        .map_err(|error| format!("Error forcing periodic job {:?}: {error}", found.id))?;
    let eval = answer.str("EvalID");
    let detached = format!("Force periodic successful\nEvaluation ID: {eval}");
    follow(context, &api, eval, &found.namespace, &detached)
}
