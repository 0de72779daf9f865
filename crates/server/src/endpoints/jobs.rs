//! Jobs (http-api §2.1), one file a theme.

pub(super) mod control;
pub(super) mod dispatch;
pub(super) mod plan;
pub(super) mod read;
pub(super) mod register;
pub(super) mod scale;
pub(super) mod statuses;
pub(super) mod versions;

use super::Call;
use caravan_http::ApiError;
use caravan_model::*;
use caravan_state::Table;
use std::sync::Arc;

impl Call {
    /// The job that the path names, for reads.
    pub(crate) fn job(&self) -> Result<&Arc<Job>, ApiError> {
        self.state
            .job(&self.job_key())
            .ok_or_else(|| self.missing("job not found", &[Table::Jobs]))
    }
}

/// A fresh evaluation of a job.
pub(crate) fn evaluation_of(job: &Job, triggered_by: &str, priority: i64) -> Evaluation {
    let now = crate::clock::now();
    Evaluation {
        id: crate::clock::eval_id(),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        r#type: job.r#type.clone(),
        priority: if priority > 0 { priority } else { job.priority },
        triggered_by: triggered_by.to_owned(),
        job_modify_index: job.job_modify_index,
        status: EvalStatus::Pending,
        create_time: now,
        modify_time: now,
        ..Evaluation::default()
    }
}
