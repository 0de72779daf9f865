//! Allocations.

mod checks;
mod exec;
pub(super) mod exec_session;
mod fs;
mod logs;
mod pause;
mod restart;
mod signal;
mod status;
mod stop;
mod tail;

use crate::api::Api;
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Doing, Failure};
use crate::format;
use crate::json::{Fields, list};
use crate::resolve::FoundJob;
use caravan_sdk::Query;
use serde_json::Value;

pub(super) use status::status;

pub(super) const COMMANDS: &[&Command] = &[
    &checks::SPEC,
    &exec::SPEC,
    &fs::SPEC,
    &logs::SPEC,
    &pause::SPEC,
    &restart::SPEC,
    &signal::SPEC,
    &status::SPEC,
    &stop::SPEC,
];

/// Refuses ids that match nearly everything.
fn long_enough(id: &str) -> Result<(), Failure> {
    match id.chars().count() {
        1 => Err("Alloc ID must contain at least two characters.".into()),
        _ => Ok(()),
    }
}

/// In the allocation's namespace.
fn query(alloc: &Value) -> Query {
    Query::new().namespace(alloc.str("Namespace"))
}

/// The names of an allocation's tasks.
fn task_names(alloc: &Value) -> Vec<&str> {
    let groups = alloc.at("Job").items("TaskGroups");
    let group = groups
        .iter()
        .find(|group| group.str("Name") == alloc.str("TaskGroup"));
    let tasks = group.map_or(&[][..], |group| group.items("Tasks"));
    tasks.iter().map(|task| task.str("Name")).collect()
}

/// The only task, when none was named.
fn only_task(alloc: &Value) -> Result<String, Failure> {
    let tasks = task_names(alloc);
    if let [only] = tasks.as_slice() {
        return Ok((*only).to_owned());
    }
    let id = format::id(alloc.str("ID"), false);
    let lines: Vec<String> = tasks.iter().map(|task| format!("  * {task}")).collect();
    Err(format!(
        "Allocation {id:?} is running the following tasks:\n{}\n\nPlease specify the task.",
        lines.join("\n")
    )
    .into())
}

/// Refuses tasks that the allocation does not have.
fn known_task(alloc: &Value, task: &str) -> Result<(), Failure> {
    let tasks = task_names(alloc);
    match tasks.contains(&task) {
        true => Ok(()),
        false => Err(format!(
            "Could not find task named: {task}, found:\n{}",
            tasks.join("\n")
        )
        .into()),
    }
}

/// The task that a flag or the second positional names.
fn named_task(context: &Context) -> String {
    match context.given.text("task") {
        "" => context.given.arg(1).to_owned(),
        task => task.to_owned(),
    }
}

/// An allocation of a job: a running one if there is any.
fn of_job(api: &Api, found: &FoundJob, group: &str, task: &str) -> Result<Value, Failure> {
    let allocs = api
        .get(&found.path("/allocations"), found.query())
        .doing("Error querying job allocations")?;
    let mut allocs: Vec<&Value> = list(&allocs).iter().collect();
    if allocs.is_empty() {
        return Err(format!("job {:?} doesn't exist or it has no allocations", found.id).into());
    }
    if !group.is_empty() {
        allocs.retain(|alloc| alloc.str("TaskGroup") == group);
        if allocs.is_empty() {
            return Err(
                format!("task group {group:?} doesn't exist or it has no allocations").into(),
            );
        }
    }
    if !task.is_empty()
        && allocs
            .iter()
            .any(|alloc| !alloc.at("TaskStates").lacks(task))
    {
        allocs.retain(|alloc| !alloc.at("TaskStates").lacks(task));
    }
    let running = allocs
        .iter()
        .find(|alloc| alloc.str("ClientStatus") == "running");
    let chosen = running.unwrap_or(&allocs[0]);
    api.get(
        &format!("/v1/allocation/{}", chosen.str("ID")),
        found.query(),
    )
    .doing("Error querying allocation")
}
