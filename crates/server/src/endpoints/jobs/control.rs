//! Stopping jobs, evaluating them anew, launching periodic ones now.

use super::super::{Answered, Call};
use super::evaluation_of;
use crate::clock;
use caravan_acl::NamespaceCapability;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, JobRemoval};
use std::collections::BTreeMap;

pub(in super::super) async fn deregister(call: &Call) -> Answered {
    let key = call.job_key();
    let purge = call.request.query.flag("purge")?;
    // There is one region; whoever asks for all must still ask in words that can be read.
    call.request.query.flag("global")?;
    let no_shutdown_delay = call.request.query.flag("no_shutdown_delay")?;
    // The route is open to all who may end jobs in one way or the other: each way has its own right.
    let way = if purge {
        NamespaceCapability::PurgeJob
    } else {
        NamespaceCapability::DeregisterJob
    };
    let namespace = call.request.namespace();
    if !call.caller.has(namespace, way)
        && !call.caller.has(namespace, NamespaceCapability::SubmitJob)
    {
        return Err(ApiError::permission_denied());
    }
    let priority = call.request.query.int("eval_priority")?.unwrap_or(0);
    check_priority(call, priority)?;
    let Some(job) = call.state.job(&key) else {
        return Answer::json(&JobDeregisterResponse::default(), Meta::write(0));
    };
    // Always of type `service`: the generic scheduler simply stops everything, whatever the job was.
    let eval = (!job.is_launched()).then(|| Evaluation {
        r#type: job_type::SERVICE.to_owned(),
        ..evaluation_of(job, trigger::JOB_DEREGISTER, priority)
    });
    let eval_id = eval.as_ref().map_or(EvalId::NIL, |eval| eval.id);
    let removal = JobRemoval {
        job: key.clone(),
        purge,
        no_shutdown_delay,
        only_if_dead: false,
    };
    let command = Command::DeregisterJobs {
        jobs: vec![removal],
        evals: eval.into_iter().collect(),
        now: clock::now(),
    };
    let applied = call.propose(command).await?;
    let answer = JobDeregisterResponse {
        eval_id,
        eval_create_index: applied.index,
        job_modify_index: applied.index,
        index: applied.index,
        ..JobDeregisterResponse::default()
    };
    Answer::json(&answer, Meta::write(applied.index))
}

/// Refuses a priority of an evaluation that is out of bounds; zero asks for the job's own.
pub(super) fn check_priority(call: &Call, priority: i64) -> Result<(), ApiError> {
    let max = call.shared.config.job_max_priority;
    if priority != 0 && !(1..=max).contains(&priority) {
        return Err(ApiError::bad_request(format!(
            "Eval priority must be between 1 and {max} inclusively"
        )));
    }
    Ok(())
}

pub(in super::super) async fn evaluate(call: &Call) -> Answered {
    let body = call
        .request
        .json_optional::<JobEvaluateRequest>()?
        .unwrap_or_default();
    if !body.job_id.is_empty() && body.job_id != call.request.param("id") {
        return Err(ApiError::bad_request("JobID not same as job name"));
    }
    let job = call
        .state
        .job(&call.job_key())
        .ok_or_else(|| ApiError::internal("job not found"))?;
    if job.is_periodic() {
        return Err(ApiError::internal("can't evaluate periodic job"));
    }
    if job.is_parameterized() {
        return Err(ApiError::internal("can't evaluate parameterized job"));
    }
    let eval = evaluation_of(job, trigger::JOB_REGISTER, 0);
    let (eval_id, now) = (eval.id, clock::now());
    let command = if body.eval_options.force_reschedule {
        let wish = DesiredTransition {
            force_reschedule: Some(true),
            ..DesiredTransition::default()
        };
        let transitions: BTreeMap<AllocId, DesiredTransition> = call
            .state
            .allocs_of_job(&call.job_key())
            .filter(|alloc| {
                alloc.client_status == ClientStatus::Failed && alloc.next_allocation.is_nil()
            })
            .map(|alloc| (alloc.id, wish))
            .collect();
        Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![eval],
            now,
        }
    } else {
        Command::UpsertEvals {
            evals: vec![eval],
            now,
        }
    };
    let job_modify_index = job.job_modify_index;
    let applied = call.propose(command).await?;
    let answer = JobRegisterResponse {
        eval_id,
        eval_create_index: applied.index,
        job_modify_index,
        index: applied.index,
        ..JobRegisterResponse::default()
    };
    Answer::json(&answer, Meta::write(applied.index))
}

pub(in super::super) async fn periodic_force(call: &Call) -> Answered {
    let job = call
        .state
        .job(&call.job_key())
        .ok_or_else(|| ApiError::internal("job not found"))?;
    if !job.is_periodic() {
        return Err(ApiError::internal("can't force launch non-periodic job"));
    }
    if !job.is_periodic_active() {
        return Err(ApiError::internal(format!(
            "can't force run non-tracked job {:?} ({})",
            job.id.as_str(),
            job.namespace
        )));
    }
    let child = caravan_control::periodic::forced_child(&call.state, job, clock::now());
    let eval = evaluation_of(&child, trigger::PERIODIC_JOB, 0);
    let eval_id = eval.id;
    let command = Command::RegisterJob {
        job: std::sync::Arc::new(child),
        submission: None,
        eval: Some(eval),
        policy_ids: Vec::new(),
        now: clock::now(),
    };
    let applied = call.propose(command).await?;
    let answer = PeriodicForceResponse {
        eval_id,
        eval_create_index: applied.index,
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}
