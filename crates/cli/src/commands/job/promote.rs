//! `job promote`: promotes the canaries of a job's latest deployment.

use super::follow;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::list;
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job promote",
    args: "[options] <job>",
    synopsis: "Promote a job's canaries",
    about: "Promote is used to promote task groups in the most recent deployment for the given job. Promotion should occur when the deployment has placed canaries for a task group and those canaries have been deemed healthy. When a task group is promoted, the rolling upgrade of the remaining allocations is unblocked.",
    flags: &[
        list("group", "name", "Only this group. May be repeated."),
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
    let deployment = api
        .get(&found.path("/deployment"), found.query())
        .doing("Error retrieving deployments")?;
    if deployment.is_null() {
        return Err(format!("Job {:?} has no deployment to promote", found.id).into());
    }
    let id = deployment.str("ID");
    let groups = context.given.list("group");
    let body = json!({"DeploymentID": id, "All": groups.is_empty(), "Groups": groups});
    let answer = api
        .put(
            &format!("/v1/deployment/promote/{id}"),
            found.query(),
            &body,
        )
        .map_err(|error| {
            format!(
                "Error promoting deployment {id:?} for job {:?}: {error}",
                found.id
            )
        })?;
    let eval = answer.str("EvalID");
    let detached = match eval.is_empty() {
        true => String::new(),
        false => format!("Evaluation ID: {eval}"),
    };
    follow(context, &api, eval, &found.namespace, &detached)
}
