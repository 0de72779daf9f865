//! What follows from a client's word about its allocations (server sheet §7.1).

use crate::node_update::NewId;
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;

/// Why an evaluation that waited for an allocation is canceled.
const CAME_BACK: &str = "canceled because the allocation that it waits for came back";

/// The evaluations that updates call for, one a job (a job that is gone, a failure that may be rescheduled, an
/// allocation that came back), and those that they make needless, canceled.
pub fn follow_ups(
    state: &State,
    updates: &[Allocation],
    new_id: NewId<'_>,
    now: UnixNanos,
) -> Vec<Evaluation> {
    let mut evals: BTreeMap<JobKey, Evaluation> = BTreeMap::new();
    for update in updates {
        let Some(stored) = state.alloc(&update.id) else {
            continue;
        };
        let Some(reason) = reason(state, stored, update) else {
            continue;
        };
        let key = JobKey::new(stored.namespace.clone(), stored.job_id.clone());
        let job = state.job(&key).or(stored.job.as_ref());
        let eval = evals.entry(key.clone()).or_insert_with(|| Evaluation {
            id: new_id(),
            namespace: key.namespace.clone(),
            job_id: key.id.clone(),
            r#type: job.map_or_else(|| job_type::SERVICE.to_owned(), |job| job.r#type.clone()),
            priority: job.map_or(50, |job| job.priority),
            status: EvalStatus::Pending,
            create_time: now,
            modify_time: now,
            ..Evaluation::default()
        });
        if eval.triggered_by.is_empty() || reason == trigger::RECONNECT {
            reason.clone_into(&mut eval.triggered_by);
        }
    }
    let moot = moot_evals(state, updates, now);
    evals.into_values().chain(moot.into_values()).collect()
}

fn reason(state: &State, stored: &Allocation, update: &Allocation) -> Option<&'static str> {
    if !update.client_status.is_terminal() && stored.client_status != ClientStatus::Unknown {
        return None;
    }
    let key = JobKey::new(stored.namespace.clone(), stored.job_id.clone());
    let Some(job) = state.job(&key) else {
        return Some(trigger::JOB_DEREGISTER);
    };
    if stored.client_status == ClientStatus::Unknown
        && update.client_status != ClientStatus::Unknown
    {
        return Some(trigger::RECONNECT);
    }
    let failed_now = update.client_status == ClientStatus::Failed
        && stored.client_status != ClientStatus::Failed;
    let waits = !stored.followup_eval_id.is_nil();
    let group = job.lookup_task_group(&stored.task_group)?;
    let may = group
        .reschedule_policy
        .as_ref()
        .is_some_and(|policy| policy.unlimited || policy.attempts > 0);
    (failed_now && !waits && may).then_some(trigger::ALLOC_FAILURE)
}

/// Delayed evaluations that have nothing left to do because the allocation they wait for came back or ended: to be
/// canceled.
fn moot_evals(
    state: &State,
    updates: &[Allocation],
    now: UnixNanos,
) -> BTreeMap<EvalId, Evaluation> {
    let mut moot = BTreeMap::new();
    for update in updates {
        let Some(stored) = state.alloc(&update.id) else {
            continue;
        };
        let back = stored.client_status == ClientStatus::Unknown
            && matches!(
                update.client_status,
                ClientStatus::Running | ClientStatus::Complete | ClientStatus::Failed
            );
        let waiting = state
            .eval(&stored.followup_eval_id)
            .filter(|eval| back && eval.status == EvalStatus::Pending);
        if let Some(eval) = waiting {
            let canceled = Evaluation {
                status: EvalStatus::Canceled,
                status_description: CAME_BACK.to_owned(),
                modify_time: now,
                ..Evaluation::clone(eval)
            };
            moot.insert(eval.id, canceled);
        }
    }
    moot
}
