//! How long the scheduler took, noted with what it decided: it has no clock itself.

use caravan_model::*;
use caravan_scheduler::{EvalUpdates, Step};
use std::sync::Arc;

/// Notes the time with the allocations that a plan places and with the groups that found no room.
pub(crate) fn note(step: &mut Step, took: std::time::Duration) {
    let took = Duration::from(took);
    match step {
        Step::Submit { plan, create } => {
            note_placed(plan, took);
            create.iter_mut().for_each(|eval| note_eval(eval, took));
        }
        Step::Done(EvalUpdates { evals, reblock }) => {
            evals
                .iter_mut()
                .chain(reblock)
                .for_each(|eval| note_eval(eval, took));
        }
    }
}

/// Notes in new allocations what each took of the time of all.
fn note_placed(plan: &mut Plan, took: Duration) {
    let placed = plan
        .node_allocation
        .values()
        .map(Vec::len)
        .sum::<usize>()
        .max(1);
    let each = Duration(took.0 / i64::try_from(placed).unwrap_or(i64::MAX));
    let mut told: Option<(Arc<AllocMetric>, Arc<AllocMetric>)> = None;
    for alloc in plan
        .node_allocation
        .values_mut()
        .flatten()
        .filter(|alloc| alloc.create_index == 0)
    {
        let Some(metrics) = alloc.metrics.clone() else {
            continue;
        };
        // Allocations that share what is known of them go on sharing it.
        let new = match told.take() {
            Some((old, new)) if Arc::ptr_eq(&old, &metrics) => new,
            _ => Arc::new(AllocMetric {
                allocation_time: each,
                ..AllocMetric::clone(&metrics)
            }),
        };
        Arc::make_mut(alloc).metrics = Some(Arc::clone(&new));
        told = Some((metrics, new));
    }
}

fn note_eval(eval: &mut Evaluation, took: Duration) {
    note_groups(&mut eval.failed_tg_allocs, took);
}

/// Notes the time with groups that found no room.
pub(crate) fn note_groups(groups: &mut SmallMap<String, AllocMetric>, took: Duration) {
    groups
        .values_mut()
        .for_each(|metric| note_metric(metric, took));
}

/// What was noted when a group first found no room stays.
fn note_metric(metric: &mut AllocMetric, took: Duration) {
    if metric.allocation_time.is_zero() {
        metric.allocation_time = took;
    }
}
