//! `job inspect`: a job as it is stored, or as it was submitted.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::json::{Fields, plain, pretty_sorted};
use crate::resolve::FoundJob;
use crate::shape;
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job inspect",
    args: "[options] [job]",
    synopsis: "Inspect a submitted job",
    about: "Inspect is used to see the specification of a submitted job, or with -hcl the file that it was submitted as.",
    flags: &[
        switch("hcl", "Print the job as it was submitted."),
        switch(
            "with-vars",
            "With -hcl, also say how to run it with the same variables.",
        ),
        text(
            "version",
            "version",
            "Another version than the current one.",
        ),
        JSON,
        TEMPLATE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let wants_data = context.wants_data()?;
    let hcl = context.given.on("hcl");
    if context.given.on("with-vars") && !hcl {
        return Err("can only use -with-vars with -hcl".into());
    }
    let api = context.api()?;
    if context.given.args.is_empty() && wants_data {
        let jobs = api
            .get("/v1/jobs", Query::new())
            .doing("Error querying jobs")?;
        context.data(&jobs, "[]*api.JobListStub")?;
        return Ok(0);
    }
    let prefix = context.one_arg("<job>")?;
    let found = context.job(&api, &prefix)?;
    let version = context.given.text("version").to_owned();
    let job = job_version(&api, &found, &version)
        .map_err(|error| Failure::new(format!("Error inspecting job: {error}")))?;
    if hcl {
        return source(context, &api, &found, &job);
    }
    if wants_data {
        context.data(&job, "*api.Job")?;
        return Ok(0);
    }
    let job = shape::of(job, "*api.Job");
    context.ui.out(&pretty_sorted(&json!({"Job": job})));
    Ok(0)
}

/// A job at a version; the current one when none is named.
fn job_version(api: &Api, found: &FoundJob, version: &str) -> Result<Value, String> {
    if version.is_empty() {
        return api
            .get(&found.path(""), found.query())
            .map_err(|error| error.to_string());
    }
    let wanted: i64 = version
        .parse()
        .map_err(|_| format!("error parsing version {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax"))?;
    let versions = api
        .get(&found.path("/versions"), found.query())
        .map_err(|error| error.to_string())?;
    let job = versions
        .items("Versions")
        .iter()
        .find(|job| job.int("Version") == wanted);
    job.cloned()
        .ok_or_else(|| format!("job {:?} with version {wanted} couldn't be found", found.id))
}

fn source(context: &mut Context, api: &Api, found: &FoundJob, job: &Value) -> Outcome {
    let version = job.int("Version").to_string();
    let submission = api
        .get(
            &found.path("/submission"),
            found.query().with("version", version),
        )
        .doing("Error retrieving job submission")?;
    context
        .ui
        .out(submission.str("Source").trim_end_matches('\n'));
    if !context.given.on("with-vars") {
        return Ok(0);
    }
    let namespace = &found.namespace;
    let mut run = format!("nomad job run -namespace {namespace}");
    for (name, value) in submission.members("VariableFlags") {
        run += &format!(" -var {name}={}", plain(value));
    }
    let variables = submission.str("Variables");
    let mut text = String::from("\nTo run this job as originally submitted:\n\n");
    if !variables.is_empty() {
        run += " -var-file vars.hcl";
        text = format!(
            "\nTo run this job as originally submitted, with these variables in vars.hcl:\n\n{variables}\n\n"
        );
    }
    text += &format!(
        "$ nomad job inspect -namespace {namespace} -hcl {id} |\n    {run} {id}",
        id = found.id
    );
    context.ui.hint(&text);
    Ok(0)
}
