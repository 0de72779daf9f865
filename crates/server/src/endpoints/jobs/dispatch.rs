//! Dispatching parameterized jobs (server sheet §5).

use super::super::{Answered, Call};
use super::evaluation_of;
use crate::clock;
use caravan_http::{Answer, ApiError, Meta, Op};
use caravan_model::*;
use caravan_state::Command;
use std::sync::Arc;

/// A stored payload as users gave it.
pub(super) fn decompress(payload: &[u8]) -> Result<Vec<u8>, ApiError> {
    caravan_control::dispatch::decompress(payload)
        .map_err(|error| ApiError::internal(format!("the stored payload cannot be read: {error}")))
}

pub(in super::super) async fn dispatch(call: &Call) -> Answered {
    let body = if call.request.op == Op::JobDispatchPayload {
        JobDispatchRequest {
            payload: call.request.body.to_vec(),
            ..JobDispatchRequest::default()
        }
    } else {
        call.request.json::<JobDispatchRequest>()?
    };
    if !body.job_id.is_empty() && body.job_id != call.request.param("id") {
        return Err(ApiError::bad_request("Job ID does not match"));
    }
    let parent = call
        .state
        .job(&call.job_key())
        .ok_or_else(|| ApiError::internal("parameterized job not found"))?;
    let token = call
        .request
        .query
        .get("idempotency_token")
        .unwrap_or_default();
    if let Some(known) = known_child(call, token) {
        let answer = JobDispatchResponse {
            dispatched_job_id: known.id.clone(),
            job_create_index: known.create_index,
            index: known.modify_index,
            ..JobDispatchResponse::default()
        };
        return Answer::json(&answer, Meta::write(known.modify_index));
    }
    let random: String = clock::uuid().chars().take(8).collect();
    let child = caravan_control::dispatch::derive(
        parent,
        &body,
        token,
        clock::now(),
        &random,
        call.shared.config.job_max_priority,
    )
    .map_err(|error| ApiError::internal(error.to_string()))?;
    let eval = (!child.is_periodic()).then(|| evaluation_of(&child, trigger::JOB_REGISTER, 0));
    let eval_id = eval.as_ref().map_or(EvalId::NIL, |eval| eval.id);
    let id = child.id.clone();
    let command = Command::RegisterJob {
        job: Arc::new(child),
        submission: None,
        eval,
        policy_ids: Vec::new(),
        now: clock::now(),
    };
    let applied = call.propose(command).await?;
    let answer = JobDispatchResponse {
        dispatched_job_id: id,
        eval_id,
        eval_create_index: if eval_id.is_nil() { 0 } else { applied.index },
        job_create_index: applied.index,
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}

fn known_child<'a>(call: &'a Call, token: &str) -> Option<&'a Arc<Job>> {
    let parent = call.job_key();
    let mut children = call.state.job_children(&parent);
    if token.is_empty() {
        None
    } else {
        children.find(|child| child.dispatch_idempotency_token == token)
    }
}
