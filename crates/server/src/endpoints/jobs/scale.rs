//! Scaling groups (http-api §2.1).

use super::super::{Answered, Call};
use super::evaluation_of;
use crate::clock;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};

pub(in super::super) fn status(call: &Call) -> Answered {
    let job = call.job()?;
    let key = call.job_key();
    let deployment = call
        .state
        .latest_deployment(&key)
        .filter(|row| row.job_create_index == job.create_index);
    let events = call.state.scaling_events(&key);
    let groups = job.task_groups.iter().map(|group| {
        let mut status = TaskGroupScaleStatus {
            desired: group.count,
            ..TaskGroupScaleStatus::default()
        };
        if let Some(progress) = deployment.and_then(|row| row.task_groups.get(&group.name)) {
            status.placed = progress.placed_allocs;
            status.healthy = progress.healthy_allocs;
            status.unhealthy = progress.unhealthy_allocs;
        }
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
    /// Counts an allocation that still counts for its group.
    fn count(&mut self, alloc: &Allocation);
}

impl Count for TaskGroupScaleStatus {
    fn count(&mut self, alloc: &Allocation) {
        if alloc.terminal_status() {
            return;
        }
        self.placed = self.placed.max(0);
        if alloc.client_status == ClientStatus::Running {
            self.running += 1;
        }
        if alloc.deployment_id.is_nil() {
            self.placed += 1;
        }
    }
}

pub(in super::super) async fn scale(call: &Call) -> Answered {
    let body: ScalingRequest = call.request.json()?;
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
