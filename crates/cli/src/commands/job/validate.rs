//! `job validate`: whether a job file makes sense.

use super::run::warnings;
use crate::command::{COMMAND, Command, VAR, VAR_FILE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, switch_on, text};
use crate::jobfile::{Fetched, JobFile, Unread, fetch_job_file};
use crate::json::{Fields, pretty};
use caravan_jobspec::{Diagnostic, Severity};
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "job validate",
    args: "[options] <path>",
    synopsis: "Checks if a given job specification is valid",
    about: "Checks if a given HCL job file has a valid specification. This can be used to check for any syntax errors and validation problems with a job. If the supplied path is \"-\", the job file is read from stdin.\n\nWithout an agent the job is checked here, without what only the cluster knows: its namespaces, node pools and the drivers' configuration.\n\nFor editors, -json-output prints every error and warning with its place in the file as JSON, and so does -json when the file is not JSON.",
    flags: &[
        switch(
            "json",
            "The file is JSON, the job alone or as the member Job. With any other file the same as -json-output.",
        ),
        switch(
            "json-output",
            "Print what was found as JSON: severity, summary, detail, and the range in the file.",
        ),
        switch_on(
            "hcl2-strict",
            "Whether values for variables that nobody declared are an error.",
        ),
        text(
            "vault-namespace",
            "namespace",
            "The Vault namespace of the job.",
        ),
        VAR,
        VAR_FILE,
    ],
    run,
    ..COMMAND
};

/// What judging a job gave.
struct Judged {
    /// One text each, perhaps with others inside.
    errors: Vec<String>,
    /// All of them as one text.
    error: String,
    warnings: String,
    /// Whether a server judged.
    by_server: bool,
}

fn run(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    context.check_job_options()?;
    let fetched = fetch_job_file(&path).map_err(|why| context.no_job(Unread::Text(why)))?;
    let is_json = fetched.source.bytes.trim_ascii_start().starts_with(b"{");
    let as_json = context.given.on("json") && is_json;
    let job = context.interpret(&fetched, as_json);
    if context.given.on("json-output") || context.given.on("json") && !is_json {
        return report(context, &fetched, job);
    }
    let job = job.map_err(|why| context.no_job(why))?;
    let judged = judge(context, &job)?;
    if !judged.by_server {
        context.ui.out("Driver configuration not validated since connection to Nomad agent couldn't be established.\n");
    }
    if !judged.error.is_empty() {
        let title = context.ui.paint("1", "Job validation errors:");
        return Err(format!("{title}\n{}", judged.error).into());
    }
    warnings(context, &judged.warnings);
    let done = context.ui.paint("1;32", "Job validation successful");
    context.ui.out(&done);
    Ok(0)
}

/// Asks the agent, or judges here when there is none.
fn judge(context: &Context, file: &JobFile) -> Result<Judged, Failure> {
    let api = context.api().map_err(|error| error.code(255))?;
    let answer = api.put("/v1/validate/job", file.query(), &json!({"Job": file.job}));
    match answer {
        Ok(answer) => Ok(Judged {
            errors: answer
                .strs("ValidationErrors")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            error: answer.str("Error").to_owned(),
            warnings: answer.str("Warnings").to_owned(),
            by_server: true,
        }),
        Err(error) if error.is_unreachable() || no_such_region(&error) => locally(&file.job),
        Err(error) => Err(format!("Error validating job: {error}").into()),
    }
}

/// Whether the agent that answered has no way to the job's region.
fn no_such_region(error: &caravan_sdk::Error) -> bool {
    error
        .body()
        .is_some_and(|body| body.contains("No path to region"))
}

/// What can be said without an agent.
fn locally(job: &Value) -> Result<Judged, Failure> {
    let job = caravan_codec::json::decode(job.to_string().as_bytes(), "api")
        .map_err(|error| error.to_string())?;
    let (errors, error, warnings) = crate::local_validation::validate(job);
    Ok(Judged {
        errors,
        error,
        warnings,
        by_server: false,
    })
}

/// Warnings out of the text that lists them.
fn one_by_one(text: &str) -> Vec<String> {
    let Some((_, list)) = text.split_once("\n\n* ") else {
        return Vec::new();
    };
    list.split("\n* ").map(str::to_owned).collect()
}

/// Everything that was found, as JSON; the exit code is 1 when there is an error among it.
fn report(context: &mut Context, file: &Fetched, job: Result<JobFile, Unread>) -> Outcome {
    let mut by_server = false;
    let found: Vec<Diagnostic> = match job {
        Err(Unread::Language { found, .. }) => found.list,
        Err(other) => return Err(context.no_job(other)),
        Ok(job) => {
            let judged = judge(context, &job)?;
            by_server = judged.by_server;
            let warnings = one_by_one(&judged.warnings);
            let mut found = job.warnings;
            found.extend(caravan_jobspec::locate(
                &file.source,
                &judged.errors,
                Severity::Error,
            ));
            found.extend(caravan_jobspec::locate(
                &file.source,
                &warnings,
                Severity::Warning,
            ));
            found
        }
    };
    let of = |severity| found.iter().filter(|one| one.severity == severity).count();
    let errors = of(Severity::Error);
    let report = json!({
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": of(Severity::Warning),
        "validated_by_server": by_server,
        "diagnostics": found,
    });
    context.ui.out(&pretty(&report, "  "));
    Ok(u8::from(errors > 0))
}
