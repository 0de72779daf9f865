//! The job as a whole.

use super::{Faults, group, placement, scheduling};
use caravan_model::{Job, job_type};

/// Longer descriptions are refused.
const MOST_DESCRIPTION: usize = 1000;

/// Adds everything that is wrong with a job.
pub(crate) fn validate_job(job: &Job, faults: &mut Faults) {
    faults.add_if(job.region.is_empty(), "Missing job region");
    names(job, faults);
    faults.add_if(job.namespace.is_empty(), "Job must be in a namespace");
    kind(job, faults);
    datacenters(job, faults);
    faults.add_if(job.task_groups.is_empty(), "Missing job task groups");
    placement::constraints(&job.constraints, faults);
    if job.r#type == job_type::SYSTEM {
        let refuse = |any: bool, what: &str, faults: &mut Faults| {
            faults.add_if(any, format!("System jobs may not have {what} block"));
        };
        refuse(!job.affinities.is_empty(), "an affinity", faults);
        refuse(!job.spreads.is_empty(), "a spread", faults);
    } else {
        placement::affinities(&job.affinities, faults);
        placement::spreads(&job.spreads, faults);
    }
    groups(job, faults);
    scheduling::periodic(job, faults);
    scheduling::parameterized(job, faults);
    if let Some(ui) = &job.ui {
        let length = ui.description.chars().count();
        faults.add_if(
            length > MOST_DESCRIPTION,
            format!(
                "UI description must be under {MOST_DESCRIPTION} characters, currently {length}"
            ),
        );
    }
}

fn names(job: &Job, faults: &mut Faults) {
    let id = job.id.as_str();
    if id.is_empty() {
        faults.add("Missing job ID");
    } else {
        faults.add_if(id.contains(' '), "Job ID contains a space");
        faults.add_if(id.contains('\0'), "Job ID contains a null character");
    }
    faults.add_if(job.name.is_empty(), "Missing job name");
    faults.add_if(
        job.name.contains('\0'),
        "Job Name contains a null character",
    );
}

fn kind(job: &Job, faults: &mut Faults) {
    match job.r#type.as_str() {
        // Core jobs are refused with what operators decide.
        job_type::SERVICE
        | job_type::BATCH
        | job_type::SYSTEM
        | job_type::SYSBATCH
        | job_type::CORE => {}
        "" => faults.add("Missing job type"),
        other => faults.add(format!("Invalid job type: {other:?}")),
    }
}

fn datacenters(job: &Job, faults: &mut Faults) {
    if job.datacenters.is_empty() && job.multiregion.is_none() {
        faults.add("Missing job datacenters");
    }
    faults.add_if(
        job.datacenters.iter().any(String::is_empty),
        "Job datacenter must be non-empty string",
    );
}

fn groups(job: &Job, faults: &mut Faults) {
    let mut seen = std::collections::BTreeMap::new();
    for (at, group) in job.task_groups.iter().enumerate() {
        let (number, name) = (at + 1, group.name.as_str());
        if name.is_empty() {
            faults.add(format!("Job task group {number} missing name"));
        } else if let Some(first) = seen.get(name) {
            faults.add(format!(
                "Job task group {number} redefines '{name}' from group {first}"
            ));
        } else {
            seen.insert(name, number);
        }
        faults.add_if(
            group.shutdown_delay.is_some_and(|delay| delay.0 < 0),
            "ShutdownDelay must be a positive value",
        );
        faults.add_if(
            job.r#type == job_type::SYSTEM && group.count > 1,
            format!(
                "Job task group {name} has count {}. Count cannot exceed 1 with system scheduler",
                group.count
            ),
        );
    }
    for group in &job.task_groups {
        let before = format!("Task group {} validation failed: ", group.name);
        faults.nest(&before, group::validate(job, group));
    }
}
