//! The evaluation that follows when a controller wants a job to be looked at again.

use caravan_model::*;
use caravan_state::JobKey;

/// An evaluation of a job as it stands.
pub(crate) fn evaluation(job: &Job, triggered_by: &str, id: EvalId, now: UnixNanos) -> Evaluation {
    Evaluation {
        id,
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        r#type: job.r#type.clone(),
        priority: job.priority,
        triggered_by: triggered_by.to_owned(),
        job_modify_index: job.job_modify_index,
        status: EvalStatus::Pending,
        create_time: now,
        modify_time: now,
        ..Evaluation::default()
    }
}

/// The key of an evaluation's job.
pub(crate) fn key_of_eval(eval: &Evaluation) -> JobKey {
    JobKey::new(eval.namespace.clone(), eval.job_id.clone())
}

/// The key of a job.
pub(crate) fn key_of(job: &Job) -> JobKey {
    JobKey::new(job.namespace.clone(), job.id.clone())
}
