//! Commits what was accepted of a plan (scheduler sheet §6.3).

use crate::command::{AllocStop, PlanApply};
use crate::error::ApplyError;
use crate::key::JobKey;
use crate::siblings::Siblings;
use crate::txn::Txn;
use caravan_model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The event of a node that rejected too many plans.
const REJECTED_TOO_OFTEN: &str = "Node marked as ineligible for scheduling due to multiple plan rejections, refer to the agents' logs for more information";

pub(super) fn apply(txn: &mut Txn<'_>, plan: PlanApply) -> Result<(), ApplyError> {
    // exhaustive
    let PlanApply {
        eval,
        job,
        stops,
        allocs,
        deployment,
        deployment_updates,
        preemption_evals,
        ineligible_nodes,
        now,
    } = plan;
    if let Some(deployment) = deployment {
        super::deployments::put(txn, *deployment, now);
    }
    for update in &deployment_updates {
        super::deployments::conclude(txn, update, now)?;
    }
    for stop in stops {
        stop_one(txn, stop, now);
    }
    let (mut jobs, mut siblings) = (JobRows::new(job), Siblings::default());
    for alloc in allocs {
        place(txn, &mut jobs, &mut siblings, alloc, now);
    }
    super::evals::upsert_all(txn, preemption_evals, now)?;
    for node in ineligible_nodes {
        let event = NodeEvent {
            message: REJECTED_TOO_OFTEN.to_owned(),
            subsystem: subsystem::SCHEDULER.to_owned(),
            timestamp: Timestamp(now.seconds() * 1_000_000_000),
            ..NodeEvent::default()
        };
        super::nodes::mark_ineligible(txn, node, event);
    }
    super::evals::bump(txn, eval, now);
    Ok(())
}

fn stop_one(txn: &mut Txn<'_>, stop: AllocStop, now: UnixNanos) {
    // exhaustive
    let AllocStop {
        id,
        desired_status,
        desired_description,
        client_status,
        follow_up_eval,
        preempted_by,
        reschedule_tracker,
    } = stop;
    let Some(old) = txn.state.allocs.get(&id).cloned() else {
        return;
    };
    let mut alloc = Allocation::clone(&old);
    alloc.desired_status = desired_status;
    alloc.desired_description = desired_description;
    let told = client_status.filter(|status| !has_ended(&old, *status));
    if let Some(status) = told {
        alloc.client_status = status;
        alloc.push_client_state(status, now.into());
    }
    if !follow_up_eval.is_nil() {
        alloc.followup_eval_id = follow_up_eval;
    }
    if !preempted_by.is_nil() {
        alloc.preempted_by_allocation = preempted_by;
    }
    if reschedule_tracker.is_some() {
        alloc.reschedule_tracker = reschedule_tracker;
    }
    alloc.modify_time = now;
    alloc.alloc_modify_index = txn.index;
    super::allocs::put(txn, alloc);
}

/// Whether a client had told of the end of an allocation when the plan still took it for lost or silent.
fn has_ended(known: &Allocation, thought: ClientStatus) -> bool {
    is_silent(thought) && known.client_terminal()
}

/// Whether the servers say so of an allocation that they do not hear of.
fn is_silent(status: ClientStatus) -> bool {
    matches!(status, ClientStatus::Lost | ClientStatus::Unknown)
}

/// The rows that allocations of one plan share as their job, one for each version.
struct JobRows {
    plan_job: Option<Arc<Job>>,
    shared: BTreeMap<(JobKey, u64, u64), Arc<Job>>,
}

impl JobRows {
    fn new(plan_job: Option<Arc<Job>>) -> Self {
        Self {
            plan_job,
            shared: BTreeMap::new(),
        }
    }

    /// The row for an allocation: its own job, or the plan's; the state's own row where that is the same version.
    fn row_for(&mut self, txn: &Txn<'_>, own: Option<Arc<Job>>) -> Option<Arc<Job>> {
        let job = own.or_else(|| self.plan_job.clone())?;
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        let shared = self
            .shared
            .entry((key.clone(), job.create_index, job.version))
            .or_insert_with(|| {
                let stored = txn.state.job_versions.get(&(key, job.version));
                stored
                    .filter(|stored| stored.create_index == job.create_index)
                    .cloned()
                    .unwrap_or(job)
            });
        Some(Arc::clone(shared))
    }
}

fn place(
    txn: &mut Txn<'_>,
    jobs: &mut JobRows,
    siblings: &mut Siblings,
    mut alloc: Allocation,
    now: UnixNanos,
) {
    let known = txn.state.allocs.get(&alloc.id).cloned();
    let Some(job) = jobs.row_for(txn, alloc.job.take()) else {
        return;
    };
    let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
    let stopped = txn.state.jobs.get(&key).is_none_or(|job| job.stop);
    // What the plan knew is forgotten by now, such as with a job that was purged: it is not to come back.
    let forgotten = alloc.create_index > 0;
    if known.is_none() && (stopped || forgotten) {
        return;
    }
    alloc.job = Some(job);
    siblings.share(&mut alloc);
    match &known {
        Some(old) => {
            // The client owns its side; the plan speaks of it only when it says lost or unknown.
            let ended = has_ended(old, alloc.client_status);
            if ended {
                alloc.alloc_states.clone_from(&old.alloc_states);
            }
            if ended || !is_silent(alloc.client_status) {
                alloc.client_status = old.client_status;
                alloc.client_description = old.client_description.clone();
            }
            alloc.task_states.clone_from(&old.task_states);
            alloc.network_status.clone_from(&old.network_status);
            alloc.create_time = old.create_time;
            // What follows it may have been placed a moment ago, by this very plan.
            alloc.next_allocation = old.next_allocation;
        }
        None => {
            if alloc.create_time.is_zero() {
                alloc.create_time = now;
            }
            link_previous(txn, &alloc);
            super::volume_claims::claim(txn, &alloc);
        }
    }
    alloc.modify_time = now;
    alloc.alloc_modify_index = txn.index;
    super::allocs::put(txn, alloc);
}

fn link_previous(txn: &mut Txn<'_>, alloc: &Allocation) {
    let Some(previous) = txn.state.allocs.get(&alloc.previous_allocation).cloned() else {
        return;
    };
    let mut previous = Allocation::clone(&previous);
    previous.next_allocation = alloc.id;
    super::allocs::put(txn, previous);
}
