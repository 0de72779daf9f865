//! Whether one thing can be forgotten.

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::sync::Arc;

/// What of an evaluation can be forgotten.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The evaluation itself.
    pub(super) eval: bool,
    /// Those of its allocations.
    pub(super) allocs: Vec<AllocId>,
}

/// Judges an evaluation. The last evaluations of a batch job are what tells that it has run: they stay until the
/// job is stopped, or goes with them (`with_job`).
pub(super) fn judge_eval(
    state: &State,
    eval: &Evaluation,
    cutoff: UnixNanos,
    now: UnixNanos,
    with_job: bool,
) -> Verdict {
    if !eval.is_terminal() || eval.modify_time >= cutoff {
        return Verdict::default();
    }
    let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    let job = state.job(&key).map(AsRef::as_ref);
    let remembers =
        |job: &&Job| eval.r#type == job_type::BATCH && !(is_dead(job) && (job.stop || with_job));
    let mut verdict = Verdict {
        eval: true,
        allocs: Vec::new(),
    };
    for alloc in state.allocs_of_eval(&eval.id) {
        let forgettable = match job.filter(remembers) {
            Some(job) => {
                alloc.terminal_status()
                    && alloc.modify_time < cutoff
                    && alloc.create_index < job.job_modify_index
            }
            None => may_forget_alloc(alloc, job, cutoff, now) && !is_owed(state, &key, alloc),
        };
        if forgettable {
            verdict.allocs.push(alloc.id);
        } else {
            verdict.eval = false;
        }
    }
    verdict
}

/// Whether an allocation is still to be replaced, and only its row tells of that: a rollout that is held up gives back
/// what was lost, and nothing else that its group is short of.
fn is_owed(state: &State, key: &JobKey, alloc: &Allocation) -> bool {
    let waits =
        alloc.stopped_unreplaced() || (alloc.failed_unreplaced() && alloc.last_reschedule_failed());
    let over = |row: &&Arc<Deployment>| {
        matches!(
            row.status,
            DeploymentStatus::Successful | DeploymentStatus::Cancelled
        )
    };
    let held_up = || state.latest_deployment(key).is_some_and(|row| !over(&row));
    let stood_in_for = || {
        let mut others = state.allocs_of_job(key);
        others.any(|other| other.name == alloc.name && !other.terminal_status())
    };
    let exists = || state.job(key).is_some_and(|job| !job.stop && !is_dead(job));
    waits && exists() && held_up() && !stood_in_for()
}

fn is_dead(job: &Job) -> bool {
    job.status == job_status::DEAD
}

/// Whether an allocation can be forgotten: it has ended on both sides, and no replacement will ask about it.
pub(super) fn may_forget_alloc(
    alloc: &Allocation,
    job: Option<&Job>,
    cutoff: UnixNanos,
    now: UnixNanos,
) -> bool {
    let over = alloc.terminal_status()
        && alloc.client_status != ClientStatus::Running
        && alloc.modify_time < cutoff;
    if !over {
        return false;
    }
    let Some(job) = job.filter(|job| !job.stop && !is_dead(job)) else {
        return true;
    };
    if alloc.desired_status == DesiredStatus::Stop
        || alloc.client_status != ClientStatus::Failed
        || !alloc.next_allocation.is_nil()
    {
        return true;
    }
    let group = job.lookup_task_group(&alloc.task_group);
    let policy = group.and_then(|group| group.reschedule_policy.as_ref());
    let Some(policy) = policy.filter(|policy| policy.unlimited || policy.attempts > 0) else {
        return true;
    };
    let last = alloc
        .reschedule_tracker
        .as_ref()
        .and_then(|tracker| tracker.events.last());
    !policy.unlimited && last.is_some_and(|last| now.since(last.reschedule_time) > policy.interval)
}

/// Whether a job can be forgotten with all of its evaluations and allocations, which are then given.
pub(super) fn judge_job(
    state: &State,
    key: &JobKey,
    job: &Job,
    cutoff: UnixNanos,
    now: UnixNanos,
) -> Option<(Vec<EvalId>, Vec<AllocId>)> {
    // A service that has nothing left to run may come back by itself; one that was stopped may not. Templates of
    // other jobs are dead only when they were stopped.
    let ended = is_dead(job) && (job.stop || job.is_batch_like()) && job.submit_time < cutoff;
    let tagged = || {
        state
            .job_versions(key)
            .any(|version| version.version_tag.is_some())
    };
    if !ended || tagged() {
        return None;
    }
    let mut evals = Vec::new();
    for eval in state.evals_of_job(key) {
        if !judge_eval(state, eval, cutoff, now, true).eval {
            return None;
        }
        evals.push(eval.id);
    }
    let mut allocs = Vec::new();
    for alloc in state.allocs_of_job(key) {
        if !may_forget_alloc(alloc, Some(job), cutoff, now) {
            return None;
        }
        allocs.push(alloc.id);
    }
    Some((evals, allocs))
}

/// Whether a deployment can be forgotten.
pub(super) fn may_forget_deployment(state: &State, row: &Deployment, cutoff: UnixNanos) -> bool {
    !row.is_active()
        && row.modify_time < cutoff
        && state
            .allocs_of_deployment(&row.id)
            .all(|alloc| alloc.terminal_status())
}

/// Whether a node can be forgotten.
pub(super) fn may_forget_node(state: &State, node: &Node, cutoff: UnixNanos) -> bool {
    node.is_down()
        && node.status_updated_at < cutoff.seconds()
        && state
            .allocs_of_node(&node.id)
            .all(|alloc| alloc.terminal_status())
}
