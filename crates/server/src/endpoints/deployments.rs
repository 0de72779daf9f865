//! Deployments (http-api §2.3).

use super::list::{Keyed, check_id_prefix, id_or_age_key};
use super::{Answered, Call, rows};
use crate::clock;
use caravan_control::Ids;
use caravan_control::deployments as decide;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Change, Command, Table};
use std::sync::Arc;

pub(super) fn list(call: &Call) -> Answered {
    // Here alone the error does not say what was looked for.
    check_id_prefix(call, "deployment").map_err(|error| {
        ApiError::internal(
            error
                .message
                .trim_start_matches("deployment lookup failed: "),
        )
    })?;
    let prefix = call.request.options.prefix.to_lowercase();
    let rows = call
        .state
        .deployments()
        .filter(|row| call.in_scope(&row.namespace))
        .filter(|row| prefix.is_empty() || row.id.to_string().starts_with(&prefix))
        .map(|row| Keyed {
            key: id_or_age_key(call, row.create_index, row.id),
            row: Arc::clone(row),
        })
        .collect();
    super::list::answer(call, &[Table::Deployments], rows, Deployment::clone)
}

pub(super) fn read(call: &Call) -> Answered {
    let id = permitted(call)?;
    match call.state.deployment(&id) {
        Some(row) => call.object(row.as_ref(), row.modify_index, &[Table::Deployments]),
        None => Err(call.missing("deployment not found", &[Table::Deployments])),
    }
}

pub(super) fn allocations(call: &Call) -> Answered {
    let id = permitted(call)?;
    let stubs: Vec<_> = call
        .state
        .allocs_of_deployment(&id)
        .map(|alloc| rows::stub(alloc))
        .collect();
    call.tables(&stubs, &[Table::Allocations])
}

/// The deployment that path and body agree on.
fn named(call: &Call, in_body: &str) -> Result<DeploymentId, ApiError> {
    if in_body.is_empty() {
        return Err(ApiError::bad_request("DeploymentID must be specified"));
    }
    if in_body != call.request.param("id") {
        return Err(ApiError::bad_request("Deployment ID does not match"));
    }
    permitted(call)
}

/// The deployment that the path names, if the caller may do this to it.
fn permitted(call: &Call) -> Result<DeploymentId, ApiError> {
    let id: DeploymentId = call.id("deployment")?;
    if let Some(row) = call.state.deployment(&id) {
        call.permit_in(&row.namespace)?;
    }
    Ok(id)
}

async fn carry_out(call: &Call, command: Result<Command, decide::DeploymentError>) -> Answered {
    let command = command.map_err(|error| ApiError::internal(error.to_string()))?;
    let reverted = reverted_to(&command);
    let applied = call.propose(command).await?;
    let eval_id = applied.changes.iter().find_map(|change| match change {
        Change::Eval(eval) if !eval.is_terminal() => Some(eval.id),
        _ => None,
    });
    let answer = DeploymentUpdateResponse {
        eval_id: eval_id.unwrap_or_default(),
        eval_create_index: if eval_id.is_some() { applied.index } else { 0 },
        deployment_modify_index: applied.index,
        reverted_job_version: reverted,
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}

/// The version that the job goes back to: the one that the description names, not the new one made of it.
fn reverted_to(command: &Command) -> Option<u64> {
    match command {
        Command::UpdateDeploymentStatus { job, .. } | Command::SetAllocHealth { job, .. } => {
            job.as_ref().map(|job| job.version)
        }
        _ => None,
    }
}

pub(super) async fn fail(call: &Call) -> Answered {
    let id = permitted(call)?;
    let command = decide::fail(&call.state, id, clock::now(), &mut Ids(&mut clock::fresh));
    carry_out(call, command).await
}

pub(super) async fn pause(call: &Call) -> Answered {
    let body: DeploymentPauseRequest = call.request.json()?;
    let id = named(call, &body.deployment_id)?;
    let command = decide::pause(
        &call.state,
        id,
        body.pause,
        clock::now(),
        &mut Ids(&mut clock::fresh),
    );
    carry_out(call, command).await
}

pub(super) async fn promote(call: &Call) -> Answered {
    let body: DeploymentPromoteRequest = call.request.json()?;
    let id = named(call, &body.deployment_id)?;
    let groups = if body.all { Vec::new() } else { body.groups };
    let command = decide::promote(
        &call.state,
        id,
        groups,
        clock::now(),
        &mut Ids(&mut clock::fresh),
    );
    carry_out(call, command).await
}

pub(super) async fn unblock(call: &Call) -> Answered {
    let body: DeploymentPauseRequest = call.request.json()?;
    let id = named(call, &body.deployment_id)?;
    let row = call
        .state
        .deployment(&id)
        .ok_or_else(|| ApiError::not_found("deployment not found"))?;
    if !row.is_active() {
        return Err(ApiError::internal("can't unblock terminal deployment"));
    }
    Err(ApiError::internal(
        "can't unblock deployment that is not blocked",
    ))
}

pub(super) async fn allocation_health(call: &Call) -> Answered {
    let body: DeploymentAllocHealthRequest = call.request.json()?;
    let id = named(call, &body.deployment_id)?;
    if body.healthy_allocation_ids.is_empty() && body.unhealthy_allocation_ids.is_empty() {
        return Err(ApiError::internal(
            "must specify at least one healthy/unhealthy allocation ID",
        ));
    }
    let ids = |texts: &[String]| -> Result<Vec<AllocId>, ApiError> {
        texts
            .iter()
            .map(|text| rows::full_id(text, "alloc"))
            .collect()
    };
    let (healthy, unhealthy) = (
        ids(&body.healthy_allocation_ids)?,
        ids(&body.unhealthy_allocation_ids)?,
    );
    let command = decide::set_health(
        &call.state,
        id,
        healthy,
        unhealthy,
        clock::now(),
        &mut Ids(&mut clock::fresh),
    );
    carry_out(call, command).await
}
