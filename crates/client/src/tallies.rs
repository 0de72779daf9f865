//! What this node counts and times as it happens, for monitoring (server sheet §21).

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use caravan_model::Allocation;
use caravan_telemetry as telemetry;

/// What an allocation waits for before its tasks can begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Awaits {
    #[default]
    Nothing = 0,
    /// Another allocation to end.
    Another = 1,
    /// Another allocation's data.
    Data = 2,
}

/// An [`Awaits`] that is seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Waiting(AtomicU8);

impl Waiting {
    pub(crate) fn set(&self, awaits: Awaits) {
        self.0.store(awaits as u8, Ordering::Relaxed);
    }

    pub(crate) fn is(&self, awaits: Awaits) -> bool {
        self.0.load(Ordering::Relaxed) == awaits as u8
    }
}

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Runs,
    BeginsAgain,
    Completed,
    Failed,
}

/// Counts what happened to a task.
pub(crate) fn task(alloc: &Allocation, task: &str, happened: Happened) {
    let name = match happened {
        Happened::Runs => "nomad.client.allocs.running",
        Happened::BeginsAgain => "nomad.client.allocs.restart",
        Happened::Completed => "nomad.client.allocs.complete",
        Happened::Failed => "nomad.client.allocs.failed",
    };
    let id = alloc.id.to_string();
    let labels = [
        ("alloc_id", id.as_str()),
        ("job", alloc.job_id.as_str()),
        ("namespace", alloc.namespace.as_str()),
        ("task", task),
        ("task_group", alloc.task_group.as_str()),
    ];
    telemetry::count_of(name, &labels);
}

/// Counts and times the preparation of an allocation.
pub(crate) fn prepared_alloc(began: Instant, well: bool) {
    telemetry::took("nomad.client.alloc_hook.prerun.elapsed", began);
    telemetry::count(match well {
        true => "nomad.client.alloc_hook.prerun.success",
        false => "nomad.client.alloc_hook.prerun.failed",
    });
}

/// Counts and times the preparation of a task.
pub(crate) fn prepared_task(began: Instant, well: bool) {
    telemetry::took("nomad.client.task_hook.prestart.elapsed", began);
    telemetry::count(match well {
        true => "nomad.client.task_hook.prestart.success",
        false => "nomad.client.task_hook.prestart.failed",
    });
}
