//! Turns what was accepted of a plan into one command: stops as differences, the job once (scheduler sheet §6.3).

use crate::evals;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{AllocStop, JobKey, PlanApply, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The command that commits `result`.
#[must_use]
pub fn to_command(
    plan: &Plan,
    result: &PlanResult,
    state: &State,
    seed: u64,
    now: UnixNanos,
) -> PlanApply {
    let stopped = result
        .node_update
        .values()
        .flatten()
        .map(|alloc| stop(state, alloc));
    let evicted = result
        .node_preemptions
        .values()
        .flatten()
        .map(|alloc| stop(state, alloc));
    PlanApply {
        eval: plan.eval_id,
        job: plan.job.clone(),
        stops: stopped.chain(evicted).collect(),
        allocs: result
            .node_allocation
            .values()
            .flatten()
            .map(|alloc| Allocation::clone(alloc))
            .collect(),
        deployment: result.deployment.clone().map(Box::new),
        deployment_updates: result.deployment_updates.clone(),
        preemption_evals: preemption_evals(plan, result, state, seed, now),
        ineligible_nodes: Vec::new(),
        now,
    }
}

fn stop(state: &State, alloc: &Allocation) -> AllocStop {
    let known = state.alloc(&alloc.id);
    // Only what the servers conclude about the client's side; all else the client has said since.
    let concluded = matches!(
        alloc.client_status,
        ClientStatus::Lost | ClientStatus::Unknown | ClientStatus::Failed
    );
    let changed = known.is_some_and(|known| known.client_status != alloc.client_status);
    let tracked = known.is_some_and(|known| known.reschedule_tracker != alloc.reschedule_tracker);
    AllocStop {
        id: alloc.id,
        desired_status: alloc.desired_status,
        desired_description: alloc.desired_description.clone(),
        client_status: Some(alloc.client_status).filter(|_| concluded && changed),
        follow_up_eval: alloc.followup_eval_id,
        preempted_by: alloc.preempted_by_allocation,
        reschedule_tracker: alloc.reschedule_tracker.clone().filter(|_| tracked),
    }
}

/// One evaluation for each job that lost allocations to this plan.
fn preemption_evals(
    plan: &Plan,
    result: &PlanResult,
    state: &State,
    seed: u64,
    now: UnixNanos,
) -> Vec<Evaluation> {
    let mut rng = Rng::new(seed, plan.eval_id.0);
    let evicted = result.node_preemptions.values().flatten();
    let jobs: BTreeMap<JobKey, Arc<Job>> = evicted
        .filter_map(|alloc| {
            let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
            let job = state.job(&key).cloned()?;
            Some((key, job))
        })
        .collect();
    let eval = |(key, job): (JobKey, Arc<Job>)| {
        let of = Evaluation {
            namespace: key.namespace,
            job_id: key.id,
            priority: job.priority,
            r#type: job.r#type.clone(),
            job_modify_index: job.job_modify_index,
            ..Evaluation::default()
        };
        Evaluation {
            status: EvalStatus::Pending,
            triggered_by: trigger::PREEMPTION.to_owned(),
            ..evals::following(&of, EvalId(rng.uuid()), now)
        }
    };
    jobs.into_iter().map(eval).collect()
}
