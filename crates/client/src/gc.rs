//! Removes allocations that ended: when the servers forgot them, when there are too many, when the disk is full,
//! and on request.

use std::sync::Arc;

use caravan_model::AllocId;

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
    let dir = runner.dir.clone();
    let removed = tokio::task::spawn_blocking(move || dir.destroy()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(alloc = %runner.id, %error, "the directory of an allocation cannot be removed");
    }
    shared.store.forget(runner.id);
}

/// Removes everything that ended.
pub(crate) async fn collect_all(shared: &Arc<Shared>) {
    collect_some(shared, usize::MAX).await;
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
            collect_some(&shared, surplus).await;
        }
        while let Some(why) = disk_full(&shared) {
            tracing::info!(why, "garbage collecting the oldest allocation");
            if collect_some(&shared, 1).await == 0 {
                break;
            }
        }
    }
}

/// Removes up to so many that ended, the oldest first; says how many it were.
async fn collect_some(shared: &Arc<Shared>, most: usize) -> usize {
    let mut ended: Vec<_> = shared
        .runners()
        .into_iter()
        .filter(|runner| is_over(shared, runner))
        .map(|runner| {
            (
                runner
                    .view()
                    .states
                    .values()
                    .map(|state| state.finished_at)
                    .max(),
                runner.id,
            )
        })
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
