//! Judging a job without an agent.

use caravan_jobspec::{NoCluster, admit, error_text, warning_text};
use caravan_model::api::ApiJob;

/// The errors and the warnings, each as one text, empty when there are none.
pub(crate) fn validate(job: ApiJob) -> (String, String) {
    let judged = admit(job, &NoCluster);
    let errors = match judged.errors.is_empty() {
        true => String::new(),
        false => error_text(&judged.errors),
    };
    (errors, warning_text(&judged.warnings))
}
