//! The data of the allocation before: moved when both are on this node, fetched from its node through the servers when it
//! may migrate. What cannot be had is said, and the allocation starts without it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caravan_host::tree::{self, Unpack};
use caravan_model::{AllocId, Allocation, TaskEvent, TaskGroup, task_event};
use futures::{StreamExt, TryStreamExt};

use crate::alloc::dir::{self, AllocDir};
use crate::clock;
use crate::link::{DataOf, LinkError};
use crate::piped;
use crate::shared::Shared;

/// Where what is fetched is put together, below the allocation's directory.
const INCOMING: &str = ".incoming";
/// How often the other node is asked.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is told how far a large one is.
const SAY: Duration = Duration::from_secs(10);
/// More entries than this are somebody's trap.
const MOST_ENTRIES: u64 = 10_000_000;

/// What is taken over of an allocation, below its directory.
pub(crate) fn paths(alloc: &Allocation) -> Vec<PathBuf> {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    group.map(paths_of).unwrap_or_default()
}

fn paths_of(group: &TaskGroup) -> Vec<PathBuf> {
    let tasks = group
        .tasks
        .iter()
        .map(|task| Path::new(&task.name).join("local"));
    std::iter::once(PathBuf::from("alloc/data"))
        .chain(tasks)
        .collect()
}

/// Why there is no data.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Tree(#[from] tree::TreeError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Brings the data of the allocation before into the directory of this one, before any of its tasks is prepared.
///
/// # Errors
/// What is on this node and cannot be moved.
pub(crate) async fn take_over(
    shared: &Arc<Shared>,
    alloc: &Allocation,
    group: &TaskGroup,
    to: &AllocDir,
) -> io::Result<()> {
    let disk = &group.ephemeral_disk;
    let previous = alloc.previous_allocation;
    if !(disk.sticky || disk.migrate) || previous.is_nil() {
        return Ok(());
    }
    // Tasks come after it: where an earlier agent prepared one, what is there is the tasks' own.
    if group.tasks.iter().any(|task| to.has_task(&task.name)) {
        return Ok(());
    }
    let paths = paths_of(group);
    if let Some(runner) = shared.runner(previous) {
        let (from, to) = (runner.dir.root.clone(), to.root.clone());
        on_thread(move || move_all(&from, &to, &paths)).await?;
        runner.data_taken.store(true, Ordering::Relaxed);
        return Ok(());
    }
    if !disk.migrate {
        return Ok(());
    }
    if let Err(error) = fetch(shared, alloc, to, paths).await {
        let text = format!(
            "the data of allocation {previous} cannot be fetched, and is not there: {error}"
        );
        tracing::warn!(alloc = %alloc.id, "{text}");
        if let Some(runner) = shared.runner(alloc.id) {
            for task in &group.tasks {
                let event = TaskEvent::new(task_event::HOOK_MESSAGE, clock::now());
                runner.note(&task.name, event.message(text.clone()));
            }
        }
    }
    Ok(())
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

fn move_all(from: &Path, to: &Path, paths: &[PathBuf]) -> io::Result<()> {
    for path in paths {
        let target = to.join(path);
        if let Some(parent) = target.parent() {
            dir::make(parent, 0o777)?;
        }
        move_over(&from.join(path), &target)?;
    }
    Ok(())
}

/// Takes the place of what is there.
fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    // A link that a task put in the way is not followed. Where nothing is, an agent that was killed moved it already.
    if !from.symlink_metadata().is_ok_and(|found| found.is_dir()) || is_empty(from) {
        return Ok(());
    }
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::rename(from, to)?;
    // The old allocation stays browsable.
    dir::make(from, 0o777)
}

async fn fetch(
    shared: &Arc<Shared>,
    alloc: &Allocation,
    to: &AllocDir,
    paths: Vec<PathBuf>,
) -> Result<(), Missing> {
    let mut tries = 0;
    loop {
        tries += 1;
        match fetch_once(shared, alloc, to, paths.clone()).await {
            Err(Missing::Link(error)) if error.is_temporary() && tries < TRIES => {
                tracing::info!(alloc = %alloc.id, %error, "the data of the allocation before is asked for again");
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

async fn fetch_once(
    shared: &Arc<Shared>,
    alloc: &Allocation,
    to: &AllocDir,
    paths: Vec<PathBuf>,
) -> Result<(), Missing> {
    let request = DataOf {
        caller: shared.caller(),
        alloc: alloc.id,
    };
    let fetched = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fetched);
    let stream = shared.link.data(request).await?;
    let stream = stream.inspect_ok(move |piece| {
        count.fetch_add(piece.len() as u64, Ordering::Relaxed);
    });
    let incoming = to.root.join(INCOMING);
    let (from, moving) = piped::reader(stream.boxed());
    let root = to.root.clone();
    let id = alloc.id;
    let unpacked = tokio::task::spawn_blocking(move || {
        let made = unpack_into(from, &incoming, &paths);
        let moved = made.and_then(|bytes| {
            move_all(&incoming, &root, &paths)?;
            Ok(bytes)
        });
        let _ = std::fs::remove_dir_all(&incoming);
        moved
    });
    tokio::select! {
        () = moving => {}
        () = say(alloc.id, &fetched) => {}
    }
    let bytes = unpacked.await.map_err(io::Error::other)??;
    tracing::info!(alloc = %id, previous = %alloc.previous_allocation, bytes, "the data of the allocation before was fetched");
    Ok(())
}

/// Tells how far it is, for as long as it takes.
async fn say(alloc: AllocId, fetched: &AtomicU64) {
    loop {
        tokio::time::sleep(SAY).await;
        let bytes = fetched.load(Ordering::Relaxed);
        tracing::info!(%alloc, bytes, "the data of the allocation before is being fetched");
    }
}

fn unpack_into(from: impl io::Read, incoming: &Path, paths: &[PathBuf]) -> Result<u64, Missing> {
    if incoming.exists() {
        std::fs::remove_dir_all(incoming)?;
    }
    dir::make(incoming, 0o700)?;
    let how = Unpack {
        wanted: &|path| paths.iter().any(|wanted| path.starts_with(wanted)),
        layer: false,
        max_bytes: u64::MAX,
        max_entries: MOST_ENTRIES,
    };
    Ok(tree::unpack(from, incoming, &how)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_the_data_comes() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for path in ["alloc/data", "alloc/logs", "t/local", "t/secrets"] {
            std::fs::create_dir_all(from.path().join(path)).unwrap();
            std::fs::write(from.path().join(path).join("x"), path).unwrap();
        }
        let sent = ["alloc/data", "alloc/logs", "t/local", "t/secrets"].map(Path::new);
        let mut archive = Vec::new();
        tree::pack(from.path(), &sent, &mut archive).unwrap();
        let incoming = to.path().join(INCOMING);
        let paths = ["alloc/data", "t/local", "u/local"].map(PathBuf::from);
        unpack_into(archive.as_slice(), &incoming, &paths).unwrap();
        std::fs::create_dir_all(to.path().join("alloc/data/old")).unwrap();
        move_all(&incoming, to.path(), &paths).unwrap();
        let read = |path: &str| std::fs::read_to_string(to.path().join(path)).ok();
        assert_eq!(read("alloc/data/x").as_deref(), Some("alloc/data"));
        assert_eq!(read("t/local/x").as_deref(), Some("t/local"));
        assert!(!incoming.join("t/secrets").exists() && !incoming.join("alloc/logs").exists());
        assert!(!to.path().join("alloc/data/old").exists());
    }

    #[test]
    fn what_was_moved_stays_when_an_agent_that_was_killed_moves_again() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let paths = ["alloc/data", "t/local"].map(PathBuf::from);
        for path in &paths {
            std::fs::create_dir_all(from.path().join(path)).unwrap();
            std::fs::write(from.path().join(path).join("x"), "x").unwrap();
        }
        // Killed after the first of them.
        move_all(from.path(), to.path(), &paths[..1]).unwrap();
        move_all(from.path(), to.path(), &paths).unwrap();
        for path in &paths {
            assert!(to.path().join(path).join("x").exists(), "{path:?}");
            assert!(is_empty(&from.path().join(path)), "{path:?}");
        }
    }
}
