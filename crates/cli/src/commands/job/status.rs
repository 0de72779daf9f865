//! `job status`: all jobs, or everything about one.

use super::ui_path;
use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::switch;
use crate::json::{Fields, list};
use crate::render;
use crate::resolve::FoundJob;
use crate::table::{columns, pairs};
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job status",
    args: "[options] [job]",
    synopsis: "Display status information about a job",
    about: "Display status information about a job. If no job ID is given, a list of all known jobs will be displayed.",
    flags: &[
        switch(
            "all-allocs",
            "Also allocations of earlier jobs with the same id.",
        ),
        switch("evals", "Also the job's evaluations."),
        switch("short", "Only the job itself."),
        JSON,
        TEMPLATE,
        UI,
        VERBOSE,
    ],
    known_as: "status",
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    if context.given.args.len() > 1 {
        return Err(context.usage("This command takes either no arguments or one: <job>"));
    }
    let api = context.api()?;
    match context.given.args.first().cloned() {
        None => all(context, &api),
        Some(prefix) => one(context, &api, &prefix),
    }
}

fn all(context: &mut Context, api: &Api) -> Outcome {
    let wants_data = context.wants_data()?;
    let jobs = api
        .get("/v1/jobs", Query::new())
        .doing("Error querying jobs")?;
    let jobs = list(&jobs);
    if wants_data {
        let mut composites = Vec::new();
        for job in jobs {
            let found = FoundJob {
                id: job.str("ID").to_owned(),
                namespace: job.str("Namespace").to_owned(),
            };
            composites.push(composite(context, api, &found)?);
        }
        context.data(&Value::Array(composites), "[]command.JobJson")?;
        return Ok(0);
    }
    match jobs.is_empty() {
        true => context.ui.out("No running jobs"),
        false => {
            let everywhere = api.client.config().namespace == "*";
            context.ui.out(&render::job_list(jobs, everywhere));
        }
    }
    context.hint(api, "View and manage Nomad jobs", "/jobs");
    Ok(0)
}

/// What `-json` shows of a job.
fn composite(context: &Context, api: &Api, job: &FoundJob) -> Result<Value, Failure> {
    let all = context.given.on("all-allocs");
    let part = |rest: &str, query: Query, what: &str| {
        api.get(&job.path(rest), query)
            .doing(format!("Error querying job {what}"))
    };
    Ok(json!({
        "Summary": part("/summary", job.query(), "summary")?,
        "Allocations": part("/allocations", job.query().flag("all", all), "allocations")?,
        "LatestDeployment": part("/deployment", job.query(), "latest deployment")?,
        "Evaluations": part("/evaluations", job.query(), "evaluations")?,
    }))
}

fn one(context: &mut Context, api: &Api, prefix: &str) -> Outcome {
    let wants_data = context.wants_data()?;
    let found = context.job(api, prefix)?;
    if wants_data {
        let value = Value::Array(vec![composite(context, api, &found)?]);
        context.data(&value, "[]command.JobJson")?;
        return Ok(0);
    }
    let job = api
        .get(&found.path(""), found.query())
        .doing("Error querying job")?;
    let mut text = render::job_head(&job);
    if !context.given.on("short") {
        text += &details(context, api, &found, &job)?;
    }
    context.ui.out(&text);
    let path = ui_path(&found.id, &found.namespace);
    context.hint(api, "View job details and metrics", &path);
    Ok(0)
}

fn details(context: &Context, api: &Api, found: &FoundJob, job: &Value) -> Result<String, Failure> {
    let ui = &context.ui;
    let periodic = !job.lacks("Periodic");
    let parameterized = !job.lacks("ParameterizedJob") && !job.yes("Dispatched");
    let summary = || {
        api.get(&found.path("/summary"), found.query())
            .doing("Error querying job summary")
    };
    let children = |kind: &str| {
        let query = found
            .query()
            .with("prefix", format!("{}/{kind}-", found.id));
        api.get("/v1/jobs", query)
            .doing("Error querying job children")
    };
    if parameterized {
        let head = render_parameterized(context, job);
        let summary = render::job_summary(ui, job, &summary()?);
        let none = "No dispatched instances of parameterized job found";
        let rest = render::children(
            ui,
            "Dispatched Jobs",
            none,
            &found.id,
            &children("dispatch")?,
        );
        return Ok(head + &summary + &rest);
    }
    let mut text = render::job_summary(ui, job, &summary()?);
    if periodic {
        let none = "No instances of periodic job found";
        text += &render::children(
            ui,
            "Previously Launched Jobs",
            none,
            &found.id,
            &children("periodic")?,
        );
        return Ok(text);
    }
    Ok(text + &work(context, api, found, job)?)
}

/// Evaluations, the deployment and allocations.
fn work(context: &Context, api: &Api, found: &FoundJob, job: &Value) -> Result<String, Failure> {
    let (ui, verbose) = (&context.ui, context.verbose());
    let all = context.given.on("all-allocs");
    let allocs = api
        .get(&found.path("/allocations"), found.query().flag("all", all))
        .doing("Error querying job allocations")?;
    let evals = api
        .get(&found.path("/evaluations"), found.query())
        .doing("Error querying job evaluations")?;
    let deployment = api
        .get(&found.path("/deployment"), found.query())
        .doing("Error querying job latest deployment")?;
    let (allocs, evals) = (list(&allocs), list(&evals));
    let mut text = String::new();
    if verbose || context.given.on("evals") {
        text += &render::job_evaluations(ui, evals, verbose);
    }
    text += &render::job_failures(ui, evals);
    text += &render::job_reschedules(ui, job, allocs, evals, verbose);
    if !deployment.is_null() {
        let head = pairs(&[
            ("ID", context.id(deployment.str("ID"))),
            ("Status", deployment.str("Status").to_owned()),
            (
                "Description",
                deployment.str("StatusDescription").to_owned(),
            ),
        ]);
        text += &format!("\n\n{}\n{head}", ui.bold("Latest Deployment"));
        if !deployment.members("TaskGroups").is_empty() {
            text += &format!(
                "\n\n{}\n{}",
                ui.bold("Deployed"),
                render::deployed(&deployment)
            );
        }
    }
    text += &render::job_actions(ui, job);
    let table = render::job_alloc_list(job, allocs, verbose);
    Ok(text + &format!("\n\n{}\n{table}", ui.bold("Allocations")))
}

fn render_parameterized(context: &Context, job: &Value) -> String {
    let config = job.at("ParameterizedJob");
    let payload = match config.str("Payload") {
        "" => "optional",
        payload => payload,
    };
    let text = pairs(&[
        ("Payload", payload.to_owned()),
        ("Required Metadata", config.strs("MetaRequired").join(", ")),
        ("Optional Metadata", config.strs("MetaOptional").join(", ")),
    ]);
    format!("\n\n{}\n{text}", context.ui.bold("Parameterized Job"))
}

/// A list of actions for `nomad action` without a name.
pub(super) fn action_table(actions: &[Value]) -> String {
    let mut rows = vec![row!["Action Name", "Task Group", "Task"]];
    rows.extend(actions.iter().map(|action| {
        row![
            action.str("Name"),
            action.str("TaskGroupName"),
            action.str("TaskName")
        ]
    }));
    columns(&rows)
}
