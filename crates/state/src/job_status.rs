//! Derives a job's status from what is left of it (server sheet §4.4), and counts children for its parent.
//!
//! What asks for it is a change of the job, of its allocations or of its evaluations. A deployment is looked at, but
//! does not ask: the evaluation that opens or ends one is written next. Where none is written, for it goes on waiting
//! for room, the job is still pending.

use crate::change::Change;
use crate::key::JobKey;
use crate::state::State;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

/// Writes the status of every job that this command touched.
pub(crate) fn derive(txn: &mut Txn<'_>) {
    for key in txn.take_dirty_jobs() {
        let Some(job) = txn.state.jobs.get(&key).cloned() else {
            continue;
        };
        let status = status_of(txn.state, &key, &job, txn.deleting_evals);
        if status != job.status {
            write_status(txn, &key, &job, status);
        }
    }
}

/// What a job's status is.
fn status_of(state: &State, key: &JobKey, job: &Job, deleting_evals: bool) -> &'static str {
    if job.r#type == job_type::SYSTEM || job.is_parameterized() || job.is_periodic() {
        return if job.stop {
            job_status::DEAD
        } else {
            job_status::RUNNING
        };
    }
    let deploying = state
        .latest_deployment(key)
        .is_some_and(|deployment| deployment.is_active());
    if deploying || state.live_alloc_count(key) > 0 {
        job_status::RUNNING
    } else if state.open_evals.contains_key(key) {
        job_status::PENDING
    } else if deleting_evals || job.stop || state.evals_by_job.contains_key(key) {
        job_status::DEAD
    } else {
        job_status::PENDING
    }
}

fn write_status(txn: &mut Txn<'_>, key: &JobKey, job: &Arc<Job>, status: &'static str) {
    let mut row = Job::clone(job);
    row.status = status.to_owned();
    row.modify_index = txn.index;
    count_child(txn, &row, Some(&job.status), Some(status));
    let row = Arc::new(row);
    txn.state.jobs.insert(key.clone(), Arc::clone(&row));
    if let Some(version) = txn.state.job_versions.get_mut(&(key.clone(), row.version)) {
        *version = Arc::clone(&row);
        txn.touch(Table::JobVersions);
    }
    txn.touch(Table::Jobs);
    txn.changes.push(Change::Job(row));
}

/// Moves a child from one status to another in its parent's summary.
pub(crate) fn count_child(txn: &mut Txn<'_>, child: &Job, from: Option<&str>, to: Option<&str>) {
    if child.parent_id.is_empty() {
        return;
    }
    let parent = JobKey::new(child.namespace.clone(), child.parent_id.clone());
    let Some(summary) = txn.summary_mut(&parent) else {
        return;
    };
    let children = summary.children.get_or_insert_default();
    for (status, step) in [(from, -1), (to, 1)] {
        let counter = match status {
            Some(job_status::PENDING) => &mut children.pending,
            Some(job_status::RUNNING) => &mut children.running,
            Some(job_status::DEAD) => &mut children.dead,
            _ => continue,
        };
        *counter = (*counter + step).max(0);
    }
}
