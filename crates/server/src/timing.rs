//! How long the scheduler took, noted with what it decided: it has no clock itself.

use caravan_model::*;
use caravan_scheduler::{EvalUpdates, Step};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Notes the time with the allocations that a plan places and with the groups that found no room.
pub(crate) fn note(step: &mut Step, took: std::time::Duration) {
    let took = Duration::from(took);
    match step {
        Step::Submit { plan, create } => {
            for alloc in plan.node_allocation.values_mut().flatten().filter(|alloc| alloc.create_index == 0) {
                if let Some(metrics) = &mut Arc::make_mut(alloc).metrics {
                    note_metric(Arc::make_mut(metrics), took);
                }
            }
            create.iter_mut().for_each(|eval| note_eval(eval, took));
        }
        Step::Done(EvalUpdates { evals, reblock }) => {
            evals.iter_mut().chain(reblock).for_each(|eval| note_eval(eval, took));
        }
    }
}

fn note_eval(eval: &mut Evaluation, took: Duration) {
    note_groups(&mut eval.failed_tg_allocs, took);
}

/// Notes the time with groups that found no room.
pub(crate) fn note_groups(groups: &mut BTreeMap<String, AllocMetric>, took: Duration) {
    groups.values_mut().for_each(|metric| note_metric(metric, took));
}

/// What was noted when a group first found no room stays.
fn note_metric(metric: &mut AllocMetric, took: Duration) {
    if metric.allocation_time.is_zero() {
        metric.allocation_time = took;
    }
}
