//! Reverting to a version, calling one stable, naming one.

use super::super::{Answered, Call};
use crate::clock;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::Command;

pub(in super::super) async fn revert(call: &Call) -> Answered {
    let body: JobRevertRequest = call.request.json()?;
    check_job_id(call, &body.job_id)?;
    let key = call.job_key();
    let missing = || ApiError::internal(format!("job {:?} not found", key.id.as_str()));
    let current = call.state.job(&key).ok_or_else(missing)?;
    if current.version == body.job_version {
        return Err(ApiError::internal("can't revert to current version"));
    }
    if let Some(prior) = body
        .enforce_prior_version
        .filter(|prior| *prior != current.version)
    {
        return Err(ApiError::internal(format!(
            "Current job has version {}; enforcing version {prior}",
            current.version
        )));
    }
    let old = call.state.job_version(&key, body.job_version);
    let old = old.ok_or_else(|| missing_version(call, body.job_version))?;
    let mut job = Job::clone(old);
    job.stop = false;
    job.stable = false;
    job.version = 0;
    job.version_tag = None;
    job.submit_time = clock::now();
    let submission = call
        .state
        .job_submission(&key, body.job_version)
        .map(|row| Box::new(JobSubmission::clone(row)));
    let answer = super::register::write(call, job, submission, trigger::JOB_REGISTER, 0).await?;
    Answer::json(
        &answer,
        Meta {
            known_leader: Some(false),
            ..Meta::read(answer.index)
        },
    )
}

fn missing_version(call: &Call, version: u64) -> ApiError {
    let key = call.job_key();
    let (id, namespace) = (key.id.as_str(), key.namespace.as_str());
    ApiError::internal(format!(
        "job {id:?} in namespace {namespace:?} at version {version} not found"
    ))
}

fn check_job_id(call: &Call, given: &JobId) -> Result<(), ApiError> {
    if given.is_empty() {
        return Err(ApiError::bad_request("JobID must be specified"));
    }
    if *given != call.request.param("id") {
        return Err(ApiError::bad_request("Job ID does not match"));
    }
    Ok(())
}

pub(in super::super) async fn stable(call: &Call) -> Answered {
    let body: JobStabilityRequest = call.request.json()?;
    check_job_id(call, &body.job_id)?;
    let command = Command::SetJobStability {
        job: call.job_key(),
        version: body.job_version,
        stable: body.stable,
    };
    if call.state.job(&call.job_key()).is_some()
        && call
            .state
            .job_version(&call.job_key(), body.job_version)
            .is_none()
    {
        return Err(missing_version(call, body.job_version));
    }
    let applied = call.propose(command).await?;
    Answer::json(
        &JobStabilityResponse {
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}

pub(in super::super) async fn tag(call: &Call) -> Answered {
    let body: JobTagRequest = call.request.json_from("api")?;
    let name = call.request.param("name").to_owned();
    let tag = JobVersionTag {
        name: name.clone(),
        description: body.description,
        tagged_time: clock::now(),
    };
    if call.state.job(&call.job_key()).is_some()
        && call
            .state
            .job_version(&call.job_key(), body.version)
            .is_none()
    {
        let id = call.request.param("id");
        return Err(ApiError::internal(format!(
            "job {id:?} version {} not found",
            body.version
        )));
    }
    let command = Command::TagJobVersion {
        job: call.job_key(),
        version: body.version,
        tag: Some(tag.clone()),
        name,
    };
    let applied = call.propose(command).await?;
    Answer::json(&JobTagResponse::new(&tag, applied.index), Meta::none())
}

pub(in super::super) async fn untag(call: &Call) -> Answered {
    let name = call.request.param("name").to_owned();
    let command = Command::TagJobVersion {
        job: call.job_key(),
        version: 0,
        tag: None,
        name,
    };
    let applied = call.propose(command).await?;
    Answer::json(
        &JobTagResponse::new(&JobVersionTag::default(), applied.index),
        Meta::none(),
    )
}
