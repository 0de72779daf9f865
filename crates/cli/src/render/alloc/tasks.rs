//! The tasks of an allocation: what they have and use, where they are reached, what happened to them.

use super::{group, tasks};
use crate::format::{self, mib, nanos, size, time, time_or_na};
use crate::json::Fields;
use crate::render::alloc_stats;
use crate::table::{columns, columns_with, pairs};
use crate::ui::Ui;
use serde_json::Value;

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
            let (ticks, used) = used(usage);
            (
                format!("{ticks:.0}/{shares} MHz"),
                format!("{}/{memory}", size(used)),
            )
        }
    };
    let disk = size(mib(resources.at("Shared").int("DiskMB")));
    let mut addresses = task_addresses(task).into_iter();
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

/// The MHz that a task uses, and the bytes of memory.
fn used(usage: &Value) -> (f64, u64) {
    let ticks = usage.at("CpuStats").at("TotalTicks").as_f64();
    let stats = usage.at("MemoryStats");
    let measured = stats.strs("Measured");
    let memory = match measured.contains(&"RSS") || stats.int("Usage") == 0 {
        true => stats.int("RSS"),
        false => stats.int("Usage"),
    };
    (
        ticks.unwrap_or_default(),
        u64::try_from(memory).unwrap_or_default(),
    )
}

fn task_addresses(task: &Value) -> Vec<String> {
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
    addresses
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
