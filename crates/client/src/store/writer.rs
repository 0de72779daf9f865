//! The thread that owns the file and commits what is handed in.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use caravan_model::AllocId;
use redb::{Database, TableHandle};
use tokio::sync::oneshot;

use super::rows::{ALLOCS, HANDLES, STATES, TABLES, Table, alloc_key, create};

type Rows<'w> = redb::Table<'w, &'static [u8], &'static [u8]>;

/// What is to become of rows.
pub(super) enum Change {
    Put(Table, Vec<u8>, Vec<u8>),
    Delete(Table, Vec<u8>),
    /// All that is kept of an allocation.
    Forget(AllocId),
}

/// A change that is handed in.
pub(super) struct Write {
    /// None: the file is to be closed.
    pub(super) change: Option<Change>,
    /// Told once it is on disk.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// How long changes that nobody waits for are collected.
const COLLECT: Duration = Duration::from_millis(20);
/// The most changes in one commit.
const MOST: usize = 4096;

/// How many times as long as a commit took the next one waits: with hundreds of starts a second each takes the changes of
/// several along.
const APART: u32 = 2;

/// The next changes to commit: all that are there once one of them is waited for, or the moment is over. Senders
/// wake this thread for the former only. What is waited for is not committed before `earliest`.
fn collect(first: Write, writes: &mpsc::Receiver<Write>, earliest: Instant) -> Vec<Write> {
    let mut batch = vec![first];
    let until = Instant::now() + COLLECT;
    loop {
        batch.extend(writes.try_iter().take(MOST - batch.len()));
        let awaited = batch.iter().any(|write| write.done.is_some());
        let end = if awaited { earliest } else { until };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || batch.len() == MOST {
            return batch;
        }
        if awaited {
            std::thread::sleep(left);
        } else {
            std::thread::park_timeout(left);
        }
    }
}

/// How long a database that cannot be written is left alone.
const AGAIN: Duration = Duration::from_secs(1);

/// Writes until the last store is gone. What a full or read-only disk does not take is kept here, the last word on each
/// row, and written once it does: tasks do not wait for it.
pub(super) struct Writer {
    path: PathBuf,
    /// None after a failure: it is opened anew.
    database: Option<Database>,
    unwritten: Vec<Change>,
    /// Until then, changes wait for more of them.
    earliest: Instant,
}

impl Writer {
    pub(super) fn new(path: PathBuf, database: Database) -> Self {
        Self {
            path,
            database: Some(database),
            unwritten: Vec::new(),
            earliest: Instant::now(),
        }
    }

    pub(super) fn run(mut self, writes: &mpsc::Receiver<Write>) {
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
            let batch = first.map_or_else(
                |_| Vec::new(),
                |first| collect(first, writes, self.earliest),
            );
            for write in batch {
                match write.change {
                    Some(change) => self.take(change),
                    None => last = true,
                }
                waiting.extend(write.done);
            }
            let began = Instant::now();
            self.write();
            self.earliest = Instant::now() + began.elapsed().min(COLLECT) * APART;
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
    /// Changes the rows of the table with this name, where they are meant.
    fn apply(&self, name: &str, rows: &mut Rows<'_>) -> Result<(), redb::Error> {
        match self {
            Self::Put(table, key, value) if table.name() == name => {
                rows.insert(&**key, &**value)?;
            }
            Self::Delete(table, key) if table.name() == name => {
                rows.remove(&**key)?;
            }
            Self::Forget(id) if name == ALLOCS.name() || name == STATES.name() => {
                rows.remove(&*alloc_key(*id))?;
            }
            Self::Forget(id) if name == HANDLES.name() => {
                let key = alloc_key(*id);
                let mut end = key.clone();
                end.extend([0xff; 4]);
                rows.retain_in(&*key..&*end, |_, _| false)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether rows of the table with this name may change.
    fn concerns(&self, name: &str) -> bool {
        match self {
            Self::Put(table, ..) | Self::Delete(table, _) => table.name() == name,
            Self::Forget(_) => [ALLOCS, STATES, HANDLES].iter().any(|t| t.name() == name),
        }
    }

    pub(super) fn replaces(&self, old: &Self) -> bool {
        match (self, old) {
            (
                Self::Put(table, key, _) | Self::Delete(table, key),
                Self::Put(other, same, _) | Self::Delete(other, same),
            ) => table.name() == other.name() && key == same,
            (Self::Forget(id), Self::Put(_, key, _) | Self::Delete(_, key)) => {
                key.starts_with(id.0.as_bytes())
            }
            _ => false,
        }
    }
}

pub(super) fn commit(database: &Database, batch: &[Change]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    let changed = |table: &Table| batch.iter().any(|change| change.concerns(table.name()));
    for table in TABLES.into_iter().filter(changed) {
        let mut rows = write.open_table(table)?;
        for change in batch {
            change.apply(table.name(), &mut rows)?;
        }
    }
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody waits for it.
    fn awaited() -> Write {
        Write {
            change: None,
            done: Some(oneshot::channel().0),
        }
    }

    #[test]
    fn what_is_waited_for_is_not_committed_before_its_time_and_takes_the_others_along() {
        let (changes, writes) = mpsc::channel();
        changes.send(awaited()).unwrap();
        let began = Instant::now();
        for distance in [Duration::ZERO, COLLECT * 2] {
            let earliest = began + distance;
            changes.send(awaited()).unwrap();
            let batch = collect(awaited(), &writes, earliest);
            assert!(Instant::now() >= earliest, "{distance:?}");
            assert!(batch.len() > 1, "{distance:?}");
            assert!(writes.try_recv().is_err(), "all that were there are taken");
        }
    }
}
