//! Which nodes could take one more allocation of each group now, and why others could not.

use crate::planned::Planned;
use crate::rng::Rng;
use crate::stack::{Stack, Wish, in_datacenters, in_pool};
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many nodes are named; others are only counted.
const MOST_NAMES: usize = 10;

pub(super) fn of_job(state: &State, job: &Arc<Job>) -> BTreeMap<String, RolloutNodes> {
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let existing: Vec<Arc<Allocation>> = state.allocs_of_job(&key).cloned().collect();
    let mut stack = Stack::new(state, Arc::clone(job), Arc::new(existing), 0);
    let groups = job.task_groups.iter();
    groups
        .map(|group| (group.name.clone(), of_group(state, job, group, &mut stack)))
        .collect()
}

fn of_group(state: &State, job: &Job, group: &TaskGroup, stack: &mut Stack<'_>) -> RolloutNodes {
    let planned = Planned::default();
    let mut rng = Rng::new(0, uuid::Uuid::nil());
    let name = format!("{}.{}[0]", job.id, group.name);
    let mut found = RolloutNodes::default();
    let mut reasons: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    for node in state.nodes() {
        let reason = unfit(job, node).or_else(|| {
            let wish = Wish {
                name: &name,
                ..Wish::default()
            };
            let (choice, metric) = stack.select_on(&planned, group, node.id, &wish, &mut rng);
            choice.is_none().then(|| seen(&metric))
        });
        match reason {
            None => {
                found.candidates += 1;
                remember(&mut found.candidate_names, node);
            }
            Some(reason) => {
                let (count, names) = reasons.entry(reason).or_default();
                *count += 1;
                remember(names, node);
            }
        }
    }
    found.excluded = reasons
        .into_iter()
        .map(|(reason, (count, names))| RolloutExclusion {
            reason,
            count,
            names,
        })
        .collect();
    found
        .excluded
        .sort_by_key(|one| std::cmp::Reverse(one.count));
    found
}

fn remember(names: &mut Vec<String>, node: &Node) {
    if names.len() < MOST_NAMES {
        names.push(node.name.clone());
    }
}

/// Why a node takes nothing of the job, whatever the group.
fn unfit(job: &Job, node: &Node) -> Option<String> {
    if node.status != NodeStatus::Ready {
        return Some(format!("the node is {}", node.status.as_str()));
    }
    if node.drain_strategy.is_some() {
        return Some("the node drains".to_owned());
    }
    if !node.is_ready() {
        return Some("the node is ineligible".to_owned());
    }
    if !in_pool(job, node) {
        return Some(format!("it is in the node pool {:?}", node.node_pool));
    }
    let outside = !in_datacenters(job, node);
    outside.then(|| format!("it is in the datacenter {:?}", node.datacenter))
}

/// What the scheduler saw on one node.
fn seen(metric: &AllocMetric) -> String {
    let filtered = metric.constraint_filtered.iter().next();
    if let Some((constraint, _)) = filtered {
        return format!("constraint {constraint:?}");
    }
    let exhausted = metric.dimension_exhausted.iter().next();
    match exhausted {
        Some((dimension, _)) => format!("{dimension} exhausted"),
        None => "no room".to_owned(),
    }
}
