//! Allocations: the parts of a status of one. `list` is about many, `tasks` about what runs in one.

use crate::format::{self, ago, id, nanos, time};
use crate::json::Fields;
use crate::table::{columns, pairs};
use crate::ui::Ui;
use serde_json::Value;

mod list;
mod tasks;

pub(crate) use list::{alloc_list, alloc_list_or_none, job_alloc_list};
pub(crate) use tasks::alloc_tasks;

/// A moment, in nanoseconds, as a time where every detail is wanted.
fn moment(at: i64, verbose: bool) -> String {
    match verbose {
        true => time(at),
        false => ago(at),
    }
}

fn version(alloc: &Value) -> i64 {
    match alloc.lacks("JobVersion") {
        true => alloc.at("Job").int("Version"),
        false => alloc.int("JobVersion"),
    }
}

/// When an allocation is ended by its group's `max_run_duration`, in nanoseconds, once a task of it has started.
fn max_run_deadline(alloc: &Value, group: &Value) -> Option<i64> {
    let most = group.int("MaxRunDuration");
    let states = alloc.members("TaskStates").into_iter();
    let started = states.map(|(_, state)| nanos(state.at("StartedAt")));
    let first = started.filter(|at| *at > 0).min()?;
    (most > 0).then(|| first.saturating_add(most))
}

/// The head of an allocation's status; `eligible` is when it may be replaced, in nanoseconds, if it waits for that.
pub(crate) fn alloc_head(alloc: &Value, eligible: Option<i64>, verbose: bool) -> String {
    let when = |name: &str| moment(alloc.int(name), verbose);
    let short = |name: &str| id(alloc.str(name), verbose);
    let mut rows = vec![
        ("ID", alloc.str("ID").to_owned()),
        ("Eval ID", short("EvalID")),
        ("Name", alloc.str("Name").to_owned()),
        ("Node ID", short("NodeID")),
        ("Node Name", alloc.str("NodeName").to_owned()),
        ("Job ID", alloc.str("JobID").to_owned()),
        ("Job Version", version(alloc).to_string()),
        ("Client Status", alloc.str("ClientStatus").to_owned()),
        (
            "Client Description",
            alloc.str("ClientDescription").to_owned(),
        ),
        ("Desired Status", alloc.str("DesiredStatus").to_owned()),
        (
            "Desired Description",
            alloc.str("DesiredDescription").to_owned(),
        ),
        ("Created", when("CreateTime")),
        ("Modified", when("ModifyTime")),
    ];
    if let Some(at) = group(alloc).and_then(|group| max_run_deadline(alloc, group)) {
        rows.push(("Max Run Deadline", moment(at, verbose)));
    }
    let status = alloc.at("DeploymentStatus");
    if !alloc.str("DeploymentID").is_empty() {
        let health = match status.at("Healthy").as_bool() {
            Some(true) => "healthy",
            Some(false) => "unhealthy",
            None => "unset",
        };
        rows.push(("Deployment ID", short("DeploymentID")));
        rows.push(("Deployment Health", health.to_owned()));
        if status.yes("Canary") {
            rows.push(("Canary", "true".to_owned()));
        }
    }
    if let Some(attempts) = reschedule_attempts(alloc) {
        rows.push(("Reschedule Attempts", attempts));
    }
    if !alloc.str("NextAllocation").is_empty() {
        rows.push(("Replacement Alloc ID", short("NextAllocation")));
    }
    if let Some(at) = eligible {
        rows.push(("Reschedule Eligibility", ago(at)));
    }
    if verbose {
        let metrics = alloc.at("Metrics");
        let took = caravan_model::Duration(metrics.int("AllocationTime"));
        rows.push(("Evaluated Nodes", metrics.int("NodesEvaluated").to_string()));
        rows.push(("Filtered Nodes", metrics.int("NodesFiltered").to_string()));
        rows.push(("Exhausted Nodes", metrics.int("NodesExhausted").to_string()));
        rows.push(("Allocation Time", took.to_string()));
        rows.push(("Failures", metrics.int("CoalescedFailures").to_string()));
    }
    pairs(&rows)
}

fn reschedule_attempts(alloc: &Value) -> Option<String> {
    let group = group(alloc)?;
    let policy = group.at("ReschedulePolicy");
    let (attempts, interval) = (policy.int("Attempts"), policy.int("Interval"));
    let events = alloc.at("RescheduleTracker").items("Events");
    if policy.yes("Unlimited") || attempts <= 0 || interval <= 0 || events.is_empty() {
        return None;
    }
    let since = format::now() - interval;
    let recent = events
        .iter()
        .filter(|event| event.int("RescheduleTime") > since)
        .count();
    Some(format!("{recent}/{attempts}"))
}

fn group(alloc: &Value) -> Option<&Value> {
    let groups = alloc.at("Job").items("TaskGroups");
    groups
        .iter()
        .find(|group| group.str("Name") == alloc.str("TaskGroup"))
}

/// The short form: one line a task.
pub(crate) fn alloc_short(ui: &Ui, alloc: &Value, verbose: bool) -> String {
    let when = |name: &str| moment(alloc.int(name), verbose);
    let head = pairs(&[
        ("ID", alloc.str("ID").to_owned()),
        ("Name", alloc.str("Name").to_owned()),
        ("Created", when("CreateTime")),
        ("Modified", when("ModifyTime")),
    ]);
    let mut rows = vec![row!["Name", "State", "Last Event", "Time", "Lifecycle"]];
    for (name, lifecycle) in tasks(alloc) {
        let state = alloc.at("TaskStates").at(&name);
        let last = state.items("Events").last();
        let (event, at) = last.map_or((String::new(), String::new()), |event| {
            (event.str("Type").to_owned(), time(event.int("Time")))
        });
        let lifecycle = match lifecycle.is_empty() {
            true => "main".to_owned(),
            false => lifecycle,
        };
        rows.push(row![name, state.str("State"), event, at, lifecycle]);
    }
    format!("{head}\n\n{}\n{}", ui.bold("Tasks"), columns(&rows))
}

/// The tasks that have a state, in the order in which they run, and what each is there for.
fn tasks(alloc: &Value) -> Vec<(String, String)> {
    let lifecycles = alloc.at("AllocatedResources").at("TaskLifecycles");
    let from_job = |name: &str| {
        let tasks = group(alloc).map_or(&[][..], |group| group.items("Tasks"));
        let task = tasks.iter().find(|task| task.str("Name") == name);
        task.map_or(&Value::Null, |task| task.at("Lifecycle"))
    };
    let mut found: Vec<(bool, String, String)> = Vec::new();
    for (name, _) in alloc.members("TaskStates") {
        let lifecycle = match lifecycles.at(name) {
            Value::Null => from_job(name),
            lifecycle => lifecycle,
        };
        let mut text = lifecycle.str("Hook").to_owned();
        if lifecycle.yes("Sidecar") {
            text += " sidecar";
        }
        found.push((text.is_empty(), name.to_owned(), text));
    }
    found.sort();
    found
        .into_iter()
        .map(|(_, name, text)| (name, text))
        .collect()
}

/// The addresses of an allocation's group.
pub(crate) fn alloc_addresses(alloc: &Value) -> String {
    let shared = alloc.at("AllocatedResources").at("Shared");
    let Some(network) = shared.items("Networks").first() else {
        return String::new();
    };
    let mut rows = vec![row!["Label", "Dynamic", "Address"]];
    let address = |label: String, dynamic: &str, ip: &str, port: &Value| {
        let to = match port.int("To") {
            to if to > 0 => format!(" -> {to}"),
            _ => String::new(),
        };
        row![label, dynamic, format!("{ip}:{}{to}", port.int("Value"))]
    };
    let ports = shared.items("Ports");
    if ports.is_empty() {
        for (kind, dynamic) in [("DynamicPorts", "yes"), ("ReservedPorts", "")] {
            for port in network.items(kind) {
                rows.push(address(
                    port.str("Label").to_owned(),
                    dynamic,
                    network.str("IP"),
                    port,
                ));
            }
        }
    }
    for port in ports {
        rows.push(address(
            format!("*{}", port.str("Label")),
            "yes",
            port.str("HostIP"),
            port,
        ));
    }
    let mode = match network.str("Mode") {
        "" => String::new(),
        mode => format!(" (mode = \"{mode}\")"),
    };
    format!("\n\nAllocation Addresses{mode}:\n{}", columns(&rows))
}

/// The checks of an allocation's services.
pub(crate) fn alloc_checks(checks: &Value) -> String {
    let mut rows: Vec<Vec<String>> = crate::json::sorted(checks)
        .into_iter()
        .map(|(_, check)| {
            let task = match check.str("Task") {
                "" => "(group)",
                task => task,
            };
            row![
                check.str("Service"),
                task,
                check.str("Check"),
                check.str("Mode"),
                check.str("Status")
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort();
    rows.insert(0, row!["Service", "Task", "Name", "Mode", "Status"]);
    format!("\n\nNomad Service Checks:\n{}", columns(&rows))
}
