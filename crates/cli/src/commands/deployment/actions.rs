//! `deployment fail|pause|promote|resume|unblock`: steering a deployment.

use crate::command::{COMMAND, Command, DETACH, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::list;
use crate::json::Fields;
use crate::monitor::watch_evaluation;
use caravan_sdk::Query;
use serde_json::{Value, json};

const BASE: Command = Command {
    args: "[options] <deployment id>",
    flags: &[DETACH, VERBOSE],
    ..COMMAND
};

pub(super) const FAIL: Command = Command {
    name: "deployment fail",
    synopsis: "Manually fail a deployment",
    about: "Fail is used to mark a deployment as failed. Failing a deployment will stop the placement of new allocations as part of rolling deployment and if the job is configured to auto revert, the job will attempt to roll back to a stable version.",
    run: |context| act(context, "fail", "failing", "failed", &Value::Null),
    ..BASE
};

pub(super) const PAUSE: Command = Command {
    name: "deployment pause",
    synopsis: "Pause a deployment",
    about: "Pause is used to pause a deployment. Pausing a deployment will pause the placement of new allocations as part of rolling deployment.",
    flags: &[VERBOSE],
    run: |context| {
        act(
            context,
            "pause",
            "pausing",
            "paused",
            &json!({"Pause": true}),
        )
    },
    ..BASE
};

pub(super) const RESUME: Command = Command {
    name: "deployment resume",
    synopsis: "Resume a paused deployment",
    about: "Resume is used to unpause a paused deployment. Resuming a deployment will resume the placement of new allocations as part of rolling deployment.",
    run: |context| {
        act(
            context,
            "pause",
            "resuming",
            "resumed",
            &json!({"Pause": false}),
        )
    },
    ..BASE
};

pub(super) const UNBLOCK: Command = Command {
    name: "deployment unblock",
    synopsis: "Unblock a blocked deployment",
    about: "Unblock is used to unblock a multiregion deployment that's waiting for peer region deployments to complete.",
    run: |context| act(context, "unblock", "unblocking", "unblocked", &json!({})),
    ..BASE
};

pub(super) const PROMOTE: Command = Command {
    name: "deployment promote",
    synopsis: "Promote canaries in a deployment",
    about: "Promote is used to promote task groups in a deployment. Promotion should occur when the deployment has placed canaries for a task group and those canaries have been deemed healthy.",
    flags: &[
        list("group", "name", "Only this group. May be repeated."),
        DETACH,
        VERBOSE,
    ],
    run: promote,
    ..BASE
};

fn promote(context: &mut Context) -> Outcome {
    let groups = context.given.list("group");
    let body = json!({"All": groups.is_empty(), "Groups": groups});
    act(context, "promote", "promoting", "", &body)
}

/// Asks for something, says that it is done, follows what it leads to.
fn act(context: &mut Context, route: &str, doing: &str, done: &str, body: &Value) -> Outcome {
    let prefix = context.one_arg("<deployment id>")?;
    let api = context.api()?;
    let deployment = context.deployment(&api, &prefix)?;
    let (id, namespace) = (deployment.str("ID"), deployment.str("Namespace"));
    let mut body = body.clone();
    if body.is_object() {
        body["DeploymentID"] = json!(id);
    }
    let path = format!("/v1/deployment/{route}/{id}");
    let answer = api
        .put(&path, Query::new().namespace(namespace), &body)
        .doing(format!("Error {doing} deployment"))?;
    if !done.is_empty() {
        let reverted = match answer.at("RevertedJobVersion").as_i64() {
            Some(version) => format!(". Auto-reverted to job version {version}."),
            None => String::new(),
        };
        context
            .ui
            .out(&format!("Deployment {id:?} {done}{reverted}"));
    }
    let eval = answer.str("EvalID");
    if eval.is_empty() || done == "paused" {
        return Ok(0);
    }
    if context.given.on("detach") {
        context.ui.out(&format!("Evaluation ID: {eval}"));
        return Ok(0);
    }
    if !done.is_empty() {
        context.ui.out("");
    }
    let verbose = context.verbose();
    watch_evaluation(&api, &mut context.ui, eval, namespace, verbose)
}
