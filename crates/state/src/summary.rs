//! Counts allocations by group and client status (server sheet §4.5).

use crate::key::JobKey;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

/// Counts the change of one allocation.
pub(crate) fn count(txn: &mut Txn<'_>, key: &JobKey, old: Option<&Allocation>, new: &Allocation) {
    let created = new.job.as_ref().map_or(0, |job| job.create_index);
    let Some(summary) = txn.summary_mut(key) else {
        return;
    };
    if summary.create_index != created {
        return;
    }
    let counts = summary.summary.or_default(new.task_group.clone());
    match old {
        None => {
            *bin(counts, new.client_status) += 1;
            if new.client_status == ClientStatus::Pending {
                counts.queued = (counts.queued - 1).max(0);
            }
        }
        Some(old) if old.client_status != new.client_status => {
            *bin(counts, new.client_status) += 1;
            if !matches!(
                old.client_status,
                ClientStatus::Complete | ClientStatus::Failed
            ) {
                let from = bin(counts, old.client_status);
                *from = (*from - 1).max(0);
            }
        }
        Some(_) => {}
    }
}

fn bin(counts: &mut TaskGroupSummary, status: ClientStatus) -> &mut i64 {
    match status {
        ClientStatus::Pending => &mut counts.starting,
        ClientStatus::Running => &mut counts.running,
        ClientStatus::Complete => &mut counts.complete,
        ClientStatus::Failed => &mut counts.failed,
        ClientStatus::Lost => &mut counts.lost,
        ClientStatus::Unknown => &mut counts.unknown,
    }
}

/// Counts every job's allocations anew; queued counts come from each job's newest evaluation.
pub(crate) fn recount_all(txn: &mut Txn<'_>) -> Result<(), crate::error::ApplyError> {
    let jobs: Vec<(JobKey, Arc<Job>)> = txn
        .state
        .jobs
        .iter()
        .map(|(key, job)| (key.clone(), Arc::clone(job)))
        .collect();
    for (key, job) in jobs {
        let mut groups: SmallMap<String, TaskGroupSummary> = job
            .task_groups
            .iter()
            .map(|group| (group.name.clone(), TaskGroupSummary::default()))
            .collect();
        for alloc in txn.state.allocs_of_job(&key) {
            if alloc
                .job
                .as_ref()
                .is_some_and(|own| own.create_index == job.create_index)
            {
                let counts = groups.or_default(alloc.task_group.clone());
                *bin(counts, alloc.client_status) += 1;
            }
        }
        let newest = txn
            .state
            .evals_of_job(&key)
            .max_by_key(|eval| (eval.modify_index, eval.id))
            .cloned();
        for (group, queued) in newest
            .iter()
            .flat_map(|eval| eval.queued_allocations.iter())
        {
            if let Some(counts) = groups.get_mut(group) {
                counts.queued = *queued;
            }
        }
        if let Some(summary) = txn.summary_mut(&key) {
            summary.summary = groups;
        }
    }
    Ok(())
}
