//! Single allocations: how the node of one was chosen, who evicted one, and why one does not run.

use super::nodes;
use super::remedy::blockers;
use crate::json::{Fields, sorted};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the node of an allocation scored against the next ones.
pub(super) fn explain(alloc: &Value, all: &[Value]) -> Value {
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
        "Nodes": seen(metrics),
        "Blockers": blockers(metrics),
        "Winner": winner,
        "Next": next,
        "NextName": next.map(|next| nodes::name(next.str("NodeID"), all)),
        "Decisive": winner.zip(next).and_then(|(winner, next)| decisive(winner, next)),
        "Scored": scored,
        "Evicts": alloc.at("PreemptedAllocations"),
    })
}

/// How many nodes fell out where.
pub(super) fn seen(metrics: &Value) -> Value {
    let available = metrics.members("NodesAvailable");
    let available: i64 = available
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

/// The part of the score by which the winner is furthest ahead.
fn decisive(winner: &Value, next: &Value) -> Option<String> {
    let score = |of: &Value, name: &str| of.at("Scores").at(name).as_f64().unwrap_or(0.0);
    let names = winner.members("Scores").into_iter().map(|(name, _)| name);
    let names = names.chain(next.members("Scores").into_iter().map(|(name, _)| name));
    let ahead = names.map(|name| (score(winner, name) - score(next, name), name));
    let best = ahead.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 > 0.0).then(|| best.1.to_owned())
}

/// The allocations that had to make room, newest first.
pub(super) fn evicted(stubs: &[Value]) -> impl Iterator<Item = &Value> {
    let gone = stubs.iter().filter(|stub| {
        stub.str("DesiredStatus") == "evict" && !stub.str("PreemptedByAllocation").is_empty()
    });
    let mut gone: Vec<&Value> = gone.collect();
    gone.sort_by_key(|stub| std::cmp::Reverse(stub.int("ModifyIndex")));
    gone.into_iter()
}

/// Who had to make room for whom.
pub(super) fn explain_evicted(stub: &Value, evictors: &BTreeMap<String, Value>) -> Value {
    let by = stub.str("PreemptedByAllocation");
    let evictor = evictors.get(by);
    let told = |key: &str| evictor.map_or("", |alloc| alloc.str(key));
    json!({
        "AllocID": stub.str("ID"),
        "Name": stub.str("Name"),
        "NodeName": stub.str("NodeName"),
        "When": stub.int("ModifyTime"),
        "ByAllocID": by,
        "ByJob": told("JobID"),
        "ByNamespace": told("Namespace"),
        "ByPriority": evictor.map_or(0, |alloc| alloc.at("Job").int("Priority")),
    })
}

/// An allocation that failed for good, as far as is known now: nothing took its place.
pub(super) fn has_failed(stub: &Value) -> bool {
    stub.str("DesiredStatus") == "run"
        && matches!(stub.str("ClientStatus"), "failed" | "lost")
        && stub.str("NextAllocation").is_empty()
}

/// Why an allocation has failed or not started: the last thing that happened to one of its tasks; and which evaluation
/// will try it again.
pub(super) fn trouble(stub: &Value, evals: &[Value]) -> Value {
    let tasks = sorted(stub.at("TaskStates"));
    let events = tasks.iter().flat_map(|(task, state)| {
        state
            .items("Events")
            .iter()
            .map(move |event| (*task, event))
    });
    let worth = |(_, event): &(&str, &Value)| !QUIET.contains(&event.str("Type"));
    let last = events
        .filter(worth)
        .max_by_key(|(_, event)| event.int("Time"));
    let said = |event: &Value| match event.str("DisplayMessage") {
        "" => event.str("Type").to_owned(),
        text => format!("{}: {text}", event.str("Type")),
    };
    let again = evals.iter().find(|eval| {
        eval.str("ID") == stub.str("FollowupEvalID") && eval.str("Status") == "pending"
    });
    json!({
        "AllocID": stub.str("ID"),
        "Name": stub.str("Name"),
        "NodeName": stub.str("NodeName"),
        "ClientStatus": stub.str("ClientStatus"),
        "Task": last.map(|(task, _)| task),
        "Last": last.map(|(_, event)| said(event)),
        "FollowupEvalID": again.map(|eval| eval.str("ID")),
    })
}

/// Events that only follow from others: what went wrong came before.
const QUIET: &[&str] = &[
    "Alloc Unhealthy",
    "Killed",
    "Killing",
    "Not Restarting",
    "Sibling Task Failed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_winner_is_shown_beside_the_next() {
        let alloc = json!({"ID": "a", "NodeID": "n1", "Metrics": {"ScoreMetaData": [
            {"NodeID": "n1", "NormScore": 0.8, "Scores": {"binpack": 0.8, "node-affinity": 0.8}},
            {"NodeID": "n2", "NormScore": 0.6, "Scores": {"binpack": 0.7, "node-affinity": 0.5}},
        ]}});
        let shown = explain(&alloc, &[json!({"ID": "n2", "Name": "two"})]);
        assert_eq!(shown["Next"]["NodeID"], "n2");
        assert_eq!(shown["NextName"], "two");
        assert_eq!(shown["Decisive"], "node-affinity");
    }

    #[test]
    fn who_was_evicted_by_whom() {
        let stubs = [
            json!({"ID": "1", "DesiredStatus": "evict", "PreemptedByAllocation": "9", "ModifyIndex": 3}),
            json!({"ID": "2", "DesiredStatus": "run", "PreemptedByAllocation": ""}),
            json!({"ID": "3", "DesiredStatus": "evict", "PreemptedByAllocation": "9", "ModifyIndex": 4}),
        ];
        let evictor = json!({"ID": "9", "JobID": "high", "Job": {"Priority": 80}});
        let evictors = BTreeMap::from([("9".to_owned(), evictor)]);
        let told: Vec<Value> = evicted(&stubs)
            .map(|stub| explain_evicted(stub, &evictors))
            .collect();
        assert_eq!(told[0]["AllocID"], "3");
        assert_eq!(told[1]["ByJob"], "high");
        assert_eq!(told[1]["ByPriority"], 80);
    }

    #[test]
    fn what_went_wrong_is_the_last_that_tells_something() {
        let stub = json!({"ID": "1", "FollowupEvalID": "e", "ClientStatus": "failed", "TaskStates": {"srv": {"Events": [
            {"Type": "Driver Failure", "DisplayMessage": "no such image", "Time": 5},
            {"Type": "Not Restarting", "DisplayMessage": "exceeded", "Time": 6},
        ]}}});
        let told = trouble(&stub, &[]);
        assert_eq!(told["Last"], "Driver Failure: no such image");
        assert_eq!(told["Task"], "srv");
        for (status, again) in [("pending", json!("e")), ("complete", Value::Null)] {
            let eval = json!({"ID": "e", "Status": status});
            assert_eq!(trouble(&stub, &[eval])["FollowupEvalID"], again);
        }
        assert!(trouble(&json!({"ID": "1"}), &[])["Last"].is_null());
    }
}
