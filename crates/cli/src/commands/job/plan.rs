//! `job plan`: what running a job would change.

use super::run::warnings;
use crate::command::{COMMAND, Command, VAR, VAR_FILE, VERBOSE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, switch_on, text};
use crate::json::{Fields, pretty_sorted};
use crate::render;
use caravan_sdk::escape_path;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job plan",
    args: "[options] <path>",
    synopsis: "Dry-run a job update to determine its effects",
    about: "Plan invokes a dry-run of the scheduler to determine the effects of submitting either a new or updated version of a job. The plan will not result in any changes to the cluster but gives insight into whether the job could be run successfully and how it would affect existing allocations.\n\nPlan will return one of the following exit codes:\n  * 0: No allocations created or destroyed.\n  * 1: Allocations created or destroyed.\n  * 255: Error determining plan results.",
    flags: &[
        switch_on(
            "diff",
            "Show the difference between the remote job and the planned one.",
        ),
        switch(
            "json",
            "The file is JSON, the job alone or as the member Job.",
        ),
        switch_on(
            "hcl2-strict",
            "Whether values for variables that nobody declared are an error.",
        ),
        switch("json-output", "Print the answer as JSON."),
        text("t", "template", "Print the answer through a Go template."),
        switch(
            "rollout",
            "Also tell how the rollout goes as a whole: its steps in order, whether a deployment watches it, and which nodes could take part.",
        ),
        switch("policy-override", "Override soft policies."),
        text(
            "vault-namespace",
            "namespace",
            "The Vault namespace of the job.",
        ),
        VAR,
        VAR_FILE,
        VERBOSE,
    ],
    usage_code: 255,
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    let failed = |text: String| Failure::new(text).code(255);
    let as_data = (
        context.given.on("json-output"),
        !context.given.text("t").is_empty(),
    );
    if as_data == (true, true) {
        return Err(failed(
            "Both -json-output and -t formatting are not allowed".into(),
        ));
    }
    context.check_job_options()?;
    let mut file = context.job_file(&path)?;
    if context.given.is_set("vault-namespace") {
        file.job["VaultNamespace"] = json!(context.given.text("vault-namespace"));
    }
    let api = context.api().map_err(|error| error.code(255))?;
    let body = json!({
        "Job": file.job,
        "Diff": true,
        "PolicyOverride": context.given.on("policy-override"),
        "Rollout": context.given.on("rollout"),
    });
    let route = format!("/v1/job/{}/plan", escape_path(file.id()));
    let answer = api
        .put(&route, file.query(), &body)
        .map_err(|error| failed(format!("Error during plan: {error}")))?;
    let code = exit_code(&answer);
    match as_data {
        (true, _) => context.ui.out(&pretty_sorted(&answer)),
        (_, true) => context
            .data(&answer, "*api.JobPlanResponse")
            .map_err(|error| error.code(255))?,
        _ => show(context, &path, &answer, &file.job),
    }
    Ok(code)
}

fn show(context: &mut Context, path: &str, answer: &Value, job: &Value) {
    if context.given.on("diff") {
        let diff = render::job_diff(&context.ui, answer.at("Diff"), context.verbose());
        context.ui.out(&format!("{diff}\n"));
    }
    let text = render::plan(&context.ui, answer, job);
    context.ui.out(text.trim_end_matches('\n'));
    context.ui.out("");
    warnings(context, answer.str("Warnings"));
    let preempted = render::preemptions(&context.ui, answer);
    if !preempted.is_empty() {
        context.ui.out(preempted.trim_end_matches('\n'));
    }
    if !answer.lacks("Rollout") {
        let rollout = render::rollout(&context.ui, answer.at("Rollout"));
        context.ui.out(&rollout);
    }
    let index = answer.int("JobModifyIndex");
    let mut options = String::new();
    for var in context.given.list("var") {
        options += &format!("-var={var:?} ");
    }
    for file in context.given.list("var-file") {
        options += &format!("-var-file={file:?} ");
    }
    if context.given.is_set("namespace") {
        options += &format!("-namespace={:?} ", context.given.text("namespace"));
    }
    if !context.given.on("hcl2-strict") {
        options += "-hcl2-strict=false ";
    }
    let title = context.ui.bold(&format!("Job Modify Index: {index}"));
    let plain = context.ui.sgr("0");
    context.ui.out(&format!(
        "{plain}{title}\nTo submit the job with version verification run:\n\nnomad job run -check-index {index} {options}{path}\n\nWhen running the job with the check-index flag, the job will only be run if the\njob modify index given matches the server-side version. If the index has\nchanged, another user has modified the job and the plan's results are\npotentially invalid.{plain}"
    ));
}

/// 1 when allocations would be made or stopped.
fn exit_code(answer: &Value) -> u8 {
    if answer.at("Diff").str("Type") == "None" {
        return 0;
    }
    let updates = answer.at("Annotations").members("DesiredTGUpdates");
    let changes = updates.into_iter().any(|(_, update)| {
        let kinds = ["Stop", "Place", "Migrate", "DestructiveUpdate", "Canary"];
        kinds.into_iter().any(|kind| update.int(kind) > 0)
    });
    u8::from(changes)
}
