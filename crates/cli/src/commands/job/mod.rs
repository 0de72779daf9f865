//! Jobs.

mod action;
mod allocs;
mod deployments;
mod dispatch;
mod eval;
mod explain;
mod history;
mod init;
mod inspect;
mod periodic_force;
mod plan;
mod promote;
mod restart;
mod restart_options;
mod revert;
mod run;
mod scale;
mod scaling_events;
mod start;
mod status;
mod stop;
mod tag;
mod validate;

use crate::api::Api;
use crate::command::Command;
use crate::context::Context;
use crate::failure::Outcome;
use crate::monitor::watch_evaluation;
use caravan_sdk::escape_path;

pub(super) use status::status as job_status;

pub(super) const COMMANDS: &[&Command] = &[
    &action::SPEC,
    &allocs::SPEC,
    &deployments::SPEC,
    &dispatch::SPEC,
    &eval::SPEC,
    &explain::SPEC,
    &history::SPEC,
    &init::SPEC,
    &inspect::SPEC,
    &periodic_force::SPEC,
    &plan::SPEC,
    &promote::SPEC,
    &restart::SPEC,
    &revert::SPEC,
    &run::SPEC,
    &scale::SPEC,
    &scaling_events::SPEC,
    &start::SPEC,
    &status::SPEC,
    &stop::SPEC,
    &tag::APPLY,
    &tag::UNSET,
    &validate::SPEC,
];

/// The path of a job in the web UI.
pub(super) fn ui_path(id: &str, namespace: &str) -> String {
    let namespace = if namespace.is_empty() {
        "default"
    } else {
        namespace
    };
    format!("/jobs/{}@{namespace}", escape_path(id))
}

/// Follows an evaluation, unless there is none or `-detach` was given; then `detached` is printed.
pub(super) fn follow(
    context: &mut Context,
    api: &Api,
    eval: &str,
    namespace: &str,
    detached: &str,
) -> Outcome {
    if context.given.on("detach") || eval.is_empty() {
        if !detached.is_empty() {
            context.ui.out(detached);
        }
        return Ok(0);
    }
    let verbose = context.verbose();
    watch_evaluation(api, &mut context.ui, eval, namespace, verbose)
}
