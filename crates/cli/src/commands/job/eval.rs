//! `job eval`: makes an evaluation of a job.

use super::follow;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job eval",
    args: "[options] <job>",
    synopsis: "Force an evaluation for the job",
    about: "Force an evaluation of the provided job ID. Forcing an evaluation will trigger the scheduler to re-evaluate the job. The force flags allow operators to force the scheduler to create new allocations under certain scenarios.",
    flags: &[
        switch(
            "force-reschedule",
            "Reschedule failed allocations although they are not yet eligible.",
        ),
        DETACH,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let body = json!({
        "JobID": found.id,
        "EvalOptions": {"ForceReschedule": context.given.on("force-reschedule")},
    });
    let answer = api
        .put(&found.path("/evaluate"), found.query(), &body)
        .doing("Error evaluating job")?;
    let eval = answer.str("EvalID");
    let detached = format!("Created eval ID: {:?} ", context.id(eval));
    follow(context, &api, eval, &found.namespace, &detached)
}
