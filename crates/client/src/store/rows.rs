//! The tables of the state database, and how their rows are read.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use caravan_codec::msgpack;
use caravan_model::{AllocId, Allocation, Job};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Stored;
use super::jobs::{self, Jobs};

/// Every table has bytes for bytes.
pub(super) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const ALLOCS: Table = TableDefinition::new("allocs");
pub(super) const STATES: Table = TableDefinition::new("states");
pub(super) const HANDLES: Table = TableDefinition::new("handles");
/// Versions of jobs, for the allocations that run them.
pub(super) const JOBS: Table = TableDefinition::new("jobs");
pub(super) const NODE: Table = TableDefinition::new("node");
/// All of them.
pub(super) const TABLES: [Table; 5] = [ALLOCS, STATES, HANDLES, JOBS, NODE];

pub(super) fn alloc_key(id: AllocId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

pub(super) fn job_key(key: &jobs::Key) -> Vec<u8> {
    key.as_bytes().to_vec()
}

pub(super) fn task_key(id: AllocId, task: &str) -> Vec<u8> {
    let mut key = alloc_key(id);
    key.extend_from_slice(task.as_bytes());
    key
}

pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    msgpack::pack(value).expect("what is stored can always be encoded")
}

/// Bytes of pages that stay in memory; the library would keep a gigabyte.
const PAGE_CACHE: usize = 1 << 20;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
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

pub(super) fn create(path: &Path) -> Result<Database, OpenError> {
    // A damaged file may also make the library panic.
    let opened =
        std::panic::catch_unwind(|| Database::builder().set_cache_size(PAGE_CACHE).create(path));
    let opened = opened.map_err(|_| OpenError::Damaged("damaged".to_owned()))?;
    opened.map_err(|error| redb::Error::from(error).into())
}

pub(super) fn open(path: &Path) -> Result<(Database, Loaded), OpenError> {
    let database = create(path)?;
    let opened = || -> Result<Loaded, redb::Error> {
        let write = database.begin_write()?;
        for table in TABLES {
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
pub(super) struct Loaded {
    pub(super) stored: Vec<Stored>,
    pub(super) jobs: Jobs,
    /// Rows of jobs that no allocation runs.
    pub(super) unused_jobs: Vec<Vec<u8>>,
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
            msgpack::unpack(value.value()),
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
    let (mut alloc, job) = match msgpack::unpack::<(Allocation, Option<String>)>(row) {
        Ok((alloc, key)) => (alloc, key.and_then(|key| jobs.get(&key).cloned())),
        Err(_) => msgpack::unpack::<(Allocation, Option<Arc<Job>>)>(row).ok()?,
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
            .and_then(|value| msgpack::unpack(value.value()).ok());
        let mut own = Vec::new();
        for row in handles.range(key.value()..)? {
            let (task, value) = row?;
            let Some(name) = task.value().strip_prefix(key.value()) else {
                break;
            };
            if let Ok(handle) = msgpack::unpack(value.value()) {
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

/// What was kept of the node under `key`, read before the store is opened.
pub(crate) fn read_node<T: DeserializeOwned>(dir: &Path, key: &str) -> Option<T> {
    let path = dir.join("state.db");
    let read = || {
        let database = Database::open(&path).ok()?;
        let read = database.begin_read().ok()?;
        let table = read.open_table(NODE).ok()?;
        let found = table.get(key.as_bytes()).ok()??;
        msgpack::unpack(found.value()).ok()
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
