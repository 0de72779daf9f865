//! `job history`: the versions of a job.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::format::{nanos, time};
use crate::json::{Fields, pretty_sorted};
use crate::render::job_diff;
use crate::shape;
use crate::table::pairs;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job history",
    args: "[options] <job>",
    synopsis: "Display all tracked versions of a job",
    about: "History is used to display the known versions of a particular job, newest first. The changes from one to the next can be shown too.",
    flags: &[
        switch("p", "Also what changed."),
        switch("full", "Also the whole job."),
        text("version", "version", "Only this version."),
        text(
            "diff-version",
            "version",
            "Show what changed against this version.",
        ),
        text(
            "diff-tag",
            "tag",
            "Show what changed against the version with this tag.",
        ),
        JSON,
        TEMPLATE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let given = &context.given;
    if !(1..=2).contains(&given.args.len()) {
        return Err(context.usage("This command takes one argument: <job>"));
    }
    let wants_data = given.on("json") || !given.text("t").is_empty();
    if wants_data && (given.on("p") || given.on("full")) {
        return Err("-json and -t are exclusive with -p and -full".into());
    }
    if given.is_set("diff-tag") && given.is_set("diff-version") {
        return Err("-diff-tag and -diff-version are mutually exclusive".into());
    }
    let (version, prefix) = (given.text("version").to_owned(), given.arg(0).to_owned());
    let api = context.api()?;
    let found = context.job(&api, &prefix)?;
    let query = found
        .query()
        .flag("diffs", context.given.on("p"))
        .with_some("diff_tag", context.given.text("diff-tag"))
        .with_some("diff_version", context.given.text("diff-version"));
    let answer = api
        .get(&found.path("/versions"), query)
        .doing("Error retrieving job versions")?;
    let versions = answer.items("Versions");
    let diffs = answer.items("Diffs");
    let chosen: Vec<usize> = match version.is_empty() {
        true => (0..versions.len()).collect(),
        false => {
            let wanted: i64 = version.parse().map_err(|_| {
                Failure::new(format!("Error parsing version value {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax"))
            })?;
            let at = versions.iter().position(|job| job.int("Version") == wanted);
            vec![at.ok_or("Error printing job history for non-existing job or job version")?]
        }
    };
    if wants_data {
        let value = match version.is_empty() {
            true => answer.at("Versions").clone(),
            false => versions[chosen[0]].clone(),
        };
        context.data(&value, "[]*api.Job")?;
        return Ok(0);
    }
    let blocks: Vec<String> = chosen
        .into_iter()
        .map(|at| {
            block(
                context,
                &versions[at],
                diffs.get(at).filter(|_| context.given.on("p")),
            )
        })
        .collect();
    context.ui.out(&blocks.join("\n\n"));
    Ok(0)
}

fn block(context: &Context, job: &Value, diff: Option<&Value>) -> String {
    let mut rows = vec![
        ("Version", job.int("Version").to_string()),
        ("Stable", job.yes("Stable").to_string()),
        ("Submit Date", time(nanos(job.at("SubmitTime")))),
    ];
    let tag = job.at("VersionTag");
    if !tag.is_null() {
        rows.push(("Tag Name", tag.str("Name").to_owned()));
        rows.push(("Tag Description", tag.str("Description").to_owned()));
    }
    if let Some(diff) = diff {
        rows.push(("Diff", format!("\n{}", job_diff(&context.ui, diff, false))));
    }
    if context.given.on("full") {
        let whole = shape::of(job.clone(), "*api.Job");
        rows.push((
            "Full",
            format!("JSON Job:\n{}", pretty_sorted(&json!({"Job": whole}))),
        ));
    }
    pairs(&rows)
}
