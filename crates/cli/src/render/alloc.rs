//! Allocations.

use crate::format::{self, ago, id, mib, nanos, size, time, time_or_na};
use crate::json::Fields;
use crate::render::alloc_stats;
use crate::table::{columns, columns_with, pairs};
use crate::ui::Ui;
use serde_json::Value;

/// The list of allocations.
pub(crate) fn alloc_list(allocs: &[Value], verbose: bool) -> String {
    alloc_list_of(&Value::Null, allocs, verbose)
}

/// The list of allocations of a job, which says until when they may run where its groups do.
fn alloc_list_of(job: &Value, allocs: &[Value], verbose: bool) -> String {
    let groups = job.items("TaskGroups");
    let limited = groups.iter().any(|group| group.int("MaxRunDuration") > 0);
    let mut allocs: Vec<&Value> = allocs.iter().collect();
    allocs.sort_by_key(|alloc| std::cmp::Reverse((alloc.int("CreateIndex"), alloc.str("ID"))));
    let mut rows = vec![match verbose {
        true => row![
            "ID",
            "Eval ID",
            "Node ID",
            "Node Name",
            "Task Group",
            "Version",
            "Desired",
            "Status",
            "Created",
            "Modified"
        ],
        false => row![
            "ID",
            "Node ID",
            "Task Group",
            "Version",
            "Desired",
            "Status",
            "Created",
            "Modified"
        ],
    }];
    if limited {
        rows[0].push("Max Run Deadline".to_owned());
    }
    for alloc in allocs {
        let version = version(alloc);
        let mut row = row![id(alloc.str("ID"), verbose)];
        if verbose {
            row.extend(row![
                alloc.str("EvalID"),
                alloc.str("NodeID"),
                alloc.str("NodeName")
            ]);
        } else {
            row.push(id(alloc.str("NodeID"), false));
        }
        let when = |name: &str| match verbose {
            true => time(alloc.int(name)),
            false => ago(alloc.int(name)),
        };
        row.extend(row![
            alloc.str("TaskGroup"),
            version,
            alloc.str("DesiredStatus"),
            alloc.str("ClientStatus"),
            when("CreateTime"),
            when("ModifyTime")
        ]);
        if limited {
            let name = alloc.str("TaskGroup");
            let group = groups.iter().find(|group| group.str("Name") == name);
            let until = group.and_then(|group| max_run_deadline(alloc, group));
            row.push(until.map_or_else(String::new, |at| match verbose {
                true => time(at),
                false => ago(at),
            }));
        }
        rows.push(row);
    }
    columns(&rows)
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

/// The list, or that there is none.
pub(crate) fn alloc_list_or_none(allocs: &[Value], verbose: bool) -> String {
    job_alloc_list(&Value::Null, allocs, verbose)
}

/// The list of a job's allocations, or that there is none.
pub(crate) fn job_alloc_list(job: &Value, allocs: &[Value], verbose: bool) -> String {
    match allocs.is_empty() {
        true => "No allocations placed".to_owned(),
        false => alloc_list_of(job, allocs, verbose),
    }
}

/// The head of an allocation's status; `eligible` is when it may be replaced, in nanoseconds, if it waits for that.
pub(crate) fn alloc_head(alloc: &Value, eligible: Option<i64>, verbose: bool) -> String {
    let when = |name: &str| match verbose {
        true => time(alloc.int(name)),
        false => ago(alloc.int(name)),
    };
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
        let text = match verbose {
            true => time(at),
            false => ago(at),
        };
        rows.push(("Max Run Deadline", text));
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
    let when = |name: &str| match verbose {
        true => time(alloc.int(name)),
        false => ago(alloc.int(name)),
    };
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

/// Every task of an allocation.
pub(crate) fn alloc_tasks(
    ui: &Ui,
    alloc: &Value,
    stats: &Value,
    all_stats: bool,
    verbose: bool,
) -> String {
    let mut out = String::new();
    for (name, lifecycle) in tasks(alloc) {
        let state = alloc.at("TaskStates").at(&name);
        let lifecycle = match lifecycle.is_empty() {
            true => String::new(),
            false => format!(" ({lifecycle})"),
        };
        let title = format!("Task \"{name}\"{lifecycle} is \"{}\"", state.str("State"));
        let usage = stats.at("Tasks").at(&name).at("ResourceUsage");
        out += &format!(
            "\n\n{}\n{}",
            ui.bold(&title),
            task_resources(alloc, &name, usage)
        );
        if all_stats {
            out += &alloc_stats::task_stats(usage);
        }
        out += "\n\n";
        out += &task_volumes(alloc, &name, verbose);
        out += &format!(
            "Task Events:\n{}\n\n{}",
            task_times(state),
            task_events(state)
        );
    }
    out
}

fn task_resources(alloc: &Value, name: &str, usage: &Value) -> String {
    let resources = alloc.at("AllocatedResources");
    let task = resources.at("Tasks").at(name);
    let mut addresses = Vec::new();
    for network in task.items("Networks") {
        for kind in ["DynamicPorts", "ReservedPorts"] {
            for port in network.items(kind) {
                addresses.push(format!(
                    "{}: {}:{}",
                    port.str("Label"),
                    network.str("IP"),
                    port.int("Value")
                ));
            }
        }
    }
    let cores = task.at("Cpu").items("ReservedCores").len();
    let cpu_title = match cores {
        0 => "CPU".to_owned(),
        count => format!("CPU ({})", format::counted(count, "core")),
    };
    let shares = task.at("Cpu").int("CpuShares");
    let memory = size(mib(task.at("Memory").int("MemoryMB")));
    let most = task.at("Memory").int("MemoryMaxMB");
    let (cpu, memory) = match usage.is_null() {
        true => (format!("{shares} MHz"), memory),
        false => {
            let ticks = usage
                .at("CpuStats")
                .at("TotalTicks")
                .as_f64()
                .unwrap_or_default();
            let stats = usage.at("MemoryStats");
            let measured = stats.strs("Measured");
            let used = match measured.contains(&"RSS") || stats.int("Usage") == 0 {
                true => stats.int("RSS"),
                false => stats.int("Usage"),
            };
            let used = size(u64::try_from(used).unwrap_or_default());
            (
                format!("{ticks:.0}/{shares} MHz"),
                format!("{used}/{memory}"),
            )
        }
    };
    let disk = size(mib(resources.at("Shared").int("DiskMB")));
    let mut addresses = addresses.into_iter();
    let mut rows = vec![
        row![cpu_title, "Memory", "Disk", "Addresses"],
        row![cpu, memory, disk, addresses.next().unwrap_or_default()],
    ];
    if most > 0 && most != task.at("Memory").int("MemoryMB") {
        rows.push(row![
            "",
            format!("Max: {}", size(mib(most))),
            "",
            addresses.next().unwrap_or_default()
        ]);
    }
    rows.extend(addresses.map(|address| row!["", "", "", address]));
    let text = columns_with(&rows, "");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("Task Resources:\n{}", lines.join("\n"))
}

fn task_volumes(alloc: &Value, name: &str, verbose: bool) -> String {
    let Some(group) = group(alloc) else {
        return String::new();
    };
    let task = group
        .items("Tasks")
        .iter()
        .find(|task| task.str("Name") == name);
    let mounts = task.map_or(&[][..], |task| task.items("VolumeMounts"));
    let mut out = String::new();
    for (kind, title) in [("host", "Host Volumes"), ("csi", "CSI Volumes")] {
        let mut rows = Vec::new();
        for mount in mounts {
            let volume = group.at("Volumes").at(mount.str("Volume"));
            let volume_kind = match volume.str("Type") {
                "" => "host",
                kind => kind,
            };
            if volume_kind == kind && !volume.is_null() {
                let read_only = volume.yes("ReadOnly") || mount.yes("ReadOnly");
                let name = if verbose {
                    volume.str("Source")
                } else {
                    volume.str("Name")
                };
                rows.push(row![name, read_only]);
            }
        }
        if !rows.is_empty() {
            rows.sort();
            rows.insert(0, row!["ID", "Read Only"]);
            out += &format!("{title}:\n{}\n\n", columns(&rows));
        }
    }
    out
}

fn task_times(state: &Value) -> String {
    pairs(&[
        ("Started At", time_or_na(nanos(state.at("StartedAt")))),
        ("Finished At", time_or_na(nanos(state.at("FinishedAt")))),
        ("Total Restarts", state.int("Restarts").to_string()),
        ("Last Restart", time_or_na(nanos(state.at("LastRestart")))),
    ])
}

fn task_events(state: &Value) -> String {
    let mut rows = vec![row!["Time", "Type", "Description"]];
    for event in state.items("Events").iter().rev() {
        let description = match event.str("DisplayMessage") {
            "" => event.str("Message"),
            text => text,
        };
        rows.push(row![
            time(event.int("Time")),
            event.str("Type"),
            description.replace('\n', " ")
        ]);
    }
    format!("Recent Events:\n{}", columns(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_whose_groups_end_says_when() {
        let started = json!({"t": {"StartedAt": "2026-01-02T15:04:05Z"}});
        let alloc = json!({"ID": "0123456789", "TaskGroup": "g", "TaskStates": started});
        let job = json!({"TaskGroups": [{"Name": "g", "MaxRunDuration": 60_000_000_000_i64}]});
        let table = job_alloc_list(&job, std::slice::from_ref(&alloc), true);
        assert!(table.contains("Max Run Deadline"), "{table}");
        let end = time(nanos(&json!("2026-01-02T15:05:05Z")));
        assert!(table.trim_end().ends_with(&end), "{table}");
        let free = json!({"TaskGroups": [{"Name": "g"}]});
        assert!(!job_alloc_list(&free, &[alloc], true).contains("Max Run"));
    }
}
