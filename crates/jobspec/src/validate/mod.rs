//! What is wrong with a job: every rule, and every breach of it, in one answer.
//!
//! Works on the stored form. Rules that depend on a cluster are in [`crate::admit`].

mod artifact;
mod check;
mod connect;
mod fault;
mod group;
mod identity;
mod job;
mod network;
mod pattern;
mod placement;
mod policy;
mod resources;
mod scheduling;
mod service;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod volume;
mod warning;

pub(crate) use fault::Faults;
pub use fault::{error_text, warning_text};
pub(crate) use job::validate_job;
pub(crate) use pattern::{plain_regex, regex_problem};
pub(crate) use warning::{job_warnings, service_delay_warnings, vault_identity_warnings};

use caravan_model::Job;

/// Everything that is wrong with a job, one text each. Empty for a job that may run.
#[must_use]
pub fn validate(job: &Job) -> Vec<String> {
    let mut faults = Faults::default();
    validate_job(job, &mut faults);
    faults.texts()
}
