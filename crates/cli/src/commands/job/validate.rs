//! `job validate`: whether a job file makes sense.

use super::run::warnings;
use crate::command::{COMMAND, Command, VAR, VAR_FILE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, switch_on, text};
use crate::json::Fields;
use serde_json::json;

pub(super) const SPEC: Command = Command {
    name: "job validate",
    args: "[options] <path>",
    synopsis: "Checks if a given job specification is valid",
    about: "Checks if a given HCL job file has a valid specification. This can be used to check for any syntax errors and validation problems with a job. If the supplied path is \"-\", the job file is read from stdin.\n\nWithout an agent the job is checked here, without its drivers' configuration.",
    flags: &[
        switch(
            "json",
            "The file is JSON, the job alone or as the member Job.",
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

fn run(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    context.check_job_options()?;
    let file = context.job_file(&path)?;
    let api = context.api().map_err(|error| error.code(255))?;
    let answer = api.put("/v1/validate/job", file.query(), &json!({"Job": file.job}));
    let (error, warned) = match answer {
        Ok(answer) => (
            answer.str("Error").to_owned(),
            answer.str("Warnings").to_owned(),
        ),
        Err(error) if error.is_unreachable() => {
            context.ui.out("Driver configuration not validated since connection to Nomad agent couldn't be established.\n");
            locally(&file.job)?
        }
        Err(error) => return Err(format!("Error validating job: {error}").into()),
    };
    if !error.is_empty() {
        let title = context.ui.paint("1", "Job validation errors:");
        return Err(format!("{title}\n{error}").into());
    }
    warnings(context, &warned);
    let done = context.ui.paint("1;32", "Job validation successful");
    context.ui.out(&done);
    Ok(0)
}

/// What can be said without an agent.
fn locally(job: &serde_json::Value) -> Result<(String, String), Failure> {
    let job = serde_json::from_value(job.clone()).map_err(|error| error.to_string())?;
    Ok(crate::local_validation::validate(job))
}
