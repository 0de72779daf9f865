//! Nodes.

use crate::format::{id, mib, nanos, size, time};
use crate::json::{Fields, plain, sorted};
use crate::table::{columns, pairs};
use crate::ui::Ui;
use serde_json::Value;

/// Nodes that a prefix may mean.
pub(crate) fn node_list_short(nodes: &[Value], verbose: bool) -> String {
    let mut rows = vec![row![
        "ID",
        "DC",
        "Name",
        "Class",
        "Drain",
        "Eligibility",
        "Status"
    ]];
    rows.extend(nodes.iter().map(|node| {
        row![
            id(node.str("ID"), verbose),
            node.str("Datacenter"),
            node.str("Name"),
            node.str("NodeClass"),
            node.yes("Drain"),
            node.str("SchedulingEligibility"),
            node.str("Status")
        ]
    }));
    columns(&rows)
}

/// Optional columns of the list of nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeColumns {
    pub(crate) os: bool,
    pub(crate) verbose: bool,
}

/// The list of nodes; `running` are the counts of running allocations, if wanted.
pub(crate) fn node_list(nodes: &[Value], with: NodeColumns, running: Option<&[usize]>) -> String {
    let mut head = row!["ID", "Node Pool", "DC", "Name", "Class"];
    if with.os {
        head.push("OS".into());
    }
    if with.verbose {
        head.extend(row!["Address", "Version"]);
    }
    head.extend(row!["Drain", "Eligibility", "Status"]);
    if running.is_some() {
        head.push("Running Allocs".into());
    }
    let mut rows = vec![head];
    for (at, node) in nodes.iter().enumerate() {
        let mut row = row![
            id(node.str("ID"), with.verbose),
            node.str("NodePool"),
            node.str("Datacenter"),
            node.str("Name"),
            node.str("NodeClass")
        ];
        if with.os {
            row.push(node.at("Attributes").str("os.name").to_owned());
        }
        if with.verbose {
            row.extend(row![node.str("Address"), node.str("Version")]);
        }
        row.extend(row![
            node.yes("Drain"),
            node.str("SchedulingEligibility"),
            node.str("Status")
        ]);
        if let Some(count) = running.and_then(|running| running.get(at)) {
            row.push(count.to_string());
        }
        rows.push(row);
    }
    columns(&rows)
}

/// The head of a node's status.
pub(crate) fn node_head(node: &Value, uptime: Option<&str>, short: bool, verbose: bool) -> String {
    let mut rows = vec![
        ("ID", node.str("ID").to_owned()),
        ("Name", node.str("Name").to_owned()),
        ("Node Pool", node.str("NodePool").to_owned()),
        ("Class", node.str("NodeClass").to_owned()),
        ("DC", node.str("Datacenter").to_owned()),
        ("Drain", drain(node)),
        ("Eligibility", node.str("SchedulingEligibility").to_owned()),
        ("Status", node.str("Status").to_owned()),
        ("CSI Controllers", names(node, "CSIControllerPlugins")),
        ("CSI Drivers", names(node, "CSINodePlugins")),
    ];
    if let Some(uptime) = uptime {
        rows.push(("Uptime", uptime.to_owned()));
    }
    if !verbose {
        rows.push(("Host Volumes", names(node, "HostVolumes")));
        rows.push(("Host Networks", names(node, "HostNetworks")));
        rows.push(("CSI Volumes", String::new()));
        let title = if short { "Drivers" } else { "Driver Status" };
        rows.push((title, drivers(node)));
    }
    pairs(&rows)
}

fn names(node: &Value, member: &str) -> String {
    let names: Vec<&str> = node
        .members(member)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.join(",")
}

fn drain(node: &Value) -> String {
    let strategy = node.at("DrainStrategy");
    if strategy.is_null() {
        return node.yes("Drain").to_string();
    }
    let deadline = strategy.int("Deadline");
    let mut text = match deadline {
        0 => "true; no deadline".to_owned(),
        d if d < 0 => "true; force drain".to_owned(),
        _ => format!(
            "true; {} deadline",
            time(nanos(strategy.at("ForceDeadline")))
        ),
    };
    if strategy.yes("IgnoreSystemJobs") {
        text += "; ignoring system jobs";
    }
    text
}

fn drivers(node: &Value) -> String {
    let detected = node
        .members("Drivers")
        .into_iter()
        .filter(|(_, info)| info.yes("Detected"));
    let names: Vec<String> = detected
        .map(|(name, info)| match info.yes("Healthy") {
            true => name.to_owned(),
            false => format!("{name} (unhealthy)"),
        })
        .collect();
    names.join(",")
}

/// The latest events of a node.
pub(crate) fn node_events(ui: &Ui, node: &Value, verbose: bool) -> String {
    let mut head = row!["Time", "Subsystem", "Message"];
    if verbose {
        head.push("Details".into());
    }
    let mut rows = vec![head];
    for event in node.items("Events").iter().rev() {
        let subsystem = match event.at("Details").str("driver") {
            "" => event.str("Subsystem").to_owned(),
            driver => format!("Driver: {driver}"),
        };
        let mut row = row![
            time(nanos(event.at("Timestamp"))),
            subsystem,
            event.str("Message")
        ];
        if verbose {
            let details: Vec<String> = event
                .members("Details")
                .into_iter()
                .map(|(key, value)| format!("{key} = {}", plain(value)))
                .collect();
            row.push(details.join(", "));
        }
        rows.push(row);
    }
    format!("\n\n{}\n{}", ui.bold("Node Events"), columns(&rows))
}

fn totals(node: &Value) -> (i64, i64, i64) {
    let (all, reserved) = (node.at("NodeResources"), node.at("ReservedResources"));
    let left = |kind: &str, member: &str| all.at(kind).int(member) - reserved.at(kind).int(member);
    (
        left("Cpu", "CpuShares"),
        left("Memory", "MemoryMB"),
        left("Disk", "DiskMB"),
    )
}

/// What allocations took of a node.
pub(crate) fn node_allocated(ui: &Ui, node: &Value, allocs: &[Value]) -> String {
    let (mut cpu, mut memory, mut disk, mut count) = (0, 0, 0, 0);
    for alloc in allocs {
        if matches!(alloc.str("ClientStatus"), "complete" | "failed" | "lost") {
            continue;
        }
        count += 1;
        let resources = alloc.at("AllocatedResources");
        for (_, task) in resources.members("Tasks") {
            cpu += task.at("Cpu").int("CpuShares");
            memory += task.at("Memory").int("MemoryMB");
        }
        disk += resources.at("Shared").int("DiskMB");
    }
    let (all_cpu, all_memory, all_disk) = totals(node);
    let of = |used: i64, all: i64| format!("{}/{}", size(mib(used)), size(mib(all)));
    let count = match node.int("NodeMaxAllocs") {
        0 => count.to_string(),
        most => format!("{count}/{most}"),
    };
    let rows = [
        row!["CPU", "Memory", "Disk", "Alloc Count"],
        row![
            format!("{cpu}/{all_cpu} MHz"),
            of(memory, all_memory),
            of(disk, all_disk),
            count
        ],
    ];
    format!("\n\n{}\n{}", ui.bold("Allocated Resources"), columns(&rows))
}

/// What running allocations use; `usages` are their statistics.
pub(crate) fn node_used(ui: &Ui, node: &Value, usages: &[Value]) -> String {
    let (mut cpu, mut memory) = (0.0, 0);
    for usage in usages.iter().map(|usage| usage.at("ResourceUsage")) {
        cpu += usage
            .at("CpuStats")
            .at("TotalTicks")
            .as_f64()
            .unwrap_or_default();
        let stats = usage.at("MemoryStats");
        memory += stats.int("Usage").max(stats.int("RSS"));
    }
    let (all_cpu, all_memory, _) = totals(node);
    let rows = [
        row!["CPU", "Memory"],
        row![
            format!("{cpu:.0}/{all_cpu} MHz"),
            format!("{}/{}", size(memory.max(0) as u64), size(mib(all_memory)))
        ],
    ];
    format!(
        "\n\n{}\n{}",
        ui.bold("Allocation Resource Utilization"),
        columns(&rows)
    )
}

/// What the host uses.
pub(crate) fn host_used(ui: &Ui, node: &Value, stats: &Value) -> String {
    let ticks = stats.at("CPUTicksConsumed").as_f64().unwrap_or_default();
    let bytes = |of: &Value, member: &str| u64::try_from(of.int(member)).unwrap_or_default();
    let memory = stats.at("Memory");
    let mut device = "";
    let storage = node.at("Attributes").str("unique.storage.volume");
    let disks = stats.items("DiskStats");
    let physical = disks.iter().find(|disk| disk.str("Device") == storage);
    let disk = physical.unwrap_or_else(|| {
        device = storage;
        stats.at("AllocDirStats")
    });
    let mut used = format!(
        "{}/{}",
        size(bytes(disk, "Used")),
        size(bytes(disk, "Size"))
    );
    if !device.is_empty() {
        used += &format!(" ({device})");
    }
    let rows = [
        row!["CPU", "Memory", "Disk"],
        row![
            format!(
                "{ticks:.0}/{} MHz",
                node.at("NodeResources").at("Cpu").int("CpuShares")
            ),
            format!(
                "{}/{}",
                size(bytes(memory, "Used")),
                size(bytes(memory, "Total"))
            ),
            used
        ],
    ];
    format!(
        "\n\n{}\n{}",
        ui.bold("Host Resource Utilization"),
        columns(&rows)
    )
}

/// Every measure of the host.
pub(crate) fn host_stats(ui: &Ui, stats: &Value) -> String {
    let percent =
        |of: &Value, member: &str| format!("{:.2}%", of.at(member).as_f64().unwrap_or_default());
    let bytes = |of: &Value, member: &str| size(u64::try_from(of.int(member)).unwrap_or_default());
    let block =
        |title: &str, text: Vec<String>| format!("\n\n{}\n{}", ui.bold(title), text.join("\n\n"));
    let cpus = stats.items("CPU").iter().map(|cpu| {
        pairs(&[
            ("CPU", cpu.str("CPU").to_owned()),
            ("User", percent(cpu, "User")),
            ("System", percent(cpu, "System")),
            ("Idle", percent(cpu, "Idle")),
        ])
    });
    let mut out = block("CPU Stats", cpus.collect());
    let memory = stats.at("Memory");
    out += &block(
        "Memory Stats",
        vec![pairs(&[
            ("Total", bytes(memory, "Total")),
            ("Available", bytes(memory, "Available")),
            ("Used", bytes(memory, "Used")),
            ("Free", bytes(memory, "Free")),
        ])],
    );
    let disks = stats.items("DiskStats").iter().map(|disk| {
        pairs(&[
            ("Device", disk.str("Device").to_owned()),
            ("MountPoint", disk.str("Mountpoint").to_owned()),
            ("Size", bytes(disk, "Size")),
            ("Used", bytes(disk, "Used")),
            ("Available", bytes(disk, "Available")),
            ("Used Percent", percent(disk, "UsedPercent")),
            ("Inodes Percent", percent(disk, "InodesUsedPercent")),
        ])
    });
    out + &block("Disk Stats", disks.collect())
}

/// The allocations of a node.
pub(crate) fn node_allocs(ui: &Ui, allocs: &[Value], verbose: bool) -> String {
    let table = crate::render::alloc_list_or_none(allocs, verbose);
    format!("\n\n{}\n{table}", ui.bold("Allocations"))
}

/// What only `-verbose` shows in tables: volumes, networks, drivers.
pub(crate) fn node_tables(ui: &Ui, node: &Value) -> String {
    let mut out = String::new();
    let volumes = node.members("HostVolumes");
    if !volumes.is_empty() {
        let mut rows = vec![row!["Name", "ReadOnly", "Source"]];
        rows.extend(
            volumes
                .iter()
                .map(|(name, volume)| row![name, volume.yes("ReadOnly"), volume.str("Path")]),
        );
        out += &format!("\n\n{}\n{}", ui.bold("Host Volumes"), columns(&rows));
    }
    let networks = node.members("HostNetworks");
    if !networks.is_empty() {
        let mut rows = vec![row!["Name", "CIDR", "Interface", "ReservedPorts"]];
        rows.extend(networks.iter().map(|(name, network)| {
            row![
                name,
                network.str("CIDR"),
                network.str("Interface"),
                network.str("ReservedPorts")
            ]
        }));
        out += &format!("\n\n{}\n{}", ui.bold("Host Networks"), columns(&rows));
    }
    let mut rows = vec![row!["Driver", "Detected", "Healthy", "Message", "Time"]];
    rows.extend(node.members("Drivers").iter().map(|(name, info)| {
        row![
            name,
            info.yes("Detected"),
            info.yes("Healthy"),
            info.str("HealthDescription"),
            time(nanos(info.at("UpdateTime")))
        ]
    }));
    out + &format!("\n\n{}\n{}", ui.bold("Drivers"), columns(&rows))
}

/// Attributes and metadata.
pub(crate) fn node_attributes(ui: &Ui, node: &Value) -> String {
    let mut out = String::new();
    for (title, member) in [("Attributes", "Attributes"), ("Meta", "Meta")] {
        let rows: Vec<(String, String)> = sorted(node.at(member))
            .into_iter()
            .map(|(key, value)| (key.to_owned(), plain(value)))
            .collect();
        if !rows.is_empty() {
            out += &format!("\n\n{}\n{}", ui.bold(title), pairs(&rows));
        }
    }
    out
}
