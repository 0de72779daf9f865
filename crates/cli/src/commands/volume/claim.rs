//! `volume claim`: which group holds which sticky volume.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text};
use crate::format::id;
use crate::json::{Fields, list};
use crate::table::columns;
use caravan_sdk::{Query, escape_path};

pub(super) const LIST: Command = Command {
    name: "volume claim list",
    synopsis: "List existing volume claims",
    about: "List is used to list existing host volume claims.",
    flags: &[
        text("job", "job", "Only of this job."),
        text("group", "group", "Only of this group."),
        text("volume-name", "name", "Only of this volume."),
        JSON,
        TEMPLATE,
        VERBOSE,
    ],
    run: all,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "volume claim delete",
    args: "<claim_id>",
    synopsis: "Delete an existing volume claim",
    about: "Delete is used to delete an existing host volume claim.",
    flags: &[switch("y", "Answer yes to all questions.")],
    run: delete,
    ..COMMAND
};

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let query = Query::new()
        .with_some("job_id", context.given.text("job"))
        .with_some("task_group", context.given.text("group"))
        .with_some("volume_name", context.given.text("volume-name"));
    let found = api
        .get("/v1/volumes/claims", query)
        .doing("Error listing task group host volume claims")?;
    if context.data_if_wanted(&found, "[]*api.TaskGroupHostVolumeClaim")? {
        return Ok(0);
    }
    let verbose = context.verbose();
    let text = match list(&found) {
        [] => "No task group host volume claims found".to_owned(),
        claims => {
            let mut rows = vec![row![
                "ID",
                "Namespace",
                "Job ID",
                "Volume ID",
                "Volume Name"
            ]];
            rows.extend(claims.iter().map(|one| {
                row![
                    id(one.str("ID"), verbose),
                    one.str("Namespace"),
                    one.str("JobID"),
                    id(one.str("VolumeID"), verbose),
                    one.str("VolumeName")
                ]
            }));
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}

fn delete(context: &mut Context) -> Outcome {
    let id = context.one_arg("<claim_id>")?;
    while !context.given.on("y") {
        let answer = context
            .ui
            .ask("[?] Deleting a claim may lead to loss of data. Are you sure? [Y/n]")
            .map_err(|error| format!("Failed to parse answer: {error}"))?;
        match answer.to_lowercase().as_str() {
            "" | "y" | "yes" => break,
            "n" | "no" => return Ok(0),
            _ => context.ui.out(&format!(
                "{answer:?} is not a valid response, please answer \"yes\" or \"no\"."
            )),
        }
    }
    let api = context.api()?;
    api.delete(
        &format!("/v1/volumes/claim/{}", escape_path(&id)),
        Query::new(),
    )
    .doing("Error deleting task group host volume claim")?;
    context.ui.out(&format!(
        "Task group host volume claim {id} successfully deleted"
    ));
    Ok(0)
}
