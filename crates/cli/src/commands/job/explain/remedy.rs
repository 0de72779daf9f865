//! What ruled nodes out when a group could not be placed, and what would let it be placed.

use crate::format;
use crate::json::Fields;
use serde_json::{Value, json};

/// What ruled nodes out, with how many.
pub(super) fn blockers(metrics: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut add = |kind: &str, what: &str, nodes: &Value| {
        found.push(json!({ "Kind": kind, "What": what, "Nodes": nodes }));
    };
    for (kind, counts) in [
        ("constraint", "ConstraintFiltered"),
        ("resource", "DimensionExhausted"),
        ("class filtered", "ClassFiltered"),
        ("class exhausted", "ClassExhausted"),
    ] {
        for (what, count) in metrics.members(counts) {
            add(kind, what, count);
        }
    }
    for quota in metrics.strs("QuotaExhausted") {
        add("quota", quota, &Value::Null);
    }
    found
}

/// What would let the rest run, read off what ruled nodes out.
pub(super) fn remedies(metrics: &Value, group: &Value, in_pool: usize) -> Vec<String> {
    let mut found = Vec::new();
    if metrics.int("NodesEvaluated") == 0 {
        found.push(a_node(metrics.str("NodePool"), in_pool));
    }
    for (reason, _) in metrics.members("ConstraintFiltered") {
        found.push(of_constraint(reason, group));
    }
    for (dimension, count) in metrics.members("DimensionExhausted") {
        found.push(of_dimension(dimension, count.as_i64(), group));
    }
    for quota in metrics.strs("QuotaExhausted") {
        found.push(format!(
            "A higher limit of quota \"{quota}\", or less use of it."
        ));
    }
    found
}

fn a_node(pool: &str, in_pool: usize) -> String {
    let has = match in_pool {
        0 => String::new(),
        many => format!(
            " The pool has {}, but none that was.",
            format::counted(many, "node")
        ),
    };
    format!(
        "A node of pool \"{pool}\" in one of the job's datacenters that is ready and eligible.{has}"
    )
}

fn of_constraint(reason: &str, group: &Value) -> String {
    if reason == "distinct_hosts" {
        return "Another node: the group wants a different one for each allocation \
                (distinct_hosts)."
            .to_owned();
    }
    if let Some(property) = reason.strip_prefix("distinct_property: ") {
        return format!("A node with a value that is not used up: {property}.");
    }
    let named = |thing: &str, names: Vec<String>| match names.is_empty() {
        true => format!("A node that has what is missing: {thing}."),
        false => format!("A node that has {thing} {}.", names.join(", ")),
    };
    match reason {
        "missing drivers" => named("a healthy driver", drivers(group)),
        "missing devices" => named("these healthy devices:", devices(group)),
        "missing compatible host volumes" => named(
            "the host volume, ready and not in use in a way that rules this one out:",
            volumes(group),
        ),
        "missing network" => named("a network of mode", networks(group)),
        _ => match reason.strip_prefix("missing ") {
            Some(missing) => format!("A node that has what is missing: {missing}."),
            None => format!("A node for which this holds: {reason}."),
        },
    }
}

fn tasks(group: &Value) -> &[Value] {
    group.items("Tasks")
}

fn unique(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

fn drivers(group: &Value) -> Vec<String> {
    let names = tasks(group)
        .iter()
        .map(|task| task.str("Driver").to_owned());
    unique(names.filter(|name| !name.is_empty()).collect())
}

fn devices(group: &Value) -> Vec<String> {
    let asked = tasks(group)
        .iter()
        .flat_map(|task| task.at("Resources").items("Devices"));
    let asked = asked.map(|one| format!("{} {}", one.int("Count").max(1), one.str("Name")));
    asked.collect()
}

fn volumes(group: &Value) -> Vec<String> {
    let asked = group.members("Volumes").into_iter();
    let asked = asked.filter(|(_, one)| matches!(one.str("Type"), "" | "host"));
    let names = asked.map(|(_, one)| match one.yes("PerAlloc") {
        true => format!("\"{}[N]\", N the allocation's number", one.str("Source")),
        false => format!("\"{}\"", one.str("Source")),
    });
    unique(names.collect())
}

fn networks(group: &Value) -> Vec<String> {
    let modes = group.items("Networks").iter().map(|one| one.str("Mode"));
    unique(modes.map(|mode| format!("\"{mode}\"")).collect())
}

fn of_dimension(dimension: &str, nodes: Option<i64>, group: &Value) -> String {
    let on = match nodes {
        Some(1) => "on the one node that is fit otherwise".to_owned(),
        Some(count) => format!("on one of the {count} nodes that are fit otherwise"),
        None => "on a node".to_owned(),
    };
    match dimension {
        "cpu" => match (needed(group, "CPU"), cores(group)) {
            (0, cores) => format!("The whole cpu of {cores} {on}: others use part of it."),
            (cpu, _) => format!("{cpu} MHz of free cpu {on}."),
        },
        "memory" => format!("{} MiB of free memory {on}.", needed(group, "MemoryMB")),
        "disk" => {
            let disk = group.at("EphemeralDisk").int("SizeMB");
            format!("{disk} MiB of free disk {on}.")
        }
        "cores" => format!("{} that no task has reserved {on}.", cores(group)),
        "max allocation exceeded" => format!(
            "Fewer allocations {on}: it runs as many as its agent's client.node_max_allocs lets it."
        ),
        _ => match (
            dimension.strip_prefix("network: "),
            dimension.strip_prefix("devices: "),
        ) {
            (Some(network), _) => of_network(network, &on),
            (_, Some(_)) => {
                let devices = devices(group).join(", ");
                format!("Free and healthy devices, all of one kind, {on}: {devices}.")
            }
            _ => format!("Free {dimension} {on}."),
        },
    }
}

fn cores(group: &Value) -> String {
    let asked = tasks(group).iter().map(|task| task.at("Resources"));
    let cores: i64 = asked.map(|one| one.int("Cores")).sum();
    format::counted(usize::try_from(cores).unwrap_or(0), "core")
}

fn of_network(what: &str, on: &str) -> String {
    if let Some(port) = what.strip_prefix("reserved port collision ") {
        let (label, number) = port.split_once('=').unwrap_or(("", port));
        return format!(
            "Port {number} (\"{label}\") {on}: another allocation or the node itself has it there."
        );
    }
    match what {
        "dynamic port selection failed" => {
            format!("A free port in the range of dynamic ports {on}.")
        }
        "bandwidth exceeded" => format!("Free bandwidth {on}."),
        other => format!("What the network lacks {on}: {other}."),
    }
}

/// What an allocation of the group needs of a resource: tasks that run before or after the main ones count only where
/// they need more than these.
fn needed(group: &Value, resource: &str) -> i64 {
    let (mut main, mut before, mut after) = (0, 0, 0);
    for task in tasks(group) {
        let resources = task.at("Resources");
        let mut asked = resources.int(resource);
        if resource == "MemoryMB" {
            asked += resources.int("SecretsMB");
        }
        let lifecycle = task.at("Lifecycle");
        match lifecycle.str("Hook") {
            "prestart" => {
                before += asked;
                if lifecycle.yes("Sidecar") {
                    main += asked;
                }
            }
            "poststop" => after += asked,
            _ => main += asked,
        }
    }
    main.max(before).max(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Value {
        json!({"Name": "app", "Count": 2, "EphemeralDisk": {"SizeMB": 300}, "Tasks": [
            {"Driver": "docker", "Resources": {"CPU": 100, "MemoryMB": 256, "SecretsMB": 8, "Cores": 1,
                "Devices": [{"Name": "nvidia/gpu", "Count": 2}]}},
            {"Driver": "exec", "Resources": {"CPU": 100, "MemoryMB": 64}},
            {"Driver": "exec", "Lifecycle": {"Hook": "prestart"},
                "Resources": {"CPU": 150, "MemoryMB": 900}},
        ], "Volumes": {"d": {"Type": "host", "Source": "data", "PerAlloc": true}},
           "Networks": [{"Mode": "bridge"}]})
    }

    #[test]
    fn every_blocker_has_a_remedy() {
        for (of, reason, remedy) in [
            (
                "ConstraintFiltered",
                "${attr.kernel.name} = plan9",
                "A node for which this holds: ${attr.kernel.name} = plan9.",
            ),
            (
                "ConstraintFiltered",
                "distinct_hosts",
                "Another node: the group wants a different one for each allocation (distinct_hosts).",
            ),
            (
                "ConstraintFiltered",
                "distinct_property: ${meta.rack}=a used by 2 allocs",
                "A node with a value that is not used up: ${meta.rack}=a used by 2 allocs.",
            ),
            (
                "ConstraintFiltered",
                "missing drivers",
                "A node that has a healthy driver docker, exec.",
            ),
            (
                "ConstraintFiltered",
                "missing devices",
                "A node that has these healthy devices: 2 nvidia/gpu.",
            ),
            (
                "ConstraintFiltered",
                "missing network",
                "A node that has a network of mode \"bridge\".",
            ),
            (
                "ConstraintFiltered",
                "missing CSI volume(s) x",
                "A node that has what is missing: CSI volume(s) x.",
            ),
            (
                "DimensionExhausted",
                "cpu",
                "200 MHz of free cpu on one of the 2 nodes that are fit otherwise.",
            ),
            (
                "DimensionExhausted",
                "memory",
                "900 MiB of free memory on one of the 2 nodes that are fit otherwise.",
            ),
            (
                "DimensionExhausted",
                "disk",
                "300 MiB of free disk on one of the 2 nodes that are fit otherwise.",
            ),
            (
                "DimensionExhausted",
                "cores",
                "1 core that no task has reserved on one of the 2 nodes that are fit otherwise.",
            ),
            (
                "DimensionExhausted",
                "network: reserved port collision http=8080",
                "Port 8080 (\"http\") on one of the 2 nodes that are fit otherwise: another allocation or the node \
              itself has it there.",
            ),
            (
                "DimensionExhausted",
                "network: dynamic port selection failed",
                "A free port in the range of dynamic ports on one of the 2 nodes that are fit otherwise.",
            ),
            (
                "DimensionExhausted",
                "devices: no devices match request",
                "Free and healthy devices, all of one kind, on one of the 2 nodes that are fit otherwise: 2 nvidia/gpu.",
            ),
            (
                "DimensionExhausted",
                "max allocation exceeded",
                "Fewer allocations on one of the 2 nodes that are fit otherwise: it runs as many as its agent's \
              client.node_max_allocs lets it.",
            ),
        ] {
            let metrics = json!({"NodesEvaluated": 2, of: {reason: 2}});
            assert_eq!(remedies(&metrics, &group(), 2), [remedy], "{reason}");
            assert_eq!(blockers(&metrics).len(), 1);
        }
    }

    #[test]
    fn without_nodes_one_is_wanted() {
        let metrics = json!({"NodesEvaluated": 0, "NodePool": "gpu"});
        let told = remedies(&metrics, &group(), 3);
        assert_eq!(
            told,
            [
                "A node of pool \"gpu\" in one of the job's datacenters that is ready and eligible. \
              The pool has 3 nodes, but none that was."
            ]
        );
    }

    #[test]
    fn classes_and_quotas_are_told_too() {
        let metrics = json!({"NodesEvaluated": 2, "ClassFiltered": {"small": 1},
            "ClassExhausted": {"big": 1}, "QuotaExhausted": ["q"]});
        let kinds: Vec<String> = blockers(&metrics)
            .iter()
            .map(|one| format!("{} {}", one.str("Kind"), one.str("What")))
            .collect();
        assert_eq!(
            kinds,
            ["class filtered small", "class exhausted big", "quota q"]
        );
    }
}
