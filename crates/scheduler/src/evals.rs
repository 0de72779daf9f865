//! Evaluations made while one is processed (scheduler sheet §2.5).

use crate::decision::ClassEligibility;
use caravan_model::*;

/// An evaluation of the same job that comes after `eval`.
pub(crate) fn following(eval: &Evaluation, id: EvalId, now: UnixNanos) -> Evaluation {
    Evaluation {
        id,
        namespace: eval.namespace.clone(),
        priority: eval.priority,
        r#type: eval.r#type.clone(),
        job_id: eval.job_id.clone(),
        job_modify_index: eval.job_modify_index,
        previous_eval: eval.id,
        create_time: now,
        modify_time: now,
        ..Evaluation::default()
    }
}

/// The evaluation that waits for room for what `eval` could not place.
pub(crate) fn blocked(
    eval: &Evaluation,
    id: EvalId,
    why: Blocked,
    eligibility: &ClassEligibility,
    failed: &SmallMap<String, AllocMetric>,
    snapshot_index: u64,
    now: UnixNanos,
) -> Evaluation {
    let (trigger, description) = match why {
        Blocked::NoRoom => (trigger::QUEUED_ALLOCS, eval_description::BLOCKED),
        Blocked::Conflicts => (trigger::MAX_PLANS, eval_description::PLAN_CONFLICTS),
    };
    Evaluation {
        status: EvalStatus::Blocked,
        status_description: description.to_owned(),
        triggered_by: trigger.to_owned(),
        class_eligibility: eligibility.classes.clone(),
        escaped_computed_class: eligibility.escaped,
        missing_non_node_resources: eligibility.missing_resources.clone(),
        failed_tg_allocs: failed.clone(),
        snapshot_index,
        ..following(eval, id, now)
    }
}

/// Why an evaluation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// Not everything found a node.
    NoRoom,
    /// Plans kept being refused.
    Conflicts,
}

/// An evaluation that looks at the job again at `at`.
pub(crate) fn later(
    eval: &Evaluation,
    id: EvalId,
    triggered_by: &str,
    description: &str,
    at: UnixNanos,
    now: UnixNanos,
) -> Evaluation {
    Evaluation {
        status: EvalStatus::Pending,
        status_description: description.to_owned(),
        triggered_by: triggered_by.to_owned(),
        wait_until: at.into(),
        ..following(eval, id, now)
    }
}
