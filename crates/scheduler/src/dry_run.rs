//! What registering a job would do, with nothing done (scheduler sheet §17.3).

use crate::rng::Rng;
use crate::run::{EvalRun, Step};
use crate::settings::Settings;
use caravan_model::*;
use caravan_state::{Command, JobKey, State};
use std::sync::Arc;

/// What registering a job would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DryRun {
    /// What happens to how many allocations of each group, and which are preempted.
    pub annotations: Option<PlanAnnotations>,
    /// What was seen where placing failed, by group.
    pub failed_groups: SmallMap<String, AllocMetric>,
    /// The evaluations that would be created.
    pub created_evals: Vec<Evaluation>,
    /// The job as the attempt saw it: with version and indexes.
    pub job: Option<Arc<Job>>,
}

/// Decides as if `job` were registered in a copy of the state; a job whose specification is already current is
/// not registered again, so that what runs is left alone.
#[must_use]
pub fn dry_run(state: &State, job: Arc<Job>, settings: &Settings) -> DryRun {
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let mut snapshot = state.clone();
    let unchanged = state.job(&key).is_some_and(|old| old.same_spec(&job));
    if !unchanged {
        let policy_ids = job
            .task_groups
            .iter()
            .map(|group| group.name.clone())
            .collect();
        let index = snapshot.index().max(99) + 1;
        // A job that the state refuses is left out: the attempt then sees no job.
        let _refused = snapshot.apply(
            index,
            Command::RegisterJob {
                job,
                submission: None,
                eval: None,
                policy_ids,
                now: settings.now,
            },
        );
    }
    let Some(job) = snapshot.job(&key).cloned() else {
        return DryRun::default();
    };
    let eval = Evaluation {
        id: EvalId(Rng::new(settings.seed, uuid::Uuid::nil()).uuid()),
        namespace: job.namespace.clone(),
        priority: job.priority,
        r#type: job.r#type.clone(),
        triggered_by: trigger::JOB_REGISTER.to_owned(),
        job_id: job.id.clone(),
        job_modify_index: job.job_modify_index,
        status: EvalStatus::Pending,
        annotate_plan: true,
        create_time: settings.now,
        ..Evaluation::default()
    };
    let mut run = EvalRun::new(Arc::new(eval));
    let mut dry = DryRun {
        job: Some(job),
        ..DryRun::default()
    };
    if let Step::Submit { plan, create } = run.step(&snapshot, settings) {
        dry.annotations.clone_from(&plan.annotations);
        dry.created_evals = create;
        run.submitted(&PlanResult {
            node_update: plan.node_update,
            node_allocation: plan.node_allocation,
            node_preemptions: plan.node_preemptions,
            ..PlanResult::default()
        });
    }
    if let Step::Done(mut done) = run.step(&snapshot, settings)
        && !done.evals.is_empty()
    {
        dry.failed_groups = std::mem::take(&mut done.evals[0].failed_tg_allocs);
        dry.created_evals.extend(done.evals.into_iter().skip(1));
    }
    dry
}
