//! Commands about evaluations (scheduler sheet §2).

use crate::change::Change;
use crate::error::ApplyError;
use crate::key::JobKey;
use crate::table::Table;
use crate::txn::{Txn, insert_into, remove_from};
use caravan_model::*;
use std::sync::Arc;

pub(super) fn upsert_all(
    txn: &mut Txn<'_>,
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    for eval in evals {
        upsert(txn, eval, now);
    }
    Ok(())
}

/// Writes an evaluation with what follows from it: queued counts, the job's status, and the end of the job's
/// other blocked evaluations once this one has placed everything.
pub(super) fn upsert(txn: &mut Txn<'_>, mut eval: Evaluation, now: UnixNanos) {
    match txn.state.evals.get(&eval.id) {
        Some(old) => {
            eval.create_index = old.create_index;
            eval.create_time = old.create_time;
        }
        None => {
            eval.create_index = txn.index;
            if eval.create_time.is_zero() {
                eval.create_time = now;
            }
        }
    }
    if !now.is_zero() {
        eval.modify_time = now;
    }
    if eval.modify_time <= eval.create_time {
        eval.modify_time = UnixNanos(eval.create_time.0 + 1);
    }
    let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    if let Some(summary) = txn.summary_mut(&key) {
        for (group, queued) in &eval.queued_allocations {
            if let Some(counts) = summary.summary.get_mut(group) {
                counts.queued = *queued;
            }
        }
    }
    if eval.status == EvalStatus::Complete && eval.failed_tg_allocs.is_empty() {
        cancel_blocked(txn, &key, eval.id, now);
    }
    put(txn, &key, eval);
}

fn cancel_blocked(txn: &mut Txn<'_>, key: &JobKey, by: EvalId, now: UnixNanos) {
    let blocked: Vec<Arc<Evaluation>> = txn
        .state
        .open_evals_of_job(key)
        .filter(|eval| eval.status == EvalStatus::Blocked && eval.id != by)
        .cloned()
        .collect();
    for eval in blocked {
        let mut eval = Evaluation::clone(&eval);
        eval.status = EvalStatus::Canceled;
        eval.status_description = format!("evaluation {:?} successful", by.to_string());
        if !now.is_zero() {
            eval.modify_time = now;
        }
        put(txn, key, eval);
    }
}

fn put(txn: &mut Txn<'_>, key: &JobKey, mut eval: Evaluation) {
    eval.modify_index = txn.index;
    insert_into(&mut txn.state.evals_by_job, key.clone(), eval.id);
    if eval.is_terminal() {
        remove_from(&mut txn.state.open_evals, key, &eval.id);
    } else {
        insert_into(&mut txn.state.open_evals, key.clone(), eval.id);
    }
    let eval = Arc::new(eval);
    txn.state.evals.insert(eval.id, Arc::clone(&eval));
    txn.touch(Table::Evaluations);
    txn.job_changed(key);
    txn.changes.push(Change::Eval(eval));
}

/// Notes that a plan of this evaluation was committed, so that waiters see that something happened.
pub(super) fn bump(txn: &mut Txn<'_>, id: EvalId, now: UnixNanos) {
    let Some(eval) = txn.state.evals.get(&id) else {
        return;
    };
    let mut eval = Evaluation::clone(eval);
    eval.modify_index = txn.index;
    eval.modify_time = UnixNanos(now.0.max(eval.create_time.0 + 1));
    let eval = Arc::new(eval);
    txn.state.evals.insert(id, Arc::clone(&eval));
    txn.touch(Table::Evaluations);
    txn.changes.push(Change::Eval(eval));
}

/// Forgets evaluations and allocations.
pub(super) fn delete(
    txn: &mut Txn<'_>,
    evals: &[EvalId],
    allocs: &[AllocId],
    user_initiated: bool,
) -> Result<(), ApplyError> {
    txn.deleting_evals = !user_initiated;
    for id in evals {
        let Some(eval) = txn.state.evals.remove(id) else {
            continue;
        };
        let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        remove_from(&mut txn.state.evals_by_job, &key, id);
        remove_from(&mut txn.state.open_evals, &key, id);
        txn.touch(Table::Evaluations);
        txn.job_changed(&key);
        txn.changes.push(Change::EvalRemoved(eval));
    }
    for id in allocs {
        super::allocs::remove(txn, *id);
    }
    Ok(())
}
