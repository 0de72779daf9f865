//! Judging a job without an agent.

use caravan_jobspec::{NoCluster, admit, error_text, warning_text};
use caravan_model::api::ApiJob;

/// The errors one by one and as one text, and the warnings as one text; texts are empty when there are none.
pub(crate) fn validate(job: ApiJob) -> (Vec<String>, String, String) {
    let judged = admit(job, &NoCluster);
    let mut errors = judged.errors;
    errors.extend(judged.refusal);
    let text = match errors.is_empty() {
        true => String::new(),
        false => error_text(&errors),
    };
    (errors, text, warning_text(&judged.warnings))
}
