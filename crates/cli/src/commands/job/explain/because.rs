//! From what the servers recorded to what a user wants to know: reasons, and what would change them.

use super::newest;
use crate::format;
use crate::json::Fields;
use serde_json::{Value, json};

/// What the servers know of a job.
pub(super) struct Known<'a> {
    pub(super) job: &'a Value,
    /// All allocations, in short.
    pub(super) stubs: &'a [Value],
    /// Some of those that are alive, in full.
    pub(super) allocs: &'a [Value],
    pub(super) evals: &'a [Value],
    /// The newest deployment, null when there is none.
    pub(super) deployment: &'a Value,
    /// Nanoseconds since 1970.
    pub(super) now: i64,
}

/// The allocations that are to run and have not ended, newest first.
pub(super) fn alive(stubs: &[Value]) -> impl Iterator<Item = &Value> {
    let mut alive: Vec<&Value> = stubs.iter().filter(|stub| is_alive(stub)).collect();
    alive.sort_by_key(|stub| std::cmp::Reverse(stub.int("CreateIndex")));
    alive.into_iter()
}

fn is_alive(stub: &Value) -> bool {
    stub.str("DesiredStatus") == "run" && !has_ended(stub)
}

fn has_ended(stub: &Value) -> bool {
    matches!(stub.str("ClientStatus"), "complete" | "failed" | "lost")
}

/// The whole explanation.
pub(super) fn explain(known: &Known<'_>) -> Value {
    let groups: Vec<Value> = known
        .job
        .items("TaskGroups")
        .iter()
        .map(|group| explain_group(known, group))
        .collect();
    json!({
        "ID": known.job.str("ID"),
        "Namespace": known.job.str("Namespace"),
        "Type": known.job.str("Type"),
        "Status": known.job.str("Status"),
        "Reasons": of_job(known),
        "TaskGroups": groups,
    })
}

/// What holds for the whole job.
fn of_job(known: &Known<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let job = known.job;
    if job.yes("Stop") {
        reasons.push("The job is stopped. \"nomad job start\" runs it again.".to_owned());
    }
    if !job.lacks("ParameterizedJob") && !job.yes("Dispatched") {
        reasons.push("The job is a template: \"nomad job dispatch\" runs it.".to_owned());
    } else if !job.lacks("Periodic") {
        reasons.push("The job is a template that is launched by its schedule.".to_owned());
    }
    for eval in known.evals {
        reasons.extend(of_eval(eval, known.now));
    }
    reasons.extend(of_deployment(known));
    reasons
}

/// Why an evaluation that is not over has not done its work.
fn of_eval(eval: &Value, now: i64) -> Option<String> {
    let id = format::id(eval.str("ID"), false);
    let why = eval.str("TriggeredBy");
    match eval.str("Status") {
        "pending" => {
            let wait = format::nanos(eval.at("WaitUntil"));
            Some(match wait > now {
                true => format!(
                    "Evaluation \"{id}\" ({why}) waits for its time, {} from now.",
                    format::until(wait)
                ),
                false => format!(
                    "Evaluation \"{id}\" ({why}) has not been processed yet: another one of the \
                     job is, or the servers are busy or paused."
                ),
            })
        }
        "failed" if eval.str("NextEval").is_empty() => None,
        "failed" => Some(format!(
            "Evaluation \"{id}\" failed ({}) and is followed by \"{}\".",
            eval.str("StatusDescription"),
            format::id(eval.str("NextEval"), false)
        )),
        _ => None,
    }
}

/// What the newest rollout waits for.
fn of_deployment(known: &Known<'_>) -> Option<String> {
    let row = known.deployment;
    let id = format::id(row.str("ID"), false);
    match row.str("Status") {
        "paused" => Some(format!(
            "Deployment \"{id}\" is paused. \"nomad deployment resume {id}\" lets it go on."
        )),
        "failed" => Some(format!(
            "Deployment \"{id}\" failed: {}.",
            row.str("StatusDescription")
        )),
        "running" => {
            let waits = row.members("TaskGroups").into_iter().any(|(_, group)| {
                group.int("DesiredCanaries") > 0
                    && !group.yes("Promoted")
                    && !group.yes("AutoPromote")
                    && group.int("HealthyAllocs") >= group.int("DesiredCanaries")
            });
            waits.then(|| {
                format!(
                    "Deployment \"{id}\" waits for its canaries to be promoted: \
                     \"nomad deployment promote {id}\"."
                )
            })
        }
        _ => None,
    }
}

fn explain_group(known: &Known<'_>, group: &Value) -> Value {
    let name = group.str("Name");
    let mine = |stub: &&Value| stub.str("TaskGroup") == name;
    let count = |status: &str| {
        known
            .stubs
            .iter()
            .filter(mine)
            .filter(|stub| is_alive(stub) && stub.str("ClientStatus") == status)
            .count()
    };
    let failure = failure(known, name);
    let blocked = newest(
        known
            .evals
            .iter()
            .filter(|eval| eval.str("Status") == "blocked"),
    );
    let waiting = failure.map_or(0, |(eval, _)| queued(blocked.unwrap_or(eval), name));
    let placements: Vec<Value> = known
        .allocs
        .iter()
        .filter(mine)
        .map(explain_placement)
        .collect();
    json!({
        "Name": name,
        "Wanted": group.int("Count"),
        "Running": count("running"),
        "Starting": count("pending"),
        "Unknown": count("unknown"),
        "Waiting": waiting,
        "Nodes": failure.map(|(_, metrics)| nodes(metrics)),
        "Blockers": failure.map(|(_, metrics)| blockers(metrics)).unwrap_or_default(),
        "Remedies": failure.map(|(_, metrics)| remedies(metrics, group)).unwrap_or_default(),
        "BlockedEval": blocked.filter(|_| failure.is_some()).map(|eval| eval.str("ID")),
        "Metrics": failure.map(|(_, metrics)| metrics),
        "Placements": placements,
    })
}

/// What was recorded when placing a group failed last, unless that is over.
fn failure<'a>(known: &Known<'a>, group: &str) -> Option<(&'a Value, &'a Value)> {
    let waits = known
        .evals
        .iter()
        .any(|eval| matches!(eval.str("Status"), "blocked" | "pending"));
    let relevant = known.evals.iter().filter(|eval| {
        !eval.at("FailedTGAllocs").at(group).is_null() && eval.str("Status") != "canceled"
    });
    let newest = relevant.max_by_key(|eval| eval.int("ModifyIndex"))?;
    waits.then(|| (newest, newest.at("FailedTGAllocs").at(group)))
}

/// How many allocations of a group an evaluation could not place.
fn queued(eval: &Value, group: &str) -> i64 {
    match eval.at("QueuedAllocations").int(group) {
        0 => 1 + eval.at("FailedTGAllocs").at(group).int("CoalescedFailures"),
        queued => queued,
    }
}

/// How many nodes fell out where.
fn nodes(metrics: &Value) -> Value {
    let available: i64 = metrics
        .members("NodesAvailable")
        .iter()
        .filter_map(|(_, count)| count.as_i64())
        .sum();
    json!({
        "Pool": metrics.str("NodePool"),
        "InPool": metrics.int("NodesInPool"),
        "Available": available,
        "Evaluated": metrics.int("NodesEvaluated"),
        "Filtered": metrics.int("NodesFiltered"),
        "Exhausted": metrics.int("NodesExhausted"),
    })
}

/// What ruled nodes out, with how many.
fn blockers(metrics: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut add = |kind: &str, what: &str, nodes: &Value| {
        found.push(json!({ "Kind": kind, "What": what, "Nodes": nodes }));
    };
    for (reason, count) in metrics.members("ConstraintFiltered") {
        add("constraint", reason, count);
    }
    for (dimension, count) in metrics.members("DimensionExhausted") {
        add("resource", dimension, count);
    }
    for quota in metrics.strs("QuotaExhausted") {
        add("quota", quota, &Value::Null);
    }
    found
}

/// What would let the rest run, read off what ruled nodes out.
fn remedies(metrics: &Value, group: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let pool = metrics.str("NodePool");
    if metrics.int("NodesInPool") == 0 {
        found.push(format!("A node in pool \"{pool}\": it has none."));
    } else if metrics.int("NodesEvaluated") == 0 {
        found.push(format!(
            "A ready and eligible node of pool \"{pool}\" in one of the job's datacenters."
        ));
    }
    for (reason, _) in metrics.members("ConstraintFiltered") {
        found.push(remedy_of_constraint(reason));
    }
    for (dimension, count) in metrics.members("DimensionExhausted") {
        found.push(remedy_of_dimension(dimension, count.as_i64(), group));
    }
    for quota in metrics.strs("QuotaExhausted") {
        found.push(format!(
            "A higher limit of quota \"{quota}\", or less use of it."
        ));
    }
    found
}

fn remedy_of_constraint(reason: &str) -> String {
    if reason == "distinct_hosts" {
        return "Another node: the group wants a different one for each allocation \
                (distinct_hosts)."
            .to_owned();
    }
    if let Some(property) = reason.strip_prefix("distinct_property: ") {
        return format!("A node with a value that is not used up: {property}.");
    }
    if let Some(missing) = reason.strip_prefix("missing ") {
        return format!("A node that has what is missing: {missing}.");
    }
    format!("A node for which this holds: {reason}.")
}

fn remedy_of_dimension(dimension: &str, nodes: Option<i64>, group: &Value) -> String {
    let tasks = || group.items("Tasks").iter().map(|task| task.at("Resources"));
    let needed = match dimension {
        "cpu" => Some((tasks().map(|one| one.int("CPU")).sum::<i64>(), "MHz")),
        "memory" => Some((tasks().map(|one| one.int("MemoryMB")).sum(), "MiB")),
        "disk" => Some((group.at("EphemeralDisk").int("SizeMB"), "MiB")),
        _ => None,
    };
    let on = match nodes {
        Some(1) => "on the one node that is fit otherwise".to_owned(),
        Some(count) => format!("on one of the {count} nodes that are fit otherwise"),
        None => "on a node".to_owned(),
    };
    match needed {
        Some((amount, unit)) => format!("{amount} {unit} of free {dimension} {on}."),
        None => format!("Free {dimension} {on}."),
    }
}

/// How the node of an allocation scored against the next ones.
fn explain_placement(alloc: &Value) -> Value {
    let metrics = alloc.at("Metrics");
    let node = alloc.str("NodeID");
    let scored = metrics.items("ScoreMetaData");
    let winner = scored.iter().find(|one| one.str("NodeID") == node);
    let next = scored.iter().find(|one| one.str("NodeID") != node);
    json!({
        "AllocID": alloc.str("ID"),
        "Name": alloc.str("Name"),
        "ClientStatus": alloc.str("ClientStatus"),
        "NodeID": node,
        "NodeName": alloc.str("NodeName"),
        "Nodes": nodes(metrics),
        "Blockers": blockers(metrics),
        "Winner": winner,
        "Next": next,
        "Decisive": winner.zip(next).and_then(|(winner, next)| decisive(winner, next)),
        "Scored": scored,
    })
}

/// The part of the score by which the winner is furthest ahead.
fn decisive(winner: &Value, next: &Value) -> Option<String> {
    let score = |of: &Value, name: &str| of.at("Scores").at(name).as_f64().unwrap_or(0.0);
    let names = winner.members("Scores").into_iter().map(|(name, _)| name);
    let names = names.chain(next.members("Scores").into_iter().map(|(name, _)| name));
    let ahead = names.map(|name| (score(winner, name) - score(next, name), name));
    let best = ahead.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 > 0.0).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Value {
        json!({
            "NodesEvaluated": 3, "NodesFiltered": 1, "NodesExhausted": 2, "NodesInPool": 3,
            "NodePool": "default", "NodesAvailable": {"dc1": 3},
            "ConstraintFiltered": {"${attr.kernel.name} = plan9": 1},
            "DimensionExhausted": {"memory": 2},
        })
    }

    fn group() -> Value {
        json!({"Name": "app", "Count": 2, "Tasks": [
            {"Resources": {"CPU": 100, "MemoryMB": 256}},
            {"Resources": {"CPU": 100, "MemoryMB": 64}},
        ]})
    }

    #[test]
    fn every_blocker_has_a_remedy() {
        let remedies = remedies(&metrics(), &group());
        assert_eq!(
            remedies,
            [
                "A node for which this holds: ${attr.kernel.name} = plan9.",
                "320 MiB of free memory on one of the 2 nodes that are fit otherwise.",
            ]
        );
        assert_eq!(blockers(&metrics()).len(), 2);
    }

    #[test]
    fn a_failure_counts_while_something_waits() {
        let job = json!({"ID": "web", "TaskGroups": [group()]});
        let failed = json!({"ID": "1", "Status": "complete", "ModifyIndex": 5,
            "FailedTGAllocs": {"app": metrics()}});
        let mut blocked = json!({"ID": "2", "Status": "blocked", "ModifyIndex": 5,
            "FailedTGAllocs": {"app": metrics()}, "QueuedAllocations": {"app": 2}});
        for (status, waiting) in [("blocked", 2), ("canceled", 0)] {
            blocked["Status"] = status.into();
            let evals = [failed.clone(), blocked.clone()];
            let explained = explain(&Known {
                job: &job,
                stubs: &[],
                allocs: &[],
                evals: &evals,
                deployment: &Value::Null,
                now: 0,
            });
            assert_eq!(explained["TaskGroups"][0]["Waiting"], waiting, "{status}");
        }
    }

    #[test]
    fn the_winner_is_shown_beside_the_next() {
        let alloc = json!({"ID": "a", "NodeID": "n1", "Metrics": {"ScoreMetaData": [
            {"NodeID": "n1", "NormScore": 0.8, "Scores": {"binpack": 0.8, "node-affinity": 0.8}},
            {"NodeID": "n2", "NormScore": 0.6, "Scores": {"binpack": 0.7, "node-affinity": 0.5}},
        ]}});
        let shown = explain_placement(&alloc);
        assert_eq!(shown["Next"]["NodeID"], "n2");
        assert_eq!(shown["Decisive"], "node-affinity");
    }

    #[test]
    fn a_rollout_that_waits_for_somebody_says_so() {
        let row = json!({"ID": "12345678-", "Status": "running", "TaskGroups": {"app":
            {"DesiredCanaries": 1, "HealthyAllocs": 1}}});
        let known = Known {
            job: &Value::Null,
            stubs: &[],
            allocs: &[],
            evals: &[],
            deployment: &row,
            now: 0,
        };
        assert!(of_deployment(&known).is_some_and(|text| text.contains("deployment promote")));
    }
}
