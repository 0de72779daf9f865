//! Scaling groups (http-api §2.1).

use super::super::{Answered, Call};
use super::evaluation_of;
use crate::{admission, clock};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};

pub(in super::super) fn status(call: &Call) -> Answered {
    let job = call.job()?;
    let key = call.job_key();
    let events = call.state.scaling_events(&key);
    let groups = job.task_groups.iter().map(|group| {
        let mut status = TaskGroupScaleStatus {
            desired: group.count,
            ..TaskGroupScaleStatus::default()
        };
        for alloc in call
            .state
            .allocs_of_job(&key)
            .filter(|alloc| alloc.task_group == group.name)
        {
            status.count(alloc);
        }
        status.events = events
            .and_then(|events| events.get(&group.name))
            .cloned()
            .unwrap_or_default();
        (group.name.clone(), status)
    });
    let answer = JobScaleStatus {
        job_id: job.id.clone(),
        namespace: job.namespace.clone(),
        job_create_index: job.create_index,
        job_modify_index: job.modify_index,
        job_stopped: job.stop,
        task_groups: groups.collect(),
    };
    call.object(
        &answer,
        job.modify_index,
        &[Table::Jobs, Table::Allocations, Table::Deployments],
    )
}

trait Count {
    /// Counts an allocation that still counts for its group; canaries do not.
    fn count(&mut self, alloc: &Allocation);
}

impl Count for TaskGroupScaleStatus {
    fn count(&mut self, alloc: &Allocation) {
        let health = alloc.deployment_status.as_ref();
        if alloc.terminal_status() || health.is_some_and(|health| health.canary) {
            return;
        }
        self.placed += 1;
        if alloc.client_status == ClientStatus::Running {
            self.running += 1;
        }
        match health.and_then(|health| health.healthy) {
            Some(true) => self.healthy += 1,
            Some(false) => self.unhealthy += 1,
            None => {}
        }
    }
}

/// Refuses more allocations than a job may have.
fn check_total(job: &Job, most: i64) -> Result<(), ApiError> {
    let total: i64 = job.task_groups.iter().map(|group| group.count).sum();
    match most > 0 && total > most {
        true => Err(ApiError::bad_request(format!(
            "total count was greater than configured job_max_count: {total} > {most}"
        ))),
        false => Ok(()),
    }
}

pub(in super::super) async fn scale(call: &Call) -> Answered {
    let body: ScalingRequest = call.request.json_from("api")?;
    let key = call.job_key();
    if body
        .target
        .get("Job")
        .is_some_and(|job| !job.is_empty() && *job != *key.id)
    {
        return Err(ApiError::bad_request("job ID in payload did not match URL"));
    }
    let group = body.target.get("Group").cloned().unwrap_or_default();
    if group.is_empty() {
        return Err(ApiError::bad_request(
            "missing task group name for scaling action",
        ));
    }
    let job = call
        .state
        .job(&key)
        .ok_or_else(|| ApiError::not_found(format!("job {:?} not found", key.id.as_str())))?;
    let deploying = call
        .state
        .latest_deployment(&key)
        .is_some_and(|row| row.is_active());
    let mut scaled = caravan_control::scale::apply(job, &body, deploying, clock::now())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    if body.count.is_some() && body.job_modify_index > 0 {
        admission::enforce_index(Some(job), body.job_modify_index)?;
    }
    if let Some(job) = &scaled.job {
        check_total(job, call.shared.config.job_max_count)?;
    }
    let mut eval_id = EvalId::NIL;
    let mut job_modify_index = job.job_modify_index;
    let mut index = call.state.index();
    if let Some(mut new) = scaled.job.take() {
        new.submit_time = clock::now();
        let written = super::register::write(call, new, None, trigger::JOB_SCALING, 0).await?;
        (eval_id, job_modify_index, index) = (written.eval_id, written.index, written.index);
    } else if body.count.is_some() && !job.is_launched() {
        let eval = evaluation_of(job, trigger::JOB_SCALING, 0);
        eval_id = eval.id;
        index = call
            .propose(Command::UpsertEvals {
                evals: vec![eval],
                now: clock::now(),
            })
            .await?
            .index;
    }
    let eval_create_index = if eval_id.is_nil() { 0 } else { index };
    scaled.event.eval_id = (!eval_id.is_nil()).then_some(eval_id);
    let event = Command::RecordScalingEvent {
        job: key,
        group,
        event: Box::new(scaled.event),
    };
    index = call.propose(event).await?.index;
    let answer = JobRegisterResponse {
        eval_id,
        eval_create_index,
        job_modify_index,
        index,
        known_leader: true,
        ..JobRegisterResponse::default()
    };
    Answer::json(&answer, Meta::write(index))
}
