//! `eval delete`: removes evaluations while the broker is paused.

use super::status::find;
use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::json::Fields;
use caravan_sdk::{Method, Query};
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "eval delete",
    args: "[options] <evaluation>",
    synopsis: "Delete evaluations by ID or using a filter",
    about: "Delete an evaluation by ID. If the evaluation ID is omitted, this command will use the filter flag to identify and delete a set of evaluations. The eval broker has to be paused.",
    flags: &[
        text(
            "filter",
            "expression",
            "Delete what this expression selects.",
        ),
        switch("yes", "Answer yes to all questions."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let filter = context.given.text("filter").to_owned();
    let wrong = match (context.given.args.len(), filter.is_empty()) {
        (0, true) => "evaluation ID or filter flag required".to_owned(),
        (1.., false) => "evaluation ID and filter flag cannot both be set".to_owned(),
        (2.., _) => format!("expected 1 argument, got {}", context.given.args.len()),
        _ => String::new(),
    };
    if !wrong.is_empty() {
        return Err(format!("Error validating command args and flags: {wrong}").into());
    }
    let api = context.api()?;
    let config = api
        .get("/v1/operator/scheduler/configuration", Query::new())
        .doing("Error querying scheduler configuration")?;
    if !config.at("SchedulerConfig").yes("PauseEvalBroker") {
        context.ui.out("To delete evaluations you must first pause the eval broker by running \"nomad operator scheduler set-config -pause-eval-broker=true\"\nAfter the deletion is complete, unpause the eval broker by running \"nomad operator scheduler set-config -pause-eval-broker=false\"");
        return Err("Eval broker is not paused".into());
    }
    let (body, count) = match filter.is_empty() {
        true => {
            let eval = find(context, &api, context.given.arg(0))?;
            (json!({"EvalIDs": [eval.str("ID")]}), 1)
        }
        false => {
            let query = Query::new().with("filter", filter.as_str());
            let counted = api
                .get("/v1/evaluations/count", query)
                .doing("Error counting evaluations")?;
            (json!({"Filter": filter}), counted.int("Count"))
        }
    };
    delete(context, &api, &body, count)
}

fn delete(context: &mut Context, api: &Api, body: &Value, count: i64) -> Outcome {
    let plural = if count == 1 { "" } else { "s" };
    if !context.given.on("yes") {
        let question = format!("Are you sure you want to delete {count} eval{plural}?");
        let sure = context.ui.confirm(&question, "Cancelling eval deletion");
        match sure {
            Ok(true) => {}
            Ok(false) => return Ok(0),
            Err(failure) => {
                context.ui.out("No evaluations were deleted");
                return Err(failure);
            }
        }
    }
    let answer = api
        .write(Method::DELETE, "/v1/evaluations", Query::new(), body)
        .map_err(|error| Failure::new(format!("Error deleting evaluations: {error}")))?;
    let deleted = match answer.lacks("Count") {
        true => count,
        false => answer.int("Count"),
    };
    let plural = if deleted == 1 { "" } else { "s" };
    context.ui.out(&format!(
        "Successfully deleted {deleted} evaluation{plural}"
    ));
    Ok(0)
}
