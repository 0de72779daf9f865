//! `job revert`: goes back to an earlier version.

use super::follow;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job revert",
    args: "[options] <job> <version|tag>",
    synopsis: "Revert to a prior version of the job",
    about: "Revert is used to revert a job to a prior version of the job. The available versions to revert to can be found using \"nomad job history\" command.",
    flags: &[DETACH, VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        2..=2,
        "This command takes two arguments: <job> <version|tag>",
    )?;
    let (prefix, wanted) = (
        context.given.arg(0).to_owned(),
        context.given.arg(1).to_owned(),
    );
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let version = match wanted.parse::<i64>() {
        Ok(version) => version,
        Err(_) => {
            let versions = api
                .get(&found.path("/versions"), found.query())
                .doing("Error retrieving job versions")?;
            let tagged = versions
                .items("Versions")
                .iter()
                .find(|job| job.at("VersionTag").str("Name") == wanted);
            let job = tagged.ok_or_else(|| {
                format!("Error retrieving job versions: tag {wanted:?} not found")
            })?;
            job.int("Version")
        }
    };
    let body = json!({"JobID": found.id, "JobVersion": version});
    let answer = api
        .put(&found.path("/revert"), found.query(), &body)
        .doing("Error retrieving job versions")?;
    let eval = answer.str("EvalID");
    let detached = match eval.is_empty() {
        true => String::new(),
        false => format!("Evaluation ID: {eval}"),
    };
    follow(context, &api, eval, &found.namespace, &detached)
}
