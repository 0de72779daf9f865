//! Starting, changing and calling off a drain.

use crate::Ids;
use crate::node_update::node_update_evals;
use caravan_model::*;
use caravan_state::{DrainUpdate, State};

/// What an operator's wish changes: a drain to begin or to change, or none to call a running one off. With it
/// the evaluations of the jobs that a node concerns which takes allocations again.
#[must_use]
pub fn drain_update(
    state: &State,
    node: &Node,
    spec: Option<&DrainSpec>,
    mark_eligible: bool,
    meta: StringMap,
    now: UnixNanos,
    ids: &mut Ids<'_>,
) -> (DrainUpdate, Vec<Evaluation>) {
    let update = match spec {
        Some(spec) => begin(node, spec, meta, now),
        None => call_off(node, mark_eligible, meta, now),
    };
    let takes_work_again =
        update.mark_eligible && node.scheduling_eligibility == Eligibility::Ineligible;
    let evals = if takes_work_again {
        node_update_evals(state, node, &mut || ids.eval(), now)
    } else {
        Vec::new()
    };
    (update, evals)
}

fn begin(node: &Node, spec: &DrainSpec, meta: StringMap, now: UnixNanos) -> DrainUpdate {
    let running = node.drain_strategy.as_ref();
    let started_at = running.map_or(now.into(), |running| running.started_at);
    let force_deadline = if spec.deadline.0 > 0 {
        Timestamp::from(now) + spec.deadline
    } else {
        Timestamp::ZERO
    };
    let message = if running.is_some() {
        node_event::DRAIN_UPDATED
    } else {
        node_event::DRAIN_SET
    };
    let known = node.last_drain.as_ref().filter(|_| running.is_some());
    DrainUpdate {
        strategy: Some(DrainStrategy {
            deadline: spec.deadline,
            ignore_system_jobs: spec.ignore_system_jobs,
            force_deadline,
            started_at,
        }),
        mark_eligible: false,
        metadata: Some(noted(known, started_at, DrainStatus::Draining, meta, now)),
        event: Some(drain_event(message, now)),
    }
}

fn call_off(node: &Node, mark_eligible: bool, meta: StringMap, now: UnixNanos) -> DrainUpdate {
    let metadata = node.drain_strategy.as_ref().map(|running| {
        noted(
            node.last_drain.as_ref(),
            running.started_at,
            DrainStatus::Canceled,
            meta,
            now,
        )
    });
    // Without a drain there is nothing to tell of; the node may become eligible all the same.
    let event = metadata
        .is_some()
        .then(|| drain_event(node_event::DRAIN_DISABLED, now));
    DrainUpdate {
        strategy: None,
        mark_eligible,
        metadata,
        event,
    }
}

/// What is remembered of a drain; what was noted before stays unless something new is noted.
pub(super) fn noted(
    known: Option<&DrainMetadata>,
    started_at: Timestamp,
    status: DrainStatus,
    meta: StringMap,
    now: UnixNanos,
) -> DrainMetadata {
    let known = known.cloned().unwrap_or_default();
    DrainMetadata {
        started_at,
        updated_at: now.into(),
        status,
        accessor_id: known.accessor_id,
        meta: if meta.is_empty() { known.meta } else { meta },
    }
}

pub(super) fn drain_event(message: &str, now: UnixNanos) -> NodeEvent {
    NodeEvent {
        message: message.to_owned(),
        subsystem: subsystem::DRAIN.to_owned(),
        timestamp: Timestamp(now.seconds() * 1_000_000_000),
        ..NodeEvent::default()
    }
}
