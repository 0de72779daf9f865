//! `job run`: registers a job and follows it.

use super::{follow, ui_path};
use crate::command::{COMMAND, Command, DETACH, UI, VAR, VAR_FILE, VERBOSE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, switch, switch_on, text};
use crate::format::{time, until};
use crate::go_order;
use crate::json::{Fields, html_escape, pretty};
use crate::render::next_launch;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job run",
    args: "[options] <path>",
    synopsis: "Run a new job or update an existing job",
    about: "Starts running a new job or updates an existing job using the specification located at <path>. If the supplied path is \"-\", the job file is read from stdin. Otherwise it is read from the file at the supplied path or downloaded from an http or https URL.\n\nUpon successful job submission, this command will immediately enter an interactive monitor. This is useful to watch the scheduler make decisions and place the submitted work onto nodes. The monitor will end once job placement is done. It is safe to exit the monitor early using ctrl+c.\n\nOn successful job submission and scheduling, exit code 0 will be returned. If there are job placement issues encountered (unsatisfiable constraints, resource exhaustion, etc), then the exit code will be 2. Any other errors, including client connection issues or internal errors, are indicated by exit code 1.",
    flags: &[
        text(
            "check-index",
            "index",
            "Only register the job if its modify index is this; 0 means that it must not exist.",
        ),
        DETACH,
        int(
            "eval-priority",
            "0",
            "The priority of the evaluation, 1 to 100; the job's own without it.",
        ),
        switch(
            "json",
            "The file is JSON, the job alone or as the member Job.",
        ),
        switch_on(
            "hcl2-strict",
            "Whether values for variables that nobody declared are an error.",
        ),
        switch("output", "Print the job as JSON and do not submit it."),
        switch("policy-override", "Override soft policies."),
        switch(
            "preserve-counts",
            "Keep the counts of groups that already run.",
        ),
        switch(
            "preserve-resources",
            "Keep the resources of tasks that already run.",
        ),
        text(
            "consul-namespace",
            "namespace",
            "The Consul namespace of the job.",
        ),
        text(
            "vault-namespace",
            "namespace",
            "The Vault namespace of the job.",
        ),
        UI,
        VAR,
        VAR_FILE,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    let check = check_index(context.given.text("check-index"))?;
    context.check_job_options()?;
    let mut file = context.job_file(&path)?;
    let namespaces = [
        ("consul-namespace", "ConsulNamespace"),
        ("vault-namespace", "VaultNamespace"),
    ];
    for (flag, member) in namespaces {
        if context.given.is_set(flag) {
            file.job[member] = json!(context.given.text(flag));
        }
    }
    if context.given.on("output") {
        let job = json!({"Job": go_order::job(&file.job)});
        context.ui.out(&html_escape(&pretty(&job, "    ")));
        return Ok(0);
    }
    let api = context.api()?;
    let mut body = json!({
        "Job": file.job,
        "Submission": file.submission,
        "EvalPriority": context.given.int("eval-priority"),
        "PolicyOverride": context.given.on("policy-override"),
        "PreserveCounts": context.given.on("preserve-counts"),
        "PreserveResources": context.given.on("preserve-resources"),
    });
    if let Some(index) = check {
        body["EnforceIndex"] = json!(true);
        body["JobModifyIndex"] = json!(index);
    }
    let answer = api.put("/v1/jobs", file.query(), &body).map_err(refused)?;
    warnings(context, answer.str("Warnings"));
    let namespace = match file.job.str("Namespace") {
        "" => context.config().namespace,
        name => name.to_owned(),
    };
    let hint = ui_path(file.id(), &namespace);
    let eval = answer.str("EvalID");
    let alone = context.given.on("detach")
        || is_periodic(&file.job)
        || !file.job.lacks("ParameterizedJob")
        || !file.job.lacks("Multiregion");
    if alone {
        context.ui.out("Job registration successful");
        if is_periodic(&file.job) && file.job.lacks("ParameterizedJob") {
            if let Some(next) = next_launch(file.job.at("Periodic")) {
                context.ui.out(&format!(
                    "Approximate next launch time: {} ({} from now)",
                    time(next),
                    until(next)
                ));
            }
        } else if file.job.lacks("ParameterizedJob") {
            context.ui.out(&format!("Evaluation ID: {eval}"));
        }
        context.hint(&api, "View this job", &hint);
        return Ok(0);
    }
    context.hint_with(&api, "View this job", &hint, "\n");
    follow(context, &api, eval, &namespace, "")
}

/// Whether the job runs by the clock.
fn is_periodic(job: &Value) -> bool {
    let periodic = job.at("Periodic");
    !periodic.is_null() && periodic.at("Enabled").as_bool().unwrap_or(true)
}

fn check_index(text: &str) -> Result<Option<u64>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(index) => Ok(Some(index)),
        Err(_) => Err(format!(
            "Error parsing check-index value {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        )
        .into()),
    }
}

fn refused(error: caravan_sdk::Error) -> Failure {
    let body = error.body().unwrap_or_default();
    match body.find("Enforcing job modify index") {
        Some(at) => format!("{}\nJob not updated", &body[at..]).into(),
        None => format!("Error submitting job: {error}").into(),
    }
}

/// Prints what the server would rather have different.
pub(super) fn warnings(context: &mut Context, text: &str) {
    if text.is_empty() {
        return;
    }
    let text = context.ui.paint("1;33", &format!("Job Warnings:\n{text}"));
    context.ui.out(&format!("{text}\n"));
}
