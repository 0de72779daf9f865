//! Allocations (http-api §2.2).

use super::list::{Keyed, check_id_prefix, id_or_age_key};
use super::{Answered, Call};
use crate::clock;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn list(call: &Call) -> Answered {
    check_id_prefix(call, "alloc")?;
    let resources = call.request.query.flag("resources")?;
    let task_states = call.request.query.bool("task_states")?.unwrap_or(true);
    let prefix = call.request.options.prefix.to_lowercase();
    let rows = call
        .state
        .allocs()
        .filter(|alloc| call.in_scope(&alloc.namespace))
        .filter(|alloc| prefix.is_empty() || alloc.id.to_string().starts_with(&prefix))
        .map(|alloc| Keyed {
            key: id_or_age_key(call, alloc.create_index, alloc.id),
            row: Arc::clone(alloc),
        })
        .collect();
    super::list::answer(call, &[Table::Allocations], rows, |alloc| {
        alloc.stub(resources, task_states)
    })
}

pub(super) fn read(call: &Call) -> Answered {
    let id: AllocId = call.id("alloc")?;
    let reads = |namespace: &str| call.caller.reads_jobs_of(namespace);
    match call.state.alloc(&id) {
        Some(alloc) if !reads(alloc.namespace.as_str()) => Err(unknown(call)),
        None if !reads("*") => Err(unknown(call)),
        Some(alloc) => call.object(alloc.as_ref(), alloc.modify_index, &[Table::Allocations]),
        None => Err(call.missing("alloc not found", &[Table::Allocations])),
    }
}

/// To those who may not see an allocation it is as unknown as one that is not there.
fn unknown(call: &Call) -> ApiError {
    let id = call.request.param("id");
    ApiError::internal(format!("Unknown allocation \"{id}\""))
}

pub(super) fn services(call: &Call) -> Answered {
    let id: AllocId = call.id("alloc")?;
    let Some(alloc) = call.state.alloc(&id) else {
        return Err(
            ApiError::not_found("allocation not found").with_meta(call.head(0, &[Table::Services]))
        );
    };
    call.permit_in(&alloc.namespace)?;
    let rows: Vec<_> = call
        .state
        .services()
        .filter(|service| service.alloc_id == id)
        .collect();
    Answer::json(
        &rows,
        call.head(
            alloc.modify_index.max(call.state.index_of(Table::Services)),
            &[Table::Services],
        ),
    )
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StopResponse {
    #[serde(rename = "EvalID")]
    eval_id: EvalId,
    index: u64,
}

pub(super) async fn stop(call: &Call) -> Answered {
    let no_shutdown_delay = call.request.query.flag("no_shutdown_delay")?;
    let reschedule = call.request.query.flag("reschedule")?;
    let id: AllocId = call.id("alloc")?;
    let alloc = call
        .state
        .alloc(&id)
        .ok_or_else(|| ApiError::not_found("allocation not found"))?;
    call.permit_in(&alloc.namespace)?;
    let job = alloc.job.as_ref();
    let batch = job.is_some_and(|job| job.is_batch_like());
    let wish = DesiredTransition {
        migrate: Some(true),
        reschedule: Some(batch || reschedule),
        no_shutdown_delay: Some(no_shutdown_delay),
        ..DesiredTransition::default()
    };
    let now = clock::now();
    let eval = Evaluation {
        id: clock::eval_id(),
        namespace: alloc.namespace.clone(),
        job_id: alloc.job_id.clone(),
        priority: job.map_or(50, |job| job.priority),
        r#type: job.map_or_else(|| job_type::SERVICE.to_owned(), |job| job.r#type.clone()),
        triggered_by: trigger::ALLOC_STOP.to_owned(),
        job_modify_index: job.map_or(0, |job| job.modify_index),
        status: EvalStatus::Pending,
        create_time: now,
        modify_time: now,
        ..Evaluation::default()
    };
    let eval_id = eval.id;
    let command = Command::UpdateDesiredTransitions {
        transitions: BTreeMap::from([(id, wish)]),
        evals: vec![eval],
        now,
    };
    let applied = call.propose(command).await?;
    Answer::json(
        &StopResponse {
            eval_id,
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}
