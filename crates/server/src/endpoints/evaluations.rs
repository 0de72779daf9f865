//! Evaluations (http-api §2.4).

use super::list::{Keyed, check_id_prefix, id_or_age_key};
use super::{Answered, Call, rows};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};
use std::sync::Arc;

/// How many evaluations one request may delete.
const DELETE_LIMIT: usize = 7281;

fn matching(call: &Call) -> Result<Vec<Keyed<Evaluation>>, ApiError> {
    check_id_prefix(call, "eval")?;
    let prefix = call.request.options.prefix.to_lowercase();
    let status = call.request.query.get("status").unwrap_or_default();
    let job = call.request.query.get("job").unwrap_or_default();
    let picked = !status.is_empty() || !job.is_empty();
    if picked && !call.request.options.filter.is_empty() {
        return Err(ApiError::filter_with_others());
    }
    Ok(call
        .state
        .evals()
        .filter(|eval| call.in_scope(&eval.namespace))
        .filter(|eval| prefix.is_empty() || eval.id.to_string().starts_with(&prefix))
        .filter(|eval| status.is_empty() || eval.status == status)
        .filter(|eval| job.is_empty() || eval.job_id == job)
        .map(|eval| Keyed {
            key: id_or_age_key(call, eval.create_index, eval.id),
            row: Arc::clone(eval),
        })
        .collect())
}

pub(super) fn list(call: &Call) -> Answered {
    super::list::answer(
        call,
        &[Table::Evaluations],
        matching(call)?,
        Evaluation::clone,
    )
}

pub(super) fn count(call: &Call) -> Answered {
    let filter = super::list::filter_of(call)?;
    let mut count = 0;
    for row in matching(call)? {
        if filter
            .as_ref()
            .map_or(Ok(true), |filter| filter.keep(row.row.as_ref()))?
        {
            count += 1;
        }
    }
    let index = call.state.index_of(Table::Evaluations);
    let meta = QueryMeta {
        index,
        known_leader: true,
        ..QueryMeta::default()
    };
    call.tables(&EvaluationCount { count, meta }, &[Table::Evaluations])
}

pub(super) fn read(call: &Call) -> Answered {
    let id: EvalId = call.id("eval").map_err(|error| {
        ApiError::new(
            error.status,
            format!("failed to lookup eval: {}", error.message),
        )
    })?;
    let Some(eval) = call.state.eval(&id) else {
        return Err(call.missing("eval not found", &[Table::Evaluations]));
    };
    call.permit_in(&eval.namespace)?;
    if !call.request.query.flag("related")? {
        return call.object(eval.as_ref(), eval.modify_index, &[Table::Evaluations]);
    }
    let mut eval = Evaluation::clone(eval);
    eval.related_evals = related(call, &eval);
    call.object(&eval, eval.modify_index, &[Table::Evaluations])
}

/// Every evaluation that is linked with this one, near or far, oldest first.
fn related(call: &Call, eval: &Evaluation) -> Vec<EvaluationStub> {
    let mut found: Vec<Arc<Evaluation>> = Vec::new();
    let mut open = eval.related_ids();
    while let Some(id) = open.pop() {
        if id == eval.id || found.iter().any(|known| known.id == id) {
            continue;
        }
        if let Some(next) = call.state.eval(&id) {
            open.extend(next.related_ids());
            found.push(Arc::clone(next));
        }
    }
    found.sort_by_key(|eval| (eval.create_index, eval.id));
    found.iter().map(|eval| eval.stub()).collect()
}

pub(super) fn allocations(call: &Call) -> Answered {
    let id: EvalId = call.id("eval")?;
    if let Some(eval) = call.state.eval(&id) {
        call.permit_in(&eval.namespace)?;
    }
    let stubs: Vec<_> = call
        .state
        .allocs_of_eval(&id)
        .map(|alloc| rows::stub(alloc))
        .collect();
    call.tables(&stubs, &[Table::Allocations])
}

pub(super) async fn delete(call: &Call) -> Answered {
    let body: EvaluationDeleteRequest = call.request.json()?;
    let (by_ids, by_filter) = (!body.eval_ids.is_empty(), !body.filter.is_empty());
    if by_ids == by_filter {
        let text = if by_ids {
            "evals cannot be deleted by both ID and filter"
        } else {
            "evals must be deleted by either ID or filter"
        };
        return Err(ApiError::bad_request(text));
    }
    if body.eval_ids.len() > DELETE_LIMIT {
        return Err(ApiError::bad_request(format!(
            "request includes {} evaluations IDs, must be {DELETE_LIMIT} or fewer",
            body.eval_ids.len()
        )));
    }
    let paused = call
        .state
        .scheduler_config()
        .is_some_and(|config| config.pause_eval_broker);
    if !paused {
        return Err(ApiError::internal(
            "eval broker is enabled; eval broker must be paused to delete evals",
        ));
    }
    let mut chosen = Vec::new();
    if by_filter {
        let mut filtered = call.request.clone();
        filtered.options.filter = body.filter;
        let filtered = Call {
            request: filtered,
            ..call.clone()
        };
        let filter = super::list::filter_of(&filtered).map_err(|error| {
            let text = error
                .message
                .rsplit_once("failed to read filter expression: ")
                .map_or("", |(_, text)| text);
            ApiError::internal(text)
        })?;
        for eval in call
            .state
            .evals()
            .filter(|eval| call.in_scope(&eval.namespace))
        {
            if filter
                .as_ref()
                .map_or(Ok(true), |filter| filter.keep(eval.as_ref()))?
                && safe_to_delete(call, eval)
            {
                chosen.push(eval.id);
            }
        }
    } else {
        for text in &body.eval_ids {
            let id: EvalId = rows::full_id(text, "eval")?;
            let eval = call
                .state
                .eval(&id)
                .ok_or_else(|| ApiError::internal("eval not found"))?;
            if !safe_to_delete(call, eval) {
                return Err(ApiError::internal(format!(
                    "eval {id} is not safe to delete"
                )));
            }
            chosen.push(id);
        }
    }
    let count = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
    let applied = call
        .propose(Command::DeleteEvals {
            evals: chosen,
            allocs: Vec::new(),
            user_initiated: true,
        })
        .await?;
    Answer::json(
        &EvaluationDeleteResponse {
            count,
            index: applied.index,
        },
        Meta::write(applied.index),
    )
}

/// An evaluation may go when nothing that still runs was made by it.
fn safe_to_delete(call: &Call, eval: &Evaluation) -> bool {
    call.state
        .allocs_of_eval(&eval.id)
        .all(|alloc| alloc.terminal_status())
}
