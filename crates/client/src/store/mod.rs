//! The state database: what a node must know again after it was killed.
//!
//! One thread owns the file and commits everything that is waiting at once. What somebody waits for is committed
//! without delay; the rest is collected for a moment first, as a start makes a handful of changes. An agent killed
//! within that moment finds the missing again at the servers and in the records of its tasks. In dev mode nothing
//! is kept. A file that cannot be read is put aside, and one that cannot be written is tried again, so that the node
//! works.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use caravan_driver::{DriverNetwork, TaskHandle};
use caravan_model::{
    AllocDeploymentStatus, AllocId, AllocNetworkStatus, Allocation, Job, TaskStates,
};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

mod jobs;
#[cfg(test)]
mod tests;

use jobs::Jobs;

const ALLOCS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("allocs");
const STATES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("states");
const HANDLES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("handles");
/// Versions of jobs, for the allocations that run them.
const JOBS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("jobs");
const NODE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("node");

/// What is kept of an allocation's progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) states: TaskStates,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    pub(crate) network_status: Option<Box<AllocNetworkStatus>>,
}

/// The same to be stored.
#[derive(Serialize)]
pub(crate) struct NewProgress<'a> {
    pub(crate) states: &'a TaskStates,
    pub(crate) deployment_status: Option<AllocDeploymentStatus>,
    pub(crate) network_status: &'a Option<Box<AllocNetworkStatus>>,
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

enum Change {
    Put(&'static str, Vec<u8>, Vec<u8>),
    Delete(&'static str, Vec<u8>),
    Forget(AllocId),
}

struct Write {
    /// None: the file is to be closed.
    change: Option<Change>,
    done: Option<oneshot::Sender<()>>,
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
                let writer = Writer {
                    path: file,
                    database: Some(database),
                    unwritten: Vec::new(),
                };
                writer.run(&receiver);
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
            store.send(Change::Delete("jobs", key), None);
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
            self.send(Change::Put("jobs", job_key(&key), encode(&**job)), None);
        }
        self.send(Change::Put("allocs", alloc_key(alloc.id), row), None);
        if let Some(key) = moved.unused {
            self.send(Change::Delete("jobs", job_key(&key)), None);
        }
    }

    pub(crate) fn put_progress(&self, id: AllocId, progress: &NewProgress<'_>) {
        if self.writes.is_some() {
            self.send(Change::Put("states", alloc_key(id), encode(progress)), None);
        }
    }

    /// Returns once the handle is on disk: a task that was started must be found again.
    pub(crate) async fn put_handle(&self, id: AllocId, task: &str, stored: &NewHandle<'_>) {
        if self.writes.is_some() {
            let (done, written) = oneshot::channel();
            self.send(
                Change::Put("handles", task_key(id, task), encode(stored)),
                Some(done),
            );
            let _ = written.await;
        }
    }

    pub(crate) fn delete_handle(&self, id: AllocId, task: &str) {
        self.send(Change::Delete("handles", task_key(id, task)), None);
    }

    pub(crate) fn forget(&self, id: AllocId) {
        let Some(writes) = &self.writes else { return };
        let mut jobs = writes.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(Change::Forget(id), None);
        if let Some(key) = jobs.set(id, None).unused {
            self.send(Change::Delete("jobs", job_key(&key)), None);
        }
    }

    /// Keeps something of the node itself.
    pub(crate) fn put_node<T: Serialize>(&self, key: &str, value: &T) {
        if self.writes.is_some() {
            self.send(
                Change::Put("node", key.as_bytes().to_vec(), encode(value)),
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

/// What was kept of the node under `key`, read before the store is opened.
pub(crate) fn read_node<T: DeserializeOwned>(dir: &Path, key: &str) -> Option<T> {
    let path = dir.join("state.db");
    let read = || {
        let database = Database::open(&path).ok()?;
        let read = database.begin_read().ok()?;
        let table = read.open_table(NODE).ok()?;
        let found = table.get(key.as_bytes()).ok()??;
        caravan_codec::msgpack::unpack(found.value()).ok()
    };
    // A damaged file, which is put aside later, may make the library panic.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok()?
}

/// Everything in the state database in `dir`, which no agent may use meanwhile.
pub(crate) fn read_all(dir: &Path) -> Result<(Vec<Stored>, Vec<String>), String> {
    let path = dir.join("state.db");
    if !path.exists() {
        return Err(format!("there is no client state in {}", dir.display()));
    }
    let database = Database::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let read = || -> Result<(Vec<Stored>, Vec<String>), redb::Error> {
        let node = database.begin_read()?.open_table(NODE)?;
        let mut keys = Vec::new();
        for row in node.iter()? {
            keys.push(String::from_utf8_lossy(row?.0.value()).into_owned());
        }
        Ok((load(&database)?.stored, keys))
    };
    read().map_err(|error| format!("{}: {error}", path.display()))
}

fn alloc_key(id: AllocId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

fn job_key(key: &jobs::Key) -> Vec<u8> {
    key.as_bytes().to_vec()
}

fn task_key(id: AllocId, task: &str) -> Vec<u8> {
    let mut key = alloc_key(id);
    key.extend_from_slice(task.as_bytes());
    key
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    caravan_codec::msgpack::pack(value).expect("what is stored can always be encoded")
}

/// Bytes of pages that stay in memory; the library would keep a gigabyte.
const PAGE_CACHE: usize = 1 << 20;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    /// What is in it makes no sense: it is put aside.
    #[error("{0}")]
    Damaged(String),
    /// It may be fine; the disk or another agent is in the way.
    #[error("{0}")]
    Unusable(String),
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        let text = error.to_string();
        let in_the_way = match &error {
            redb::Error::DatabaseAlreadyOpen => true,
            redb::Error::Io(error) => matches!(
                error.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::PermissionDenied
            ),
            _ => false,
        };
        if in_the_way {
            Self::Unusable(text)
        } else {
            Self::Damaged(text)
        }
    }
}

fn create(path: &Path) -> Result<Database, OpenError> {
    // A damaged file may also make the library panic.
    let opened =
        std::panic::catch_unwind(|| Database::builder().set_cache_size(PAGE_CACHE).create(path));
    let opened = opened.map_err(|_| OpenError::Damaged("damaged".to_owned()))?;
    opened.map_err(|error| redb::Error::from(error).into())
}

fn open(path: &Path) -> Result<(Database, Loaded), OpenError> {
    let database = create(path)?;
    let opened = || -> Result<Loaded, redb::Error> {
        let write = database.begin_write()?;
        for table in [ALLOCS, STATES, HANDLES, JOBS, NODE] {
            write.open_table(table)?;
        }
        write.commit()?;
        load(&database)
    };
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(opened));
    let loaded = opened.map_err(|_| OpenError::Damaged("damaged".to_owned()))??;
    Ok((database, loaded))
}

/// All that was stored of allocations.
#[derive(Default)]
struct Loaded {
    stored: Vec<Stored>,
    jobs: Jobs,
    /// Rows of jobs that no allocation runs.
    unused_jobs: Vec<Vec<u8>>,
}

type JobRows = BTreeMap<String, Arc<Job>>;

/// None in a database that an earlier agent left.
fn load_jobs(read: &redb::ReadTransaction) -> Result<JobRows, redb::Error> {
    let table = match read.open_table(JOBS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(JobRows::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = JobRows::new();
    for row in table.iter()? {
        let (key, value) = row?;
        match (
            std::str::from_utf8(key.value()),
            caravan_codec::msgpack::unpack(value.value()),
        ) {
            (Ok(key), Ok(job)) => {
                found.insert(key.to_owned(), job);
            }
            _ => tracing::warn!("a job in the client state database cannot be read"),
        }
    }
    Ok(found)
}

/// An allocation, with its job. Earlier agents stored that beside it.
fn decode_alloc(row: &[u8], jobs: &JobRows) -> Option<Allocation> {
    let (mut alloc, job) = match caravan_codec::msgpack::unpack::<(Allocation, Option<String>)>(row)
    {
        Ok((alloc, key)) => (alloc, key.and_then(|key| jobs.get(&key).cloned())),
        Err(_) => caravan_codec::msgpack::unpack::<(Allocation, Option<Arc<Job>>)>(row).ok()?,
    };
    alloc.job = job;
    Some(alloc)
}

fn load(database: &Database) -> Result<Loaded, redb::Error> {
    let read = database.begin_read()?;
    let rows = load_jobs(&read)?;
    let (allocs, states, handles) = (
        read.open_table(ALLOCS)?,
        read.open_table(STATES)?,
        read.open_table(HANDLES)?,
    );
    let mut found = Loaded::default();
    for row in allocs.iter()? {
        let (key, value) = row?;
        let Some(alloc) = decode_alloc(value.value(), &rows) else {
            tracing::warn!("an allocation in the client state database cannot be read");
            continue;
        };
        let progress = states
            .get(key.value())?
            .and_then(|value| caravan_codec::msgpack::unpack(value.value()).ok());
        let mut own = Vec::new();
        for row in handles.range(key.value()..)? {
            let (task, value) = row?;
            let Some(name) = task.value().strip_prefix(key.value()) else {
                break;
            };
            if let Ok(handle) = caravan_codec::msgpack::unpack(value.value()) {
                own.push((String::from_utf8_lossy(name).into_owned(), handle));
            }
        }
        if let Some(job) = alloc
            .job
            .as_deref()
            .map(jobs::key)
            .filter(|key| rows.contains_key(&**key))
        {
            found.jobs.set(alloc.id, Some(job));
        }
        found.stored.push(Stored {
            alloc: Arc::new(alloc),
            progress,
            handles: own,
        });
    }
    let unused = rows.keys().filter(|key| !found.jobs.is_used(key));
    found.unused_jobs = unused.map(|key| key.as_bytes().to_vec()).collect();
    Ok(found)
}

/// How long changes that nobody waits for are collected.
const COLLECT: Duration = Duration::from_millis(20);
/// The most changes in one commit.
const MOST: usize = 4096;

/// The next changes to commit: all that are there once one of them is waited for, or the moment is over. Senders
/// wake this thread for the former only.
fn collect(first: Write, writes: &mpsc::Receiver<Write>) -> Vec<Write> {
    let mut batch = vec![first];
    let until = Instant::now() + COLLECT;
    loop {
        batch.extend(writes.try_iter().take(MOST - batch.len()));
        let left = until.saturating_duration_since(Instant::now());
        let awaited = batch.iter().any(|write| write.done.is_some());
        if awaited || left.is_zero() || batch.len() == MOST {
            return batch;
        }
        std::thread::park_timeout(left);
    }
}

/// How long a database that cannot be written is left alone.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Writes until the last store is gone. What a full or read-only disk does not take is kept here, the last word on each
/// row, and written once it does: tasks do not wait for it.
struct Writer {
    path: PathBuf,
    /// None after a failure: it is opened anew.
    database: Option<Database>,
    unwritten: Vec<Change>,
}

impl Writer {
    fn run(mut self, writes: &mpsc::Receiver<Write>) {
        loop {
            let first = if self.unwritten.is_empty() {
                writes
                    .recv()
                    .map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                writes.recv_timeout(AGAIN)
            };
            let mut waiting = Vec::new();
            let mut last = matches!(first, Err(mpsc::RecvTimeoutError::Disconnected));
            let batch = first.map_or_else(|_| Vec::new(), |first| collect(first, writes));
            for write in batch {
                match write.change {
                    Some(change) => self.take(change),
                    None => last = true,
                }
                waiting.extend(write.done);
            }
            self.write();
            if last {
                self.database = None;
            }
            for done in waiting {
                // Who asked may have gone.
                let _ = done.send(());
            }
            if last {
                return;
            }
        }
    }

    /// A later word on a row takes the place of an earlier one, so that what is kept stays small.
    fn take(&mut self, change: Change) {
        if self.database.is_none() {
            self.unwritten.retain(|old| !change.replaces(old));
        }
        self.unwritten.push(change);
    }

    fn write(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        let written = match self.database.take().map_or_else(|| create(&self.path), Ok) {
            Ok(database) => commit(&database, &self.unwritten)
                .map(|()| database)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match written {
            Ok(database) => {
                self.database = Some(database);
                self.unwritten.clear();
            }
            Err(error) => {
                tracing::error!(%error, rows = self.unwritten.len(),
                    "the client state database cannot be written; it is tried again");
            }
        }
    }
}

impl Change {
    fn replaces(&self, old: &Self) -> bool {
        match (self, old) {
            (
                Self::Put(table, key, _) | Self::Delete(table, key),
                Self::Put(other, same, _) | Self::Delete(other, same),
            ) => table == other && key == same,
            (Self::Forget(id), Self::Put(_, key, _) | Self::Delete(_, key)) => {
                key.starts_with(id.0.as_bytes())
            }
            _ => false,
        }
    }
}

fn commit(database: &Database, batch: &[Change]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut allocs = write.open_table(ALLOCS)?;
        let mut states = write.open_table(STATES)?;
        let mut handles = write.open_table(HANDLES)?;
        let mut jobs = write.open_table(JOBS)?;
        let mut node = write.open_table(NODE)?;
        for each in batch {
            match each {
                Change::Forget(id) => {
                    let key = alloc_key(*id);
                    allocs.remove(&*key)?;
                    states.remove(&*key)?;
                    let mut end = key.clone();
                    end.extend([0xff; 4]);
                    handles.retain_in(&*key..&*end, |_, _| false)?;
                }
                Change::Put(table, key, value) => {
                    let table = pick(
                        table,
                        &mut allocs,
                        &mut states,
                        &mut handles,
                        &mut jobs,
                        &mut node,
                    );
                    table.insert(&**key, &**value)?;
                }
                Change::Delete(table, key) => {
                    let table = pick(
                        table,
                        &mut allocs,
                        &mut states,
                        &mut handles,
                        &mut jobs,
                        &mut node,
                    );
                    table.remove(&**key)?;
                }
            }
        }
    }
    write.commit()?;
    Ok(())
}

fn pick<'t, T>(
    name: &str,
    allocs: &'t mut T,
    states: &'t mut T,
    handles: &'t mut T,
    jobs: &'t mut T,
    node: &'t mut T,
) -> &'t mut T {
    match name {
        "allocs" => allocs,
        "states" => states,
        "handles" => handles,
        "jobs" => jobs,
        _ => node,
    }
}
