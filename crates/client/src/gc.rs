//! Removes allocations that ended: when the servers forgot them, when there are too many, when the disk is full,
//! and on request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use caravan_model::{AllocId, Timestamp};

use crate::clock;
use crate::fingerprint::storage;
use crate::handle::Runner;
use crate::shared::Shared;

/// The servers forgot it: ends it and removes every trace of it.
pub(crate) async fn destroy(shared: &Arc<Shared>, id: AllocId) {
    let Some(runner) = shared.runner(id) else {
        return;
    };
    runner.stop_and_wait(false).await;
    remove(shared, &runner).await;
    shared.updates.drop(id);
}

/// Removes an allocation that ended; says whether it was one.
pub(crate) async fn collect(shared: &Arc<Shared>, id: AllocId) -> bool {
    let Some(runner) = shared.runner(id).filter(|runner| is_over(shared, runner)) else {
        return false;
    };
    remove(shared, &runner).await;
    true
}

/// Whether an allocation ended and the servers know: those that do not would have it run here again.
fn is_over(shared: &Shared, runner: &Runner) -> bool {
    runner.view().done && shared.updates.told(runner.id)
}

async fn remove(shared: &Arc<Shared>, runner: &Arc<Runner>) {
    shared.remove_runner(runner.id);
    runner.detach().await;
    shared.tear_downs.done(runner.id).await;
    let dir = runner.dir.clone();
    let removed = tokio::task::spawn_blocking(move || dir.destroy()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(alloc = %runner.id, %error, "the directory of an allocation cannot be removed");
    }
    shared.store.forget(runner.id);
}

/// How long the data of an allocation is kept for the one that takes its place, in nanoseconds: that may never come.
const AWAITED: i64 = 10 * 60 * 1_000_000_000;

/// Whether another allocation is to have its data, and has not got it yet.
fn is_awaited(runner: &Runner) -> bool {
    let alloc = &runner.view().alloc;
    let job = alloc.job.as_ref();
    let group = job.and_then(|job| job.lookup_task_group(&alloc.task_group));
    let moves = group.is_some_and(|group| {
        let disk = &group.ephemeral_disk;
        disk.sticky || disk.migrate
    });
    moves
        && !alloc.next_allocation.is_nil()
        && !runner.data_taken.load(Ordering::Relaxed)
        && ended(runner).is_some_and(|ended| clock::now().0.saturating_sub(ended.0) < AWAITED)
}

/// Removes everything that ended.
pub(crate) async fn collect_all(shared: &Arc<Shared>) {
    collect_some(shared, usize::MAX, |_| true).await;
}

/// Looks now and then, and whenever an allocation ended.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(shared.config.gc.interval) => {}
            () = shared.ended.notified() => {}
            () = shared.shutdown.cancelled() => return,
        }
        let surplus = shared
            .runner_count()
            .saturating_sub(shared.config.gc.max_allocs);
        if surplus > 0 {
            collect_some(&shared, surplus, |runner| !is_awaited(runner)).await;
        }
        while let Some(why) = disk_full(&shared) {
            tracing::info!(why, "garbage collecting the oldest allocation");
            if collect_some(&shared, 1, |runner| !is_awaited(runner)).await == 0 {
                break;
            }
        }
    }
}

/// When the last task ended.
fn ended(runner: &Runner) -> Option<Timestamp> {
    let view = runner.view();
    view.states.values().map(|state| state.finished_at).max()
}

/// Removes up to so many that ended and that `may` be removed, the oldest first; says how many it were.
async fn collect_some(shared: &Arc<Shared>, most: usize, may: fn(&Runner) -> bool) -> usize {
    let mut ended: Vec<_> = shared
        .runners()
        .into_iter()
        .filter(|runner| is_over(shared, runner) && may(runner))
        .map(|runner| (ended(&runner), runner.id))
        .collect();
    ended.sort_unstable();
    ended.truncate(most);
    let width = shared.config.gc.parallel_destroys.max(1);
    for together in ended.chunks(width) {
        futures::future::join_all(together.iter().map(|(_, id)| collect(shared, *id))).await;
    }
    ended.len()
}

fn disk_full(shared: &Shared) -> Option<String> {
    let settings = &shared.config.gc;
    let usage = storage::usage(&shared.config.alloc_dir)?;
    let percent = usage.used_percent();
    if percent > settings.disk_usage_threshold {
        return Some(format!(
            "disk usage of {percent:.0} is over gc threshold of {:.0}",
            settings.disk_usage_threshold
        ));
    }
    let inodes = usage.inodes_used_percent;
    (inodes > settings.inode_usage_threshold).then(|| {
        format!(
            "inode usage of {inodes:.0} is over gc threshold of {:.0}",
            settings.inode_usage_threshold
        )
    })
}
