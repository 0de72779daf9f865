//! The durable log: one writing thread, one write for all that has queued up.
//!
//! The thread drains its queue, makes everything durable at once, and completes every callback after it: while one
//! write runs, the next group gathers by itself. What nobody is in a hurry for waits a moment for others, which else
//! would have to wait for its write. A group of nothing but entries goes to the write-ahead file; anything else, and
//! what has no room there, goes to the database, together with what waits in that file.
//!
//! A disk that is full is waited for, with the group in hand and nothing acknowledged; any other failure is final.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use openraft::storage::IOFlushed;
use redb::{Database, WriteTransaction};
use tokio::sync::{oneshot, watch};

use crate::{
    StartError,
    error::wire_to_io,
    raft::{Entry, LogId, Payload, Types, Vote},
    record::{self, EntryRecord, LogIdRecord, VoteRecord},
    store::{
        ahead::{Ahead, Group},
        database::{self, ENTRIES, Unusable, put_meta, to_io},
        tail::{Tail, weight},
    },
};

/// How long a disk that is full is left alone.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a reader waits for a file that is opened anew.
const READ_WAIT: Duration = Duration::from_secs(30);
/// A group this large is committed without looking for more.
const GROUP_BYTES: usize = 16 << 20;

pub(crate) type Done = oneshot::Sender<io::Result<()>>;

/// One queued change.
pub(crate) enum Write {
    Append {
        entries: Vec<Entry>,
        done: IOFlushed<Types>,
    },
    Vote {
        vote: Vote,
        done: Done,
    },
    /// Remove `from` and everything after it.
    Truncate {
        from: u64,
        done: Done,
    },
    /// Remove everything up to and with this.
    Purge {
        upto: LogId,
        done: Done,
    },
}

/// How well proposals are grouped.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) entries: AtomicU64,
}

/// Handle on the file; the writing thread ends when the last handle is gone.
pub(crate) struct DiskLog {
    file: Arc<File>,
    full: Arc<AtomicBool>,
    queue: mpsc::Sender<Write>,
}

/// Raises `closed` once the file has been released.
struct File {
    path: PathBuf,
    /// None between a failure and the next try: the library wants the file opened anew.
    database: RwLock<Option<Database>>,
    closed: watch::Sender<bool>,
}

impl File {
    /// Uses the database. `None`: it is to be opened anew.
    fn using<T>(&self, work: impl FnOnce(&Database) -> T) -> Option<T> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map(work)
    }

    fn open_anew(&self) -> io::Result<()> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Its lock is in the way of the next one.
        *database = None;
        *database = Some(database::create(&self.path).map_err(to_io)?);
        Ok(())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let database = self.database.get_mut();
        drop(database.unwrap_or_else(PoisonError::into_inner).take());
        self.closed.send_replace(true);
    }
}

/// An opened log and what there is to know about it.
pub(crate) struct Opened {
    pub(crate) disk: DiskLog,
    pub(crate) tail: Arc<Mutex<Tail>>,
    pub(crate) counters: Arc<Counters>,
    /// Whether the disk has no room for what is to be written.
    pub(crate) full: Arc<AtomicBool>,
    pub(crate) closed: watch::Receiver<bool>,
}

/// Opens or creates the log at `path` and starts its writing thread.
pub(crate) fn open(path: &Path, node_id: u64, cache: usize) -> Result<Opened, StartError> {
    let database = database::open(path)?;
    let prepared = database::prepare(&database, path, node_id);
    let (tail, ahead) = prepared.map_err(|failure| match failure {
        Unusable::OtherNode(found) => StartError::OtherNode {
            path: path.to_owned(),
            found,
            expected: node_id,
        },
        Unusable::Broken(source) => StartError::Log {
            path: path.to_owned(),
            reason: source.to_string(),
        },
    })?;
    let durable_end = tail.end();
    let tail = Arc::new(Mutex::new(tail));
    let counters = Arc::new(Counters::default());
    let (closed, closed_rx) = watch::channel(false);
    let full = Arc::new(AtomicBool::new(false));
    let file = Arc::new(File {
        path: path.to_owned(),
        database: RwLock::new(Some(database)),
        closed,
    });
    let (queue, inbox) = mpsc::channel();
    let writer = Writer {
        file: Arc::clone(&file),
        tail: Arc::clone(&tail),
        counters: Arc::clone(&counters),
        full: Arc::clone(&full),
        ahead,
        cache,
        end: durable_end,
        stored_end: durable_end,
        took: Duration::ZERO,
    };
    thread::Builder::new()
        .name("raft-log".to_owned())
        .spawn(move || writer.run(&inbox))
        .map_err(|source| StartError::Io {
            path: path.to_owned(),
            source,
        })?;
    Ok(Opened {
        disk: DiskLog {
            file,
            full: Arc::clone(&full),
            queue,
        },
        tail,
        counters,
        full,
        closed: closed_rx,
    })
}

impl DiskLog {
    /// Queues a change; its callback fires when it is durable.
    pub(crate) fn write(&self, write: Write) -> io::Result<()> {
        self.queue
            .send(write)
            .map_err(|_| io::Error::other("the raft log's writing thread has ended"))
    }

    /// Reads entries of `from..to`, at least one if there is any, until `budget` bytes are passed; blocks.
    pub(crate) fn read(&self, from: u64, to: u64, budget: usize) -> io::Result<Vec<Entry>> {
        let until = Instant::now() + READ_WAIT;
        loop {
            let read = |database: &Database| database::read(database, from, to, budget);
            let result = self.file.using(read).unwrap_or_else(|| {
                Err(io::Error::other(
                    "the raft log is not open: its disk is full",
                ))
            });
            // While the file is opened anew nothing can be read of it, and nothing is lost.
            if result.is_ok() || !self.full.load(Ordering::Relaxed) || Instant::now() >= until {
                return result;
            }
            thread::sleep(AGAIN);
        }
    }
}

struct Writer {
    file: Arc<File>,
    tail: Arc<Mutex<Tail>>,
    counters: Arc<Counters>,
    full: Arc<AtomicBool>,
    ahead: Ahead,
    cache: usize,
    /// Index after the last entry that is on disk.
    end: u64,
    /// Index after the last entry that is in the database.
    stored_end: u64,
    /// How long the last transaction took.
    took: Duration,
}

impl Writer {
    fn run(mut self, inbox: &mpsc::Receiver<Write>) {
        while let Ok(first) = inbox.recv() {
            let group = self.gather(first, inbox);
            let began = Instant::now();
            let mut result = self.commit(&group);
            self.took = began.elapsed();
            if result.as_ref().is_err_and(is_full) {
                result = self.once_there_is_room(&group);
            }
            if let Err(error) = &result {
                tracing::error!(%error, "raft log cannot be written");
            }
            for write in group {
                complete(write, &result);
            }
        }
    }

    /// Tries until the disk takes the group, which is written as a whole or not at all, or nobody waits any more.
    fn once_there_is_room(&mut self, group: &[Write]) -> io::Result<()> {
        tracing::error!("the disk of the raft log is full; nothing is taken until there is room");
        self.full.store(true, Ordering::Relaxed);
        let result = loop {
            thread::sleep(AGAIN);
            if Arc::strong_count(&self.file) == 1 {
                break Err(io::ErrorKind::StorageFull.into());
            }
            let result = self.file.open_anew().and_then(|()| self.commit(group));
            if !result.as_ref().is_err_and(is_full) {
                tracing::info!("there is room again for the raft log");
                break result;
            }
        };
        self.full.store(false, Ordering::Relaxed);
        result
    }

    /// Everything that has queued up; when nobody is in a hurry for any of it, what comes while a transaction would
    /// run, too: it would have to wait for that.
    fn gather(&self, first: Write, inbox: &mpsc::Receiver<Write>) -> Vec<Write> {
        let until = Instant::now() + self.took;
        let (mut size, mut patient) = (write_size(&first), is_patient(&first));
        let mut group = vec![first];
        while size < GROUP_BYTES {
            let next = match inbox.try_recv() {
                Err(_) if patient => {
                    let left = until.saturating_duration_since(Instant::now());
                    inbox.recv_timeout(left).ok()
                }
                next => next.ok(),
            };
            let Some(next) = next else { break };
            size += write_size(&next);
            patient &= is_patient(&next);
            group.push(next);
        }
        group
    }

    /// Makes the whole group durable.
    fn commit(&mut self, group: &[Write]) -> io::Result<()> {
        if self.write_ahead(group)? {
            self.end = last_index(group).map_or(self.end, |index| index + 1);
        } else {
            self.store(group)?;
        }
        let written = group.iter().map(appended).sum();
        self.counters.transactions.fetch_add(1, Ordering::Relaxed);
        self.counters.entries.fetch_add(written, Ordering::Relaxed);
        let (cache, stored_end) = (self.cache, self.stored_end);
        self.lock().evict(stored_end, cache);
        Ok(())
    }

    /// Writes a group of nothing but entries to the write-ahead file, if it has room there.
    fn write_ahead(&mut self, group: &[Write]) -> io::Result<bool> {
        if group.iter().map(write_size).sum::<usize>() > self.ahead.room() {
            return Ok(false);
        }
        match entries_of(group)? {
            Some(entries) => self.ahead.write(entries),
            None => Ok(false),
        }
    }

    /// Puts what waits in the write-ahead file and the group into the database, in one durable transaction.
    fn store(&mut self, group: &[Write]) -> io::Result<()> {
        let waiting = self.ahead.entries()?;
        let committed = self.lock().committed;
        let transaction = self.file.using(Database::begin_write);
        let transaction = transaction
            .ok_or_else(|| io::Error::other("the raft log is not open"))?
            .map_err(to_io)?;
        database::take_in(&transaction, &waiting)?;
        let mut end = self.end;
        for write in group {
            apply(&transaction, write, &mut end)?;
        }
        // The commit mark is only a hint for a faster restart, so it rides along. It must never point
        // behind what is on disk.
        if let Some(id) = committed.filter(|id| id.index < end) {
            put_meta(
                &transaction,
                "committed",
                record::LOG_ID,
                &LogIdRecord::from(&id),
            )?;
        }
        let epoch = self.ahead.epoch() + 1;
        database::put_epoch(&transaction, epoch)?;
        transaction.commit().map_err(to_io)?;
        self.ahead.begin(epoch);
        (self.end, self.stored_end) = (end, end);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts one change into the transaction.
fn apply(transaction: &WriteTransaction, write: &Write, end: &mut u64) -> io::Result<()> {
    match write {
        Write::Append { entries, done: _ } => {
            let mut table = transaction.open_table(ENTRIES).map_err(to_io)?;
            for entry in entries {
                let frame = encode(entry)?;
                table
                    .insert(entry.log_id.index, frame.as_slice())
                    .map_err(to_io)?;
                *end = entry.log_id.index + 1;
            }
        }
        Write::Vote { vote, done: _ } => {
            put_meta(transaction, "vote", record::VOTE, &VoteRecord::from(vote))?;
        }
        Write::Truncate { from, done: _ } => {
            let mut table = transaction.open_table(ENTRIES).map_err(to_io)?;
            table.retain_in(*from.., |_, _| false).map_err(to_io)?;
            *end = (*end).min(*from);
        }
        Write::Purge { upto, done: _ } => {
            let mut table = transaction.open_table(ENTRIES).map_err(to_io)?;
            table
                .retain_in(..=upto.index, |_, _| false)
                .map_err(to_io)?;
            *end = (*end).max(upto.index + 1);
            put_meta(
                transaction,
                "purged",
                record::LOG_ID,
                &LogIdRecord::from(upto),
            )?;
        }
    }
    Ok(())
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    let record = EntryRecord::from(entry);
    record::ENTRY.encode(&record).map_err(wire_to_io)
}

/// The group for the write-ahead file, if it consists of nothing but entries.
fn entries_of(group: &[Write]) -> io::Result<Option<Group>> {
    let mut entries = Group::default();
    for write in group {
        let Write::Append { entries: more, .. } = write else {
            return Ok(None);
        };
        for entry in more {
            entries.push(entry.log_id.index, &encode(entry)?);
        }
    }
    Ok(Some(entries))
}

/// The index of the last entry that a group appends.
fn last_index(group: &[Write]) -> Option<u64> {
    let appends = group.iter().rev().filter_map(|write| match write {
        Write::Append { entries, .. } => entries.last(),
        Write::Vote { .. } | Write::Truncate { .. } | Write::Purge { .. } => None,
    });
    appends.map(|entry| entry.log_id.index).next()
}

/// How many entries a change appends.
fn appended(write: &Write) -> u64 {
    match write {
        Write::Append { entries, .. } => entries.len() as u64,
        Write::Vote { .. } | Write::Truncate { .. } | Write::Purge { .. } => 0,
    }
}

fn complete(write: Write, result: &io::Result<()>) {
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    match write {
        Write::Append { entries: _, done } => done.io_completed(result),
        Write::Vote { vote: _, done }
        | Write::Truncate { from: _, done }
        | Write::Purge { upto: _, done } => {
            // The waiter may have been cancelled.
            let _ = done.send(result);
        }
    }
}

fn write_size(write: &Write) -> usize {
    match write {
        Write::Append { entries, done: _ } => entries.iter().map(weight).sum(),
        Write::Vote { .. } | Write::Truncate { .. } | Write::Purge { .. } => 0,
    }
}

fn is_patient(write: &Write) -> bool {
    let patient = |entry: &Entry| match &entry.payload {
        Payload::Normal(command) => command.patient,
        Payload::Blank | Payload::Membership(_) => false,
    };
    matches!(write, Write::Append { entries, done: _ } if entries.iter().all(patient))
}

/// Whether room on the disk is all that is missing.
fn is_full(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    kinds.contains(&error.kind())
}
