//! `job scale`: changes the count of a group.

use super::follow;
use super::run::warnings;
use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::uint;
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job scale",
    args: "[options] <job> [<group>] <count>",
    synopsis: "Change the count of a Nomad job group",
    about: "Perform a scaling action by altering the count within a job group. Upon successful job submission, this command will immediately enter an interactive monitor. The group may be left out when the job has only one.",
    flags: &[
        uint(
            "check-index",
            "Only scale if the job's modify index is this.",
        ),
        DETACH,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let args = context.given.args.clone();
    let (prefix, group, count) = match args.as_slice() {
        [job, count] => (job, None, count),
        [job, group, count] => (job, Some(group.clone()), count),
        _ => return Err("Command requires at least two arguments and no more than three".into()),
    };
    let count: i64 = count.parse().map_err(|_| {
        format!(
            "Failed to convert count string to int: strconv.Atoi: parsing {count:?}: invalid syntax"
        )
    })?;
    let api = context.api()?;
    let found = context.job(&api, prefix)?;
    let job = api
        .get(&found.path(""), found.query())
        .doing("Error querying job")?;
    let groups: Vec<&str> = job
        .items("TaskGroups")
        .iter()
        .map(|group| group.str("Name"))
        .collect();
    let group = match (group, groups.as_slice()) {
        (Some(group), _) if groups.contains(&group.as_str()) => group,
        (Some(group), _) => return Err(format!("Group {group} not found within job").into()),
        (None, [only]) => (*only).to_owned(),
        (None, _) => return Err("Group name required".into()),
    };
    let mut body = json!({
        "Count": count,
        "Target": {"Group": group},
        "Message": "submitted using the Nomad CLI",
    });
    if context.given.is_set("check-index") {
        body["JobModifyIndex"] = json!(context.given.int("check-index"));
    }
    let answer = api
        .put(&found.path("/scale"), found.query(), &body)
        .doing("Error submitting scaling request")?;
    warnings(context, answer.str("Warnings"));
    let eval = answer.str("EvalID");
    let detached = match eval.is_empty() {
        true => "Job scale successful".to_owned(),
        false => format!("Job scale successful\nEvaluation ID: {eval}"),
    };
    follow(context, &api, eval, &found.namespace, &detached)
}
