//! `job tag apply` and `job tag unset`: names for versions.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::text;
use crate::json::Fields;
use caravan_sdk::escape_path;
use serde_json::json;

pub(super) const APPLY: Command = Command {
    name: "job tag apply",
    args: "[options] <job>",
    synopsis: "Save a job version by applying a tag to it",
    about: "Creates a tag for a job version, which spares it from garbage collection and gives it a name for history and revert.",
    flags: &[
        text("name", "name", "The tag. Required."),
        text("description", "text", "What the tag is for."),
        text(
            "version",
            "version",
            "The version; the current one without it.",
        ),
    ],
    run: apply,
    ..COMMAND
};

pub(super) const UNSET: Command = Command {
    name: "job tag unset",
    args: "[options] <job>",
    synopsis: "Remove a tag from a job version",
    about: "Removes a tag from a job version.",
    flags: &[text("name", "name", "The tag. Required.")],
    run: unset,
    ..COMMAND
};

fn name(context: &Context) -> Result<String, Failure> {
    match context.given.text("name") {
        "" => Err(context.usage("A version tag name is required")),
        name => Ok(name.to_owned()),
    }
}

fn apply(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let name = name(context)?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    const DOING: &str = "Error tagging job version";
    let version: i64 = match context.given.text("version") {
        "" => api.get(&found.path(""), found.query()).doing(DOING)?.int("Version"),
        text => text.parse().map_err(|_| {
            format!("Error parsing version value {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
        })?,
    };
    let body = json!({"Version": version, "Description": context.given.text("description")});
    let path = found.path(&format!("/versions/{}/tag", escape_path(&name)));
    api.put(&path, found.query(), &body).doing(DOING)?;
    context
        .ui
        .out(&format!("Job version {version} tagged with name {name:?}"));
    Ok(0)
}

fn unset(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<job>")?;
    let name = name(context)?;
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let path = found.path(&format!("/versions/{}/tag", escape_path(&name)));
    api.delete(&path, found.query())
        .doing("Error tagging job version")?;
    context
        .ui
        .out(&format!("Tag {name:?} removed from job {:?}", found.id));
    Ok(0)
}
