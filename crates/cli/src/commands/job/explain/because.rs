//! From what the servers recorded to what a user wants to know: what holds for the whole job, and for each group what
//! runs, what waits and for what.

use super::{newest, nodes, placement, remedy};
use crate::format;
use crate::json::Fields;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
    /// All nodes in short as they are now; none where they may not be seen.
    pub(super) nodes: &'a [Value],
    /// By id those allocations that others had to make room for.
    pub(super) evictors: &'a BTreeMap<String, Value>,
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
    let groups = known.job.items("TaskGroups").iter();
    let groups: Vec<Value> = groups.map(|group| explain_group(known, group)).collect();
    let waits = groups.iter().any(|group| group.int("Waiting") > 0);
    let out = match waits {
        true => nodes::out_of_service(known.job, known.nodes),
        false => Vec::new(),
    };
    json!({
        "ID": known.job.str("ID"),
        "Namespace": known.job.str("Namespace"),
        "Type": known.job.str("Type"),
        "Status": known.job.str("Status"),
        "Reasons": of_job(known),
        "TaskGroups": groups,
        "NodesOutOfService": out,
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
    reasons.extend(of_deployment(known.deployment));
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
fn of_deployment(row: &Value) -> Vec<String> {
    let id = format::id(row.str("ID"), false);
    match row.str("Status") {
        "paused" => vec![format!(
            "Deployment \"{id}\" is paused. \"nomad deployment resume {id}\" lets it go on."
        )],
        "failed" => {
            let why = row.str("StatusDescription");
            vec![format!("Deployment \"{id}\" failed: {why}.")]
        }
        "running" => {
            let groups = row.members("TaskGroups").into_iter();
            groups
                .filter_map(|(name, group)| of_rollout(&id, name, group))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What the rollout of one group waits for.
fn of_rollout(id: &str, name: &str, group: &Value) -> Option<String> {
    let healthy = group.int("HealthyAllocs");
    let canaries = group.int("DesiredCanaries");
    let trying = canaries > 0 && !group.yes("Promoted");
    let wanted = match trying {
        true => canaries,
        false => group.int("DesiredTotal"),
    };
    if healthy >= wanted {
        let asks = trying && !group.yes("AutoPromote");
        return asks.then(|| {
            format!(
                "Deployment \"{id}\" waits for its canaries to be promoted: \
                 \"nomad deployment promote {id}\"."
            )
        });
    }
    let what = match trying {
        true => "canaries",
        false => "allocations",
    };
    let ill = match group.int("UnhealthyAllocs") {
        0 => String::new(),
        count => format!(", {count} unhealthy"),
    };
    let by = match format::nanos(group.at("RequireProgressBy")) {
        0 => String::new(),
        time => format!("; without another by {} it fails", format::time(time)),
    };
    Some(format!(
        "Deployment \"{id}\" waits for group \"{name}\": {healthy} of {wanted} {what} are healthy{ill}{by}."
    ))
}

fn explain_group(known: &Known<'_>, group: &Value) -> Value {
    let name = group.str("Name");
    let mine = |stub: &&Value| stub.str("TaskGroup") == name;
    let stubs = || known.stubs.iter().filter(mine);
    let count = |status: &str| {
        stubs()
            .filter(|stub| is_alive(stub) && stub.str("ClientStatus") == status)
            .count()
    };
    let failure = failure(known, name);
    let blocked = || {
        known
            .evals
            .iter()
            .filter(|eval| eval.str("Status") == "blocked")
    };
    let newest_blocked = newest(blocked());
    let waiting = failure.map_or(0, |(eval, _)| queued(newest_blocked.unwrap_or(eval), name));
    // A system job has an evaluation for each node that it waits for.
    let waits_on = blocked().filter(|eval| !eval.str("NodeID").is_empty());
    let waits_on: Vec<Value> = waits_on
        .map(|eval| node(eval.str("NodeID"), known.nodes))
        .collect();
    let waiting = waiting.max(i64::try_from(waits_on.len()).unwrap_or(0));
    let everywhere = matches!(known.job.str("Type"), "system" | "sysbatch");
    let live = stubs().filter(|stub| is_alive(stub)).count();
    let wanted = match everywhere {
        true => i64::try_from(live).unwrap_or(0) + waiting,
        false => group.int("Count"),
    };
    let failed: Vec<&Value> = stubs().filter(|stub| placement::has_failed(stub)).collect();
    let starting = stubs().filter(|stub| is_alive(stub) && stub.str("ClientStatus") == "pending");
    let trouble = failed.iter().copied().chain(starting);
    let placements = known.allocs.iter().filter(mine);
    let evicted: Vec<Value> = placement::evicted(known.stubs)
        .filter(mine)
        .map(|stub| placement::explain_evicted(stub, known.evictors))
        .collect();
    let in_pool = nodes::in_pool(known.job.str("NodePool"), known.nodes);
    let remedies = |metrics| remedy::remedies(metrics, group, in_pool);
    json!({
        "Name": name,
        "Wanted": wanted,
        "Running": count("running"),
        "Starting": count("pending"),
        "Unknown": count("unknown"),
        "Failed": failed.len(),
        "Waiting": waiting,
        "WaitsOn": waits_on,
        "Nodes": failure.map(|(_, metrics)| placement::seen(metrics)),
        "Recorded": failure.map(|(eval, _)| eval.int("ModifyTime")),
        "Blockers": failure.map(|(_, metrics)| remedy::blockers(metrics)).unwrap_or_default(),
        "Remedies": failure.map(|(_, metrics)| remedies(metrics)).unwrap_or_default(),
        "BlockedEval": newest_blocked.filter(|_| failure.is_some()).map(|eval| eval.str("ID")),
        "Metrics": failure.map(|(_, metrics)| metrics),
        "Trouble": trouble.map(|stub| placement::trouble(stub, known.evals)).collect::<Vec<_>>(),
        "Evicted": evicted,
        "Placements": placements.map(|alloc| placement::explain(alloc, known.nodes)).collect::<Vec<_>>(),
    })
}

fn node(id: &str, all: &[Value]) -> Value {
    json!({ "ID": id, "Name": nodes::name(id, all) })
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

#[cfg(test)]
mod tests {
    use super::*;

    static NOTHING: Value = Value::Null;

    fn known<'a>(
        job: &'a Value,
        evals: &'a [Value],
        none: &'a BTreeMap<String, Value>,
    ) -> Known<'a> {
        Known {
            job,
            stubs: &[],
            allocs: &[],
            evals,
            deployment: &NOTHING,
            nodes: &[],
            evictors: none,
            now: 0,
        }
    }

    #[test]
    fn a_failure_counts_while_something_waits() {
        let group = json!({"Name": "app", "Count": 2});
        let job = json!({"ID": "web", "TaskGroups": [group]});
        let metrics = json!({"NodesEvaluated": 3, "DimensionExhausted": {"memory": 2}});
        let failed = json!({"ID": "1", "Status": "complete", "ModifyIndex": 5,
            "FailedTGAllocs": {"app": metrics}});
        let mut blocked = json!({"ID": "2", "Status": "blocked", "ModifyIndex": 5,
            "FailedTGAllocs": {"app": metrics}, "QueuedAllocations": {"app": 2}});
        for (status, waiting) in [("blocked", 2), ("canceled", 0)] {
            blocked["Status"] = status.into();
            let evals = [failed.clone(), blocked.clone()];
            let explained = explain(&known(&job, &evals, &BTreeMap::new()));
            assert_eq!(explained["TaskGroups"][0]["Waiting"], waiting, "{status}");
        }
    }

    #[test]
    fn a_system_job_waits_on_nodes() {
        let group = json!({"Name": "app", "Count": 1});
        let job = json!({"ID": "sys", "Type": "system", "TaskGroups": [group]});
        let blocked = |id: &str, node: &str| {
            json!({"ID": id, "Status": "blocked", "NodeID": node, "ModifyIndex": 5,
                "FailedTGAllocs": {"app": {"NodesEvaluated": 1}}})
        };
        let evals = [blocked("1", "n1"), blocked("2", "n2")];
        let nodes = [json!({"ID": "n1", "Name": "one"})];
        let none = BTreeMap::new();
        let explained = explain(&Known {
            nodes: &nodes,
            ..known(&job, &evals, &none)
        });
        let group = &explained["TaskGroups"][0];
        assert_eq!((group.int("Wanted"), group.int("Waiting")), (2, 2));
        assert_eq!(group["WaitsOn"][0]["Name"], "one");
    }

    #[test]
    fn a_rollout_says_what_it_waits_for() {
        let row = |group: Value| json!({"ID": "12345678-", "Status": "running", "TaskGroups": {"app": group}});
        for (group, told) in [
            (
                json!({"DesiredCanaries": 1, "HealthyAllocs": 1, "DesiredTotal": 3}),
                "waits for its canaries to be promoted: \"nomad deployment promote 12345678\"",
            ),
            (
                json!({"DesiredCanaries": 2, "HealthyAllocs": 1, "DesiredTotal": 3}),
                "group \"app\": 1 of 2 canaries are healthy.",
            ),
            (
                json!({"HealthyAllocs": 1, "UnhealthyAllocs": 1, "DesiredTotal": 3}),
                "group \"app\": 1 of 3 allocations are healthy, 1 unhealthy.",
            ),
        ] {
            let reasons = of_deployment(&row(group));
            assert_eq!(reasons.len(), 1);
            assert!(reasons[0].contains(told), "{reasons:?}");
        }
        let over = row(json!({"HealthyAllocs": 3, "DesiredTotal": 3}));
        assert!(of_deployment(&over).is_empty());
    }
}
