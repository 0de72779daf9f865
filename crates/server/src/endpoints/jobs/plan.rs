//! Planning a job: what registering it would do (scheduler sheet §17.3, plan sheet §1).

use super::super::{Answered, Call};
use crate::admission::{self, Admitted};
use crate::clock;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_scheduler::Settings;
use caravan_state::JobKey;
use std::sync::Arc;

pub(in super::super) async fn plan(call: &Call) -> Answered {
    let body: JobPlanRequest = call.request.json_from("api")?;
    let api_job = super::register::job_of_request(call, body.job, &body.namespace)?;
    if api_job.id.as_ref().is_none_or(|id| id.is_empty()) {
        return Err(ApiError::bad_request("Job must have a valid ID"));
    }
    if api_job
        .id
        .as_ref()
        .is_some_and(|id| *id != call.request.param("id"))
    {
        return Err(ApiError::bad_request("Job ID does not match"));
    }
    super::register::check_region(call, &api_job)?;
    let Admitted { mut job, warnings } =
        admission::admit(&call.state, &call.shared.config, api_job)?;
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let existing = call.state.job(&key).cloned();
    let now = clock::now();
    job.submit_time = now;
    let settings = Settings {
        now,
        seed: clock::seed(),
        ..Settings::default()
    };
    let (state, planned) = (Arc::clone(&call.state), Arc::new(job.clone()));
    let wants_rollout = body.rollout;
    let decide = move || {
        let rollout =
            wants_rollout.then(|| caravan_scheduler::rollout(&state, &planned, &settings));
        let began = std::time::Instant::now();
        let run = caravan_scheduler::dry_run(&state, planned, &settings);
        (run, caravan_model::Duration::from(began.elapsed()), rollout)
    };
    let (mut run, took, mut rollout) = tokio::task::spawn_blocking(decide)
        .await
        .map_err(|error| ApiError::internal(format!("the scheduler failed: {error}")))?;
    crate::timing::note_groups(&mut run.failed_groups, took);
    for eval in &mut run.created_evals {
        // The state that was planned on is nobody's, and a new job has no index yet.
        eval.snapshot_index = 0;
        if existing.is_none() {
            eval.job_modify_index = 0;
        }
        crate::timing::note_groups(&mut eval.failed_tg_allocs, took);
    }
    let diff = body.diff.then(|| {
        let mut diff = caravan_diff::job_diff(existing.as_deref(), Some(&job), true);
        caravan_diff::annotate(&mut diff, run.annotations.as_ref());
        diff
    });
    let next_launch = if job.is_periodic_active() {
        next_launch(&job, now)
    } else {
        Timestamp::ZERO
    };
    let refused = existing
        .as_ref()
        .and_then(|existing| admission::check_transition(Some(existing), &job).err());
    if let (Some(rollout), Some(refused)) = (&mut rollout, refused) {
        rollout.refused = refused.message;
    }
    let answer = JobPlanResponse {
        annotations: run.annotations,
        failed_tg_allocs: run.failed_groups,
        job_modify_index: existing.as_ref().map_or(0, |job| job.job_modify_index),
        created_evals: run.created_evals,
        diff,
        next_periodic_launch: next_launch,
        warnings: admission::warning_text(warnings),
        rollout,
        index: existing.as_ref().map_or(0, |_| call.state.index()),
    };
    let index = answer.index;
    Answer::json(&answer, Meta::write(index))
}

/// When a periodic job is launched next; never when no expression of it comes true again.
fn next_launch(job: &Job, now: UnixNanos) -> Timestamp {
    let periodic = job.periodic.as_ref();
    let next = periodic.and_then(|periodic| periodic.next_after(now));
    next.map_or(Timestamp::ZERO, Timestamp::from)
}
