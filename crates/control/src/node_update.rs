//! Which jobs a change of a node concerns (scheduler sheet §2.3, node-update and node-drain).

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;

/// Makes an evaluation id; each call gives another.
pub type NewId<'a> = &'a mut dyn FnMut() -> EvalId;

/// One evaluation for each job that a change of this node concerns: what runs on it, and every system job that
/// belongs on it.
pub fn node_update_evals(
    state: &State,
    node: &Node,
    new_id: NewId<'_>,
    now: UnixNanos,
) -> Vec<Evaluation> {
    let mut jobs: BTreeMap<JobKey, (String, i64, u64)> = BTreeMap::new();
    for alloc in state.allocs_of_node(&node.id) {
        let Some(job) = &alloc.job else { continue };
        let concerned = match job.r#type.as_str() {
            job_type::SYSBATCH => false,
            job_type::BATCH => !alloc.client_terminal(),
            job_type::SYSTEM => true,
            _ => !(alloc.server_terminal() && alloc.client_terminal()),
        };
        if concerned {
            let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
            jobs.entry(key)
                .or_insert_with(|| (job.r#type.clone(), job.priority, job.job_modify_index));
        }
    }
    for job in state
        .jobs()
        .filter(|job| job.r#type == job_type::SYSTEM && !job.stop)
    {
        if belongs(job, node) {
            let key = JobKey::new(job.namespace.clone(), job.id.clone());
            jobs.entry(key)
                .or_insert_with(|| (job.r#type.clone(), job.priority, job.job_modify_index));
        }
    }
    jobs.into_iter()
        .map(|(key, (kind, priority, job_modify_index))| Evaluation {
            id: new_id(),
            namespace: key.namespace,
            job_id: key.id,
            r#type: kind,
            priority,
            job_modify_index,
            triggered_by: trigger::NODE_UPDATE.to_owned(),
            node_id: node.id,
            node_modify_index: node.modify_index,
            status: EvalStatus::Pending,
            create_time: now,
            modify_time: now,
            ..Evaluation::default()
        })
        .collect()
}

/// Whether a job's datacenters and node pool include this node.
fn belongs(job: &Job, node: &Node) -> bool {
    let pool = job.node_pool == "all" || job.node_pool == node.node_pool;
    pool && job
        .datacenters
        .iter()
        .any(|pattern| matches_glob(pattern, &node.datacenter))
}

/// Whether a name matches a pattern in which `*` stands for any text.
#[must_use]
pub fn matches_glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Whether a registration changes what schedulers decide by, so that the node's jobs must be looked at again.
#[must_use]
pub fn registration_matters(old: &Node, new: &Node) -> bool {
    old.datacenter != new.datacenter
        || old.name != new.name
        || old.node_class != new.node_class
        || old.node_pool != new.node_pool
        || old.attributes != new.attributes
        || old.meta != new.meta
        || old.host_volumes != new.host_volumes
        || driver_health(old) != driver_health(new)
}

fn driver_health(node: &Node) -> Vec<(&String, bool, bool)> {
    node.drivers
        .iter()
        .map(|(name, info)| (name, info.detected, info.healthy))
        .collect()
}

/// Whether a change of status must be followed by evaluations.
#[must_use]
pub fn status_matters(old: NodeStatus, new: NodeStatus) -> bool {
    use NodeStatus::{Disconnected, Down, Initializing, Ready};
    old != new
        && matches!(
            (old, new),
            (_, Down | Disconnected) | (Disconnected, _) | (Initializing | Down, Ready)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, matches) in [
            ("*", "dc1", true),
            ("dc*", "dc1", true),
            ("dc1", "dc1", true),
            ("dc1", "dc12", false),
            ("*-east-*", "us-east-1", true),
            ("*-east-*", "us-west-1", false),
            ("*1", "dc1", true),
            ("", "dc1", false),
        ] {
            assert_eq!(matches_glob(pattern, name), matches, "{pattern} {name}");
        }
    }
}
