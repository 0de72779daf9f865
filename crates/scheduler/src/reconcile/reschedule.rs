//! Which failed allocations are replaced, when, and how often (scheduler sheet §§12.6, 14).

use super::AllocSet;
use super::classify::{group_of, replaced_on_disconnect};
use super::group::rolls;
use caravan_model::*;
use std::sync::Arc;

/// Failures due within this are replaced at once.
const NOW_WINDOW: Duration = Duration::from_secs(1);
/// How many past attempts are kept when there is no limit.
const KEPT_EVENTS: usize = 5;

/// Allocations by when they are to be replaced.
#[derive(Debug, Default)]
pub(crate) struct Rescheduled {
    pub(crate) untainted: AllocSet,
    pub(crate) now: AllocSet,
    pub(crate) later: Vec<(Arc<Allocation>, UnixNanos)>,
}

/// What the filter depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) batch: bool,
    /// Of nodes that fell silent.
    pub(crate) disconnecting: bool,
    pub(crate) now: UnixNanos,
    pub(crate) eval: EvalId,
    /// The active deployment.
    pub(crate) deployment: Option<&'a Deployment>,
}

enum First {
    Untainted,
    Candidate,
    Ignored,
}

pub(crate) fn filter(allocs: &AllocSet, context: Context<'_>) -> Rescheduled {
    let mut out = Rescheduled::default();
    for (id, alloc) in allocs {
        if context.disconnecting && alloc.client_status == ClientStatus::Unknown {
            continue;
        }
        if !alloc.next_allocation.is_nil() && alloc.terminal_status() {
            continue;
        }
        let first = if context.batch {
            of_batch(alloc)
        } else {
            of_service(alloc)
        };
        match first {
            First::Ignored if context.disconnecting => {}
            First::Ignored => continue,
            First::Untainted if !context.disconnecting => {
                out.untainted.insert(*id, alloc.clone());
                continue;
            }
            First::Untainted | First::Candidate => {}
        }
        match due(alloc, context) {
            Due::Now => {
                out.now.insert(*id, alloc.clone());
            }
            Due::Later(time) => {
                out.untainted.insert(*id, alloc.clone());
                out.later.push((alloc.clone(), time));
            }
            Due::Never => {
                out.untainted.insert(*id, alloc.clone());
            }
        }
    }
    out
}

fn of_batch(alloc: &Allocation) -> First {
    let transition = &alloc.desired_transition;
    if transition.should_disable_migration_placement() {
        return First::Untainted;
    }
    if transition.should_reschedule() {
        return First::Candidate;
    }
    match alloc.desired_status {
        DesiredStatus::Stop if alloc.ran_successfully() => First::Untainted,
        DesiredStatus::Stop if alloc.last_reschedule_failed() => First::Candidate,
        DesiredStatus::Stop | DesiredStatus::Evict => First::Ignored,
        DesiredStatus::Run if alloc.client_status == ClientStatus::Failed => First::Candidate,
        DesiredStatus::Run => First::Untainted,
    }
}

fn of_service(alloc: &Allocation) -> First {
    match (alloc.desired_status, alloc.client_status) {
        (DesiredStatus::Stop | DesiredStatus::Evict, _) => {
            if alloc.last_reschedule_failed() {
                First::Candidate
            } else {
                First::Ignored
            }
        }
        (_, ClientStatus::Complete | ClientStatus::Lost) => First::Ignored,
        _ => First::Candidate,
    }
}

enum Due {
    Now,
    Later(UnixNanos),
    Never,
}

fn due(alloc: &Allocation, context: Context<'_>) -> Due {
    let transition = &alloc.desired_transition;
    let deploying = context
        .deployment
        .is_some_and(|deployment| deployment.is_active() && rolls(deployment, alloc));
    if deploying && !transition.should_reschedule() {
        return Due::Never;
    }
    if transition.should_force_reschedule() && alloc.client_terminal() {
        return Due::Now;
    }
    if context.disconnecting && !replaced_on_disconnect(alloc) {
        return Due::Never;
    }
    let mine = alloc.followup_eval_id == context.eval && !context.eval.is_nil();
    let next = if context.disconnecting {
        next_time(alloc, context.now)
    } else if alloc.client_status == ClientStatus::Unknown && mine {
        next_time(
            alloc,
            alloc.last_unknown().map_or(context.now, UnixNanos::from),
        )
    } else {
        next_attempt(alloc)
    };
    match next {
        Some(time) if mine || time.since(context.now).0 <= NOW_WINDOW.0 => Due::Now,
        Some(time) if alloc.followup_eval_id.is_nil() => Due::Later(time),
        _ => Due::Never,
    }
}

/// When a failed allocation is replaced, if it may be.
pub(crate) fn next_attempt(alloc: &Allocation) -> Option<UnixNanos> {
    let stopped = alloc.desired_status == DesiredStatus::Stop && !alloc.last_reschedule_failed();
    let batch = alloc
        .job
        .as_ref()
        .is_some_and(|job| job.r#type == job_type::BATCH);
    let ended = matches!(
        alloc.client_status,
        ClientStatus::Failed | ClientStatus::Lost
    ) || (batch && alloc.desired_transition.should_reschedule());
    let failed_at = alloc.last_event_time();
    if stopped || !ended || failed_at.is_zero() {
        return None;
    }
    next_time(alloc, failed_at)
}

/// When an allocation that failed at `failed_at` is replaced, if its policy allows.
fn next_time(alloc: &Allocation, failed_at: UnixNanos) -> Option<UnixNanos> {
    let policy = group_of(alloc)?.reschedule_policy.as_ref()?;
    let tracker = alloc.reschedule_tracker.as_deref();
    let allowed = policy.allows(tracker, failed_at);
    allowed.then(|| failed_at + policy.next_delay(tracker, failed_at))
}

/// The attempts of the replacement of `previous`, made at `now`.
pub(crate) fn tracker_of_replacement(previous: &Allocation, now: UnixNanos) -> RescheduleTracker {
    let policy = group_of(previous).and_then(|group| group.reschedule_policy.clone());
    let policy = policy.unwrap_or_default();
    let failed_at = previous.last_event_time();
    let tracker = previous.reschedule_tracker.as_deref();
    let mut kept = tracker.map_or_else(Vec::new, |tracker| tracker.events.clone());
    if policy.attempts > 0 {
        kept.retain(|event| now.since(event.reschedule_time).0 <= policy.interval.0);
    } else {
        let surplus = kept.len().saturating_sub(KEPT_EVENTS);
        kept.drain(..surplus);
    }
    kept.push(RescheduleEvent {
        reschedule_time: now,
        prev_alloc_id: previous.id,
        prev_node_id: previous.node_id,
        delay: policy.next_delay(tracker, failed_at),
    });
    RescheduleTracker {
        events: kept,
        last_reschedule: String::new(),
    }
}
