//! Registering jobs (server sheet §4.1): what was sent becomes canonical, is checked, and is logged.

use super::super::{Answered, Call};
use super::evaluation_of;
use crate::admission::{self, Admitted};
use crate::clock;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::api::ApiJob;
use caravan_model::*;
use caravan_state::{Command, JobKey};
use std::sync::Arc;

/// Ids for the scaling policies of a job's groups.
fn policy_ids(job: &Job) -> Vec<String> {
    job.task_groups
        .iter()
        .filter(|group| group.scaling.is_some())
        .map(|_| clock::uuid())
        .collect()
}

/// The job of a request, in the namespace and region that the request decides.
pub(super) fn job_of_request(
    call: &Call,
    job: Option<ApiJob>,
    namespace: &NamespaceName,
) -> Result<ApiJob, ApiError> {
    let mut job = job.ok_or_else(|| ApiError::bad_request("Job must be specified"))?;
    let asked = call.request.options.namespace.clone();
    let asked = asked.or_else(|| (!namespace.is_empty()).then(|| namespace.to_string()));
    let own = job
        .namespace
        .clone()
        .filter(|own| !own.is_empty())
        .map(|own| own.to_string());
    let decided = asked
        .or(own)
        .unwrap_or_else(|| NamespaceName::DEFAULT.to_owned());
    let decided = NamespaceName::from(decided.as_str());
    call.permit_in(&decided)?;
    job.namespace = Some(decided.to_string());
    Ok(job)
}

/// Refuses jobs of regions that this one has no way to.
pub(super) fn check_region(call: &Call, job: &ApiJob) -> Result<(), ApiError> {
    let own = call.shared.config.region.as_str();
    let first = job
        .multiregion
        .as_ref()
        .and_then(|many| many.regions.iter().flatten().next());
    let named = first
        .map(|region| region.name.as_str())
        .or(job.region.as_deref())
        .unwrap_or_default();
    match named {
        "" | "global" => Ok(()),
        named if named == own => Ok(()),
        _ => Err(ApiError::no_path_to_region()),
    }
}

pub(in super::super) async fn register(call: &Call) -> Answered {
    let body: JobRegisterRequest = call.request.json_from("api")?;
    let api_job = job_of_request(call, body.job, &body.namespace)?;
    if api_job.id.is_none() {
        return Err(ApiError::bad_request("Job ID hasn't been provided"));
    }
    check_region(call, &api_job)?;
    let in_path = call.request.param("id");
    if !in_path.is_empty() && api_job.id.as_ref().is_some_and(|id| *id != in_path) {
        return Err(ApiError::bad_request("Job ID does not match name"));
    }
    check_scaling(&api_job)?;
    super::control::check_priority(call, body.eval_priority)?;
    let Admitted { mut job, warnings } =
        admission::admit(&call.state, &call.shared.config, api_job)?;
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let existing = call.state.job(&key).cloned();
    if body.enforce_index {
        admission::enforce_index(existing.as_deref(), body.job_modify_index)?;
    }
    admission::check_transition(existing.as_deref(), &job)?;
    if let Some(existing) = &existing {
        if body.preserve_counts {
            admission::preserve_counts(existing, &mut job);
        }
        if body.preserve_resources {
            admission::preserve_resources(existing, &mut job);
        }
    }
    job.submit_time = clock::now();
    job.nomad_token_id = call.caller.accessor();
    let unchanged = existing
        .as_ref()
        .filter(|existing| existing.same_spec(&job));
    if let Some(existing) = unchanged {
        return evaluate_unchanged(call, existing, body.eval_priority, warnings).await;
    }
    job.create_index = existing
        .as_ref()
        .map_or(0, |existing| existing.create_index);
    let previous = || {
        let existing = existing.as_ref()?;
        call.state
            .job_submission(&key, existing.version)
            .map(|row| JobSubmission::clone(row))
    };
    let (submission, dropped) = keep_submission(call, body.submission.or_else(previous));
    let written = write(
        call,
        job,
        submission,
        trigger::JOB_REGISTER,
        body.eval_priority,
    )
    .await?;
    let answer = JobRegisterResponse {
        warnings: admission::warning_text(warnings.into_iter().chain(dropped)),
        ..written
    };
    Answer::json(&answer, Meta::write(answer.index))
}

/// A system job runs once on each node, so nothing can scale it.
fn check_scaling(job: &ApiJob) -> Result<(), ApiError> {
    let system = job.r#type.as_deref() == Some(job_type::SYSTEM);
    let groups = job.task_groups.as_deref().unwrap_or_default();
    match system && groups.iter().any(|group| group.scaling.is_some()) {
        true => Err(ApiError::bad_request(
            "Task groups with job type system do not support scaling blocks",
        )),
        false => Ok(()),
    }
}

/// Writes a new version of a job, and an evaluation of it unless others launch it.
pub(super) async fn write(
    call: &Call,
    job: Job,
    submission: Option<Box<JobSubmission>>,
    triggered_by: &str,
    priority: i64,
) -> Result<JobRegisterResponse, ApiError> {
    let eval = (!job.is_launched()).then(|| evaluation_of(&job, triggered_by, priority));
    let eval_id = eval.as_ref().map_or(EvalId::NIL, |eval| eval.id);
    let policy_ids = policy_ids(&job);
    let command = Command::RegisterJob {
        job: Arc::new(job),
        submission,
        eval,
        policy_ids,
        now: clock::now(),
    };
    let index = call.propose(command).await?.index;
    Ok(JobRegisterResponse {
        eval_id,
        eval_create_index: if eval_id.is_nil() { 0 } else { index },
        job_modify_index: index,
        index,
        ..JobRegisterResponse::default()
    })
}

/// A registration that changes nothing only has the job looked at again.
async fn evaluate_unchanged(
    call: &Call,
    job: &Job,
    priority: i64,
    warnings: Vec<String>,
) -> Answered {
    let mut answer = JobRegisterResponse {
        job_modify_index: job.job_modify_index,
        warnings: admission::warning_text(warnings),
        index: call.state.index(),
        ..JobRegisterResponse::default()
    };
    if !job.is_launched() {
        let eval = evaluation_of(job, trigger::JOB_REGISTER, priority);
        answer.eval_id = eval.id;
        let applied = call
            .propose(Command::UpsertEvals {
                evals: vec![eval],
                now: clock::now(),
            })
            .await?;
        answer.eval_create_index = applied.index;
        answer.index = applied.index;
    }
    let index = answer.index;
    Answer::json(&answer, Meta::write(index))
}

/// The source text to keep, and a warning when it is too long to be kept.
fn keep_submission(
    call: &Call,
    submission: Option<JobSubmission>,
) -> (Option<Box<JobSubmission>>, Option<String>) {
    let limit = call.shared.config.job_max_source_size;
    match submission {
        Some(_) if limit == 0 => (None, None),
        Some(submission) if submission_size(&submission) > limit => {
            let size = submission_size(&submission);
            let warning = format!(
                "job source size of {} exceeds maximum of {} and will be discarded",
                size_text(size),
                size_text(limit)
            );
            (None, Some(warning))
        }
        Some(submission) => (Some(Box::new(submission)), None),
        None => (None, None),
    }
}

/// Bytes that a submission takes.
fn submission_size(submission: &JobSubmission) -> usize {
    let JobSubmission {
        source,
        variables,
        variable_flags,
        ..
    } = submission;
    let flags: usize = variable_flags
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    source.len() + variables.len() + flags
}

/// A size for people, in powers of 1000: `999 B`, `1.2 MB`, `12 MB`.
fn size_text(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut size, mut unit) = (bytes as f64 / 1e3, 0);
    while size >= 1e3 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1e3, unit + 1);
    }
    match size < 10.0 {
        true => format!("{size:.1} {}", UNITS[unit]),
        false => format!("{size:.0} {}", UNITS[unit]),
    }
}

pub(in super::super) fn validate(call: &Call) -> Answered {
    let body: JobValidateRequest = call.request.json_from("api")?;
    let job = job_of_request(call, body.job, &body.namespace)?;
    let judged = admission::validation(&call.state, &call.shared.config, job)?;
    Answer::json(&judged, Meta::none())
}

pub(in super::super) fn parse(call: &Call) -> Answered {
    let body: JobParseRequest = call.request.json_from("api")?;
    if body.job_hcl.is_empty() {
        return Err(ApiError::bad_request("Job spec is empty"));
    }
    let job = admission::parse(&body)
        .map_err(|text| ApiError::bad_request(format!("Failed to parse job: {text}")))?;
    Answer::json_literal(&job, Meta::none())
}
