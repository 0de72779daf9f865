//! The state database: what a node must know again after it was killed.
//!
//! One thread owns the file and commits everything that is waiting at once. What somebody waits for is committed
//! without delay, but for a short distance to the commit before; the rest is collected for a moment first, as a start
//! makes a handful of changes. An agent killed within that moment finds the missing again at the servers and in the
//! records of its tasks. In dev mode nothing is kept. A file that cannot be read is put aside, and one that cannot be
//! written is tried again, so that the node works.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use caravan_driver::{DriverNetwork, TaskHandle};
use caravan_model::{
    AllocDeploymentStatus, AllocId, AllocNetworkStatus, Allocation, TaskStates, UnixNanos,
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

mod jobs;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use rows::{read_all, read_node};

use jobs::Jobs;
use rows::{
    ALLOCS, HANDLES, JOBS, NODE, OpenError, STATES, alloc_key, encode, job_key, open, task_key,
};
use writer::{Change, Write, Writer};

/// What is kept of an allocation's progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) states: TaskStates,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    pub(crate) network_status: Option<Box<AllocNetworkStatus>>,
    /// When the first task started.
    pub(crate) began: Option<UnixNanos>,
}

/// The same to be stored.
#[derive(Serialize)]
pub(crate) struct NewProgress<'a> {
    pub(crate) states: &'a TaskStates,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    pub(crate) network_status: &'a Option<Box<AllocNetworkStatus>>,
    pub(crate) began: Option<UnixNanos>,
}

/// A started task.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredHandle {
    pub(crate) handle: TaskHandle,
    pub(crate) network: Option<DriverNetwork>,
}

/// The same to be stored.
#[derive(Serialize)]
pub(crate) struct NewHandle<'a> {
    pub(crate) handle: &'a TaskHandle,
    pub(crate) network: &'a Option<DriverNetwork>,
}

/// One allocation as found after a restart.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) alloc: Arc<Allocation>,
    pub(crate) progress: Option<Progress>,
    pub(crate) handles: Vec<(String, StoredHandle)>,
}

/// The database; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writes: Option<Way>,
}

/// The way to the thread that writes.
#[derive(Clone, Debug)]
struct Way {
    changes: mpsc::Sender<Write>,
    thread: std::thread::Thread,
    /// Held while changes of their rows are handed in.
    jobs: Arc<Mutex<Jobs>>,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("client state database {path}: {reason}")]
pub struct StoreError {
    path: String,
    reason: String,
}

impl Store {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self { writes: None }
    }

    /// Opens the database in `dir`; a broken one is renamed and a new one made.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Vec<Stored>), StoreError> {
        let path = dir.join("state.db");
        let refused = |reason: String| StoreError {
            path: path.display().to_string(),
            reason,
        };
        let (database, found) = match open(&path) {
            Ok(found) => found,
            Err(OpenError::Unusable(reason)) => return Err(refused(reason)),
            Err(OpenError::Damaged(reason)) => {
                let aside = dir.join(format!("state.db.broken-{}", crate::clock::now().0));
                tracing::error!(path = %path.display(), aside = %aside.display(), %reason,
                    "the client state database cannot be read and was put aside");
                std::fs::rename(&path, &aside)
                    .map_err(|why| refused(format!("{reason}; cannot rename it: {why}")))?;
                open(&path).map_err(|error| refused(error.to_string()))?
            }
        };
        let (changes, receiver) = mpsc::channel();
        let file = path.clone();
        let thread = std::thread::Builder::new()
            .name("client-state".into())
            .spawn(move || {
                Writer::new(file, database).run(&receiver);
            })
            .map_err(|why| StoreError {
                path: path.display().to_string(),
                reason: why.to_string(),
            })?;
        let store = Self {
            writes: Some(Way {
                changes,
                thread: thread.thread().clone(),
                jobs: Arc::new(Mutex::new(found.jobs)),
            }),
        };
        for key in found.unused_jobs {
            store.send(Change::Delete(JOBS, key), None);
        }
        Ok((store, found.stored))
    }

    fn send(&self, change: Change, done: Option<oneshot::Sender<()>>) {
        if let Some(writes) = &self.writes {
            let awaited = done.is_some();
            // The thread ends with the last store only.
            let change = Some(change);
            let _ = writes.changes.send(Write { change, done });
            if awaited {
                writes.thread.unpark();
            }
        }
    }

    pub(crate) fn put_alloc(&self, alloc: &Allocation) {
        let Some(writes) = &self.writes else { return };
        let key = alloc.job.as_deref().map(jobs::key);
        let mut bare = alloc.clone();
        bare.job = None;
        // Scores of placements are of no use to a node.
        bare.metrics = None;
        let row = encode(&(bare, &key));
        let mut jobs = writes.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = jobs.set(alloc.id, key);
        if let (Some(key), Some(job)) = (moved.new, &alloc.job) {
            self.send(Change::Put(JOBS, job_key(&key), encode(&**job)), None);
        }
        self.send(Change::Put(ALLOCS, alloc_key(alloc.id), row), None);
        if let Some(key) = moved.unused {
            self.send(Change::Delete(JOBS, job_key(&key)), None);
        }
    }

    pub(crate) fn put_progress(&self, id: AllocId, progress: &NewProgress<'_>) {
        if self.writes.is_some() {
            self.send(Change::Put(STATES, alloc_key(id), encode(progress)), None);
        }
    }

    /// Returns once the handle is on disk: a task that was started must be found again.
    pub(crate) async fn put_handle(&self, id: AllocId, task: &str, stored: &NewHandle<'_>) {
        if self.writes.is_some() {
            let (done, written) = oneshot::channel();
            self.send(
                Change::Put(HANDLES, task_key(id, task), encode(stored)),
                Some(done),
            );
            let _ = written.await;
        }
    }

    pub(crate) fn delete_handle(&self, id: AllocId, task: &str) {
        self.send(Change::Delete(HANDLES, task_key(id, task)), None);
    }

    pub(crate) fn forget(&self, id: AllocId) {
        let Some(writes) = &self.writes else { return };
        let mut jobs = writes.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(Change::Forget(id), None);
        if let Some(key) = jobs.set(id, None).unused {
            self.send(Change::Delete(JOBS, job_key(&key)), None);
        }
    }

    /// Keeps something of the node itself.
    pub(crate) fn put_node<T: Serialize>(&self, key: &str, value: &T) {
        if self.writes.is_some() {
            self.send(
                Change::Put(NODE, key.as_bytes().to_vec(), encode(value)),
                None,
            );
        }
    }

    /// Writes what is left and closes the file; what is handed in later is lost.
    pub(crate) async fn close(&self) {
        if let Some(writes) = &self.writes {
            let (done, closed) = oneshot::channel();
            let close = Write {
                change: None,
                done: Some(done),
            };
            if writes.changes.send(close).is_ok() {
                writes.thread.unpark();
                let _ = closed.await;
            }
        }
    }
}
