//! Sorts a system job's allocations by what is to become of them, and lists what is missing on which node
//! (scheduler sheet §15.2).

use super::SystemRun;
use crate::reconcile::classify::is_expired;
use crate::stack::{in_datacenters, in_pool};
use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An allocation that is missing.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) node: NodeId,
    pub(super) name: String,
    /// The one that was there before.
    pub(super) previous: Option<Arc<Allocation>>,
}

/// One group's allocations by what is to become of them.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) place: Vec<Wanted>,
    pub(super) update: Vec<Arc<Allocation>>,
    pub(super) migrate: Vec<Arc<Allocation>>,
    pub(super) stop: Vec<Arc<Allocation>>,
    pub(super) ignore: Vec<Arc<Allocation>>,
    pub(super) lost: Vec<Arc<Allocation>>,
    pub(super) disconnecting: Vec<Arc<Allocation>>,
    pub(super) reconnecting: Vec<Arc<Allocation>>,
}

/// The names that a group's allocations have on each node.
fn names(job: &Job, group: &TaskGroup) -> Vec<String> {
    let most = if job.r#type == job_type::SYSTEM {
        1
    } else {
        usize::MAX
    };
    let count = usize::try_from(group.count).unwrap_or(0).min(most);
    (0..count)
        .map(|number| Allocation::make_name(&job.name, &group.name, number))
        .collect()
}

pub(super) fn sort(run: &SystemRun<'_>) -> BTreeMap<String, Buckets> {
    let mut by_group: BTreeMap<String, Buckets> = BTreeMap::new();
    let mut required: BTreeSet<String> = BTreeSet::new();
    if let Some(job) = &run.job {
        for group in &job.task_groups {
            by_group.entry(group.name.clone()).or_default();
            required.extend(names(job, group));
        }
    }
    let mut live: BTreeSet<(NodeId, &str)> = BTreeSet::new();
    let mut ended: BTreeMap<(NodeId, &str), &Arc<Allocation>> = BTreeMap::new();
    for alloc in run.allocs.iter() {
        let place = (alloc.node_id, alloc.name.as_str());
        if alloc.terminal_status() {
            let latest = ended.entry(place).or_insert(alloc);
            if alloc.create_index > latest.create_index {
                *latest = alloc;
            }
            continue;
        }
        let buckets = by_group.entry(alloc.task_group.clone()).or_default();
        let bucket = bucket_of(run, alloc, required.contains(&alloc.name));
        if !matches!(bucket, Bucket::Migrate | Bucket::Lost) {
            live.insert(place);
        }
        let list = match bucket {
            Bucket::Stop => &mut buckets.stop,
            Bucket::Migrate => &mut buckets.migrate,
            Bucket::Lost => &mut buckets.lost,
            Bucket::Ignore => &mut buckets.ignore,
            Bucket::Reconnecting => &mut buckets.reconnecting,
            Bucket::Disconnecting => &mut buckets.disconnecting,
            Bucket::Update => &mut buckets.update,
        };
        list.push(Arc::clone(alloc));
    }
    list_missing(run, &live, &ended, &mut by_group);
    by_group
}

fn list_missing(
    run: &SystemRun<'_>,
    live: &BTreeSet<(NodeId, &str)>,
    ended: &BTreeMap<(NodeId, &str), &Arc<Allocation>>,
    by_group: &mut BTreeMap<String, Buckets>,
) {
    let (Some(job), Some(stack)) = (&run.job, &run.stack) else {
        return;
    };
    for group in &job.task_groups {
        let buckets = by_group.entry(group.name.clone()).or_default();
        for name in names(job, group) {
            for node in stack.nodes() {
                let place = (node, name.as_str());
                if live.contains(&place) {
                    continue;
                }
                let before = ended.get(&place).copied();
                if let Some(before) = before.filter(|_| run.batch) {
                    if is_of_current_version(job, before) {
                        buckets.ignore.push(Arc::clone(before));
                    } else {
                        buckets.update.push(Arc::clone(before));
                    }
                    continue;
                }
                buckets.place.push(Wanted {
                    node,
                    name: name.clone(),
                    previous: before.cloned(),
                });
            }
        }
    }
}

fn is_of_current_version(job: &Job, alloc: &Allocation) -> bool {
    alloc.job.as_ref().is_some_and(|old| {
        old.job_modify_index == job.job_modify_index && old.create_index == job.create_index
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bucket {
    Stop,
    Migrate,
    Lost,
    Ignore,
    Reconnecting,
    Disconnecting,
    Update,
}

fn bucket_of(run: &SystemRun<'_>, alloc: &Allocation, required: bool) -> Bucket {
    let Some(job) = run.job.as_ref().filter(|_| required) else {
        return Bucket::Stop;
    };
    if alloc.desired_transition.should_migrate() {
        return Bucket::Migrate;
    }
    let returning = matches!(
        alloc.client_status,
        ClientStatus::Unknown | ClientStatus::Running
    ) && alloc.needs_to_reconnect();
    if returning && is_expired(alloc, run.now) {
        return Bucket::Lost;
    }
    let taint = run.tainted.get(&alloc.node_id);
    if alloc.client_status == ClientStatus::Unknown && alloc.desired_status == DesiredStatus::Run {
        return Bucket::Ignore;
    }
    match taint {
        None if returning => return Bucket::Reconnecting,
        None => {}
        Some(_) if run.batch && alloc.ran_successfully() => return Bucket::Ignore,
        Some(None) => return Bucket::Lost,
        Some(Some(node)) => {
            return match (node.status, alloc.client_status) {
                (NodeStatus::Disconnected, ClientStatus::Running) => Bucket::Disconnecting,
                (NodeStatus::Down, _) => Bucket::Lost,
                _ => Bucket::Ignore,
            };
        }
    }
    let candidate = run
        .stack
        .as_ref()
        .is_some_and(|stack| stack.is_candidate(alloc.node_id));
    if !candidate {
        let node = run.state.node(&alloc.node_id);
        let targeted = node.is_some_and(|node| in_pool(job, node) && in_datacenters(job, node));
        return match (targeted, is_of_current_version(job, alloc)) {
            (true, true) => Bucket::Ignore,
            _ => Bucket::Stop,
        };
    }
    if is_of_current_version(job, alloc) {
        Bucket::Ignore
    } else {
        Bucket::Update
    }
}
