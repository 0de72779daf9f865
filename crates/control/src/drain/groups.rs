//! How many allocations of a group may leave draining nodes now.

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};

/// The allocations of a service that leave now: as many as keep `count - max_parallel` healthy in each group,
/// those not counted that were just `told` to leave.
pub(super) fn leaving(
    state: &State,
    key: &JobKey,
    job: &Job,
    draining: &BTreeSet<NodeId>,
    told: &BTreeMap<AllocId, DesiredTransition>,
) -> Vec<AllocId> {
    let mut leaving = Vec::new();
    for group in &job.task_groups {
        let Some(migrate) = &group.migrate else {
            continue;
        };
        let in_group = || {
            state
                .allocs_of_job(key)
                .filter(|alloc| alloc.task_group == group.name)
        };
        let stays = |alloc: &Allocation| may_leave(alloc) && !told.contains_key(&alloc.id);
        let healthy = in_group()
            .filter(|alloc| stays(alloc) && has_verdict(alloc))
            .count();
        let mut spare = count(healthy) - (group.count - migrate.max_parallel);
        let drainable =
            in_group().filter(|alloc| draining.contains(&alloc.node_id) && stays(alloc));
        for alloc in drainable {
            if spare <= 0 {
                break;
            }
            // One that was never judged is not missed.
            spare -= i64::from(has_verdict(alloc));
            leaving.push(alloc.id);
        }
    }
    leaving
}

fn count(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn has_verdict(alloc: &Allocation) -> bool {
    alloc
        .deployment_status
        .is_some_and(|status| status.healthy.is_some())
}

/// Whether an allocation is still to be told to leave.
pub(super) fn may_leave(alloc: &Allocation) -> bool {
    !alloc.terminal_status() && !alloc.desired_transition.should_migrate()
}
