//! Whether there is nothing to do for a service or batch job, seen at one look at its allocations.
//!
//! Most evaluations change nothing: of a node that came back, of a deployment that went on elsewhere. What is told
//! here is only what [`crate::reconcile`] would find too; where that is not plain, it has to look.

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether the job runs as declared and nothing of it waits for anything.
pub(crate) fn is_settled(state: &State, key: &JobKey, job: &Job) -> bool {
    let done = state.latest_deployment(key).is_none_or(|deployment| {
        let current = deployment.job_version == job.version
            && deployment.job_create_index == job.create_index;
        current && deployment.status == DeploymentStatus::Successful
    });
    if !done {
        return false;
    }
    let mut live: BTreeMap<&str, i64> = BTreeMap::new();
    // Allocations of a group follow one another in no order, but mostly there is one group.
    let mut last: Option<(&str, i64)> = None;
    for alloc in state.allocs_of_job(key) {
        if state.node_table().is_tainted(&alloc.node_id) {
            return false;
        }
        if alloc.server_terminal()
            && job.r#type != job_type::BATCH
            && !alloc.last_reschedule_failed()
        {
            continue;
        }
        if !stays(alloc, job) {
            return false;
        }
        match &mut last {
            Some((group, count)) if *group == alloc.task_group => *count += 1,
            _ => {
                let before = last.replace((&alloc.task_group, 1));
                if let Some((group, count)) = before {
                    *live.entry(group).or_default() += count;
                }
            }
        }
    }
    if let Some((group, count)) = last {
        *live.entry(group).or_default() += count;
    }
    let counted = job
        .task_groups
        .iter()
        .filter(|group| group.count > 0)
        .count();
    live.len() == counted
        && job
            .task_groups
            .iter()
            .all(|group| live.get(group.name.as_str()).copied().unwrap_or(0) == group.count.max(0))
}

/// Whether an allocation goes on as it is.
fn stays(alloc: &Allocation, job: &Job) -> bool {
    let transition = &alloc.desired_transition;
    let current = alloc.job.as_ref().is_some_and(|mine| {
        std::ptr::eq(Arc::as_ptr(mine), job)
            || (mine.job_modify_index == job.job_modify_index
                && mine.create_index == job.create_index
                && mine.version == job.version)
    });
    current
        && alloc.desired_status == DesiredStatus::Run
        && matches!(
            alloc.client_status,
            ClientStatus::Pending | ClientStatus::Running
        )
        && alloc.alloc_states.is_empty()
        && !transition.should_migrate()
        && !transition.should_reschedule()
        && !transition.should_force_reschedule()
}
