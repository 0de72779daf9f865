//! What is in the redb file: the entries by index, and the marks beside them.
//!
//! The newest entries may still be in the write-ahead file, which belongs to it; see [`super::ahead`].

use std::{
    io,
    path::{Path, PathBuf},
};

use caravan_wire::Format;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, WriteTransaction,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    StartError,
    error::wire_to_io,
    raft::{Entry, LogId, Vote},
    record::{self, EntryRecord, EpochRecord, LogIdRecord, StoreRecord, VoteRecord},
    store::{
        ahead::Ahead,
        tail::{Tail, weight},
    },
};

pub(super) const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// The log is read rarely: its working set is the tail, which is held outside of redb.
const PAGE_CACHE: usize = 1 << 20;

/// Why a database is not one that this node can use.
pub(super) enum Unusable {
    OtherNode(u64),
    Broken(io::Error),
}

impl<E: Into<io::Error>> From<E> for Unusable {
    fn from(error: E) -> Self {
        Unusable::Broken(error.into())
    }
}

pub(super) fn create(path: &Path) -> Result<Database, DatabaseError> {
    Builder::new().set_cache_size(PAGE_CACHE).create(path)
}

pub(super) fn open(path: &Path) -> Result<Database, StartError> {
    let path: PathBuf = path.to_owned();
    match create(&path) {
        Ok(database) => Ok(database),
        Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
            Err(StartError::InUse { path })
        }
        Err(DatabaseError::Storage(redb::StorageError::Io(source))) => {
            Err(StartError::Io { path, source })
        }
        Err(error) => Err(StartError::Log {
            path,
            reason: error.to_string(),
        }),
    }
}

/// The write-ahead file of the database at `path`.
fn ahead_of(path: &Path) -> PathBuf {
    path.with_extension("wal")
}

/// Entries of `from..to`, at least one if there is any, until `budget` bytes are passed.
pub(super) fn read(
    database: &Database,
    from: u64,
    to: u64,
    budget: usize,
) -> io::Result<Vec<Entry>> {
    let transaction = database.begin_read().map_err(to_io)?;
    let table = transaction.open_table(ENTRIES).map_err(to_io)?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    for row in table.range(from..to).map_err(to_io)? {
        let (_, value) = row.map_err(to_io)?;
        let entry = decode_entry(value.value())?;
        bytes += weight(&entry);
        entries.push(entry);
        if bytes >= budget {
            break;
        }
    }
    Ok(entries)
}

/// Reads the entries of a log that no server uses; nothing is written.
pub(crate) fn read_all(path: &Path) -> Result<Vec<EntryRecord>, StartError> {
    let broken = |reason: String| StartError::Log {
        path: path.to_owned(),
        reason,
    };
    if !path.exists() {
        return Err(broken("no such file".to_owned()));
    }
    let database = open(path)?;
    let read = || -> io::Result<Vec<EntryRecord>> {
        let transaction = database.begin_read().map_err(to_io)?;
        let entries = transaction.open_table(ENTRIES).map_err(to_io)?;
        let mut found = Vec::new();
        for row in entries.iter().map_err(to_io)? {
            let (_, value) = row.map_err(to_io)?;
            found.push(record::ENTRY.decode(value.value()).map_err(wire_to_io)?);
        }
        if let Some(epoch) = epoch(&database)? {
            for (_, frame) in open_ahead(path, epoch)?.entries()? {
                found.push(record::ENTRY.decode(&frame).map_err(wire_to_io)?);
            }
        }
        Ok(found)
    };
    read().map_err(|error| broken(error.to_string()))
}

/// Creates what a new file lacks, takes in what waits in the write-ahead file, and reads the marks.
pub(super) fn prepare(
    database: &Database,
    path: &Path,
    node_id: u64,
) -> Result<(Tail, Ahead), Unusable> {
    if is_new(database)? {
        let transaction = database.begin_write().map_err(to_io)?;
        transaction.open_table(ENTRIES).map_err(to_io)?;
        let header = StoreRecord { node_id };
        put_meta(&transaction, "store", record::STORE, &header)?;
        transaction.commit().map_err(to_io)?;
    }
    match meta::<StoreRecord>(database, "store", record::STORE)? {
        Some(store) if store.node_id != node_id => return Err(Unusable::OtherNode(store.node_id)),
        Some(_) => {}
        None => return Err(io::Error::other("the store has no header").into()),
    }
    let ahead = catch_up(database, path)?;
    Ok((opened(database)?, ahead))
}

/// Takes in what waits in the write-ahead file.
fn catch_up(database: &Database, path: &Path) -> io::Result<Ahead> {
    let Some(epoch) = epoch(database)? else {
        let ahead = Ahead::create(&ahead_of(path), 0)?;
        let transaction = database.begin_write().map_err(to_io)?;
        put_epoch(&transaction, 0)?;
        transaction.commit().map_err(to_io)?;
        return Ok(ahead);
    };
    let mut ahead = open_ahead(path, epoch)?;
    let waiting = ahead.entries()?;
    if !waiting.is_empty() {
        let transaction = database.begin_write().map_err(to_io)?;
        take_in(&transaction, &waiting)?;
        put_epoch(&transaction, epoch + 1)?;
        transaction.commit().map_err(to_io)?;
        ahead.begin(epoch + 1);
    }
    Ok(ahead)
}

fn open_ahead(path: &Path, epoch: u64) -> io::Result<Ahead> {
    let path = ahead_of(path);
    Ahead::open(&path, epoch).map_err(|error| {
        let what = format!(
            "its write-ahead file {}, which holds the newest entries: {error}; restore both from a backup, or \
             remove the whole raft directory and let the other servers send their state",
            path.display()
        );
        io::Error::new(error.kind(), what)
    })
}

/// Puts entries of the write-ahead file where they belong.
pub(super) fn take_in(
    transaction: &WriteTransaction,
    entries: &[(u64, Vec<u8>)],
) -> io::Result<()> {
    let mut table = transaction.open_table(ENTRIES).map_err(to_io)?;
    for (index, frame) in entries {
        table.insert(index, frame.as_slice()).map_err(to_io)?;
    }
    Ok(())
}

/// Names the epoch whose records of the write-ahead file are not taken in.
pub(super) fn put_epoch(transaction: &WriteTransaction, epoch: u64) -> io::Result<()> {
    put_meta(transaction, "epoch", record::EPOCH, &EpochRecord { epoch })
}

fn epoch(database: &Database) -> io::Result<Option<u64>> {
    let epoch: Option<EpochRecord> = meta(database, "epoch", record::EPOCH)?;
    Ok(epoch.map(|record| record.epoch))
}

/// Where the log stands.
fn opened(database: &Database) -> io::Result<Tail> {
    let vote: Option<VoteRecord> = meta(database, "vote", record::VOTE)?;
    let purged: Option<LogIdRecord> = meta(database, "purged", record::LOG_ID)?;
    let committed: Option<LogIdRecord> = meta(database, "committed", record::LOG_ID)?;
    let transaction = database.begin_read().map_err(to_io)?;
    let entries = transaction.open_table(ENTRIES).map_err(to_io)?;
    let last = last_entry(&entries, purged.map_or(0, |id| id.index + 1))?;
    Ok(Tail::opened(
        last,
        purged.map(LogId::from),
        vote.map(Vote::from),
        committed.map(LogId::from),
    ))
}

fn is_new(database: &Database) -> io::Result<bool> {
    let transaction = database.begin_read().map_err(to_io)?;
    match transaction.open_table(META) {
        Ok(_) => Ok(false),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(true),
        Err(error) => Err(to_io(error)),
    }
}

/// The last entry, after a check that none is missing between `start` and it.
fn last_entry(
    entries: &redb::ReadOnlyTable<u64, &'static [u8]>,
    start: u64,
) -> io::Result<Option<LogId>> {
    let Some((index, value)) = entries.last().map_err(to_io)? else {
        return Ok(None);
    };
    let (have, need) = (
        entries.len().map_err(to_io)?,
        index.value() + 1 - start.min(index.value() + 1),
    );
    if have != need {
        return Err(io::Error::other(format!(
            "{have} entries are there where {need} should be, from index {start} to {}",
            index.value()
        )));
    }
    Ok(Some(decode_entry(value.value())?.log_id))
}

fn decode_entry(bytes: &[u8]) -> io::Result<Entry> {
    let record: EntryRecord = record::ENTRY.decode(bytes).map_err(wire_to_io)?;
    Entry::try_from(record).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

pub(super) fn put_meta<T: Serialize>(
    transaction: &WriteTransaction,
    key: &str,
    format: Format,
    value: &T,
) -> io::Result<()> {
    let bytes = format.encode(value).map_err(wire_to_io)?;
    let mut table = transaction.open_table(META).map_err(to_io)?;
    table.insert(key, bytes.as_slice()).map_err(to_io)?;
    Ok(())
}

fn meta<T: DeserializeOwned>(
    database: &Database,
    key: &str,
    format: Format,
) -> io::Result<Option<T>> {
    let transaction = database.begin_read().map_err(to_io)?;
    let table = transaction.open_table(META).map_err(to_io)?;
    let Some(value) = table.get(key).map_err(to_io)? else {
        return Ok(None);
    };
    format.decode(value.value()).map(Some).map_err(wire_to_io)
}

pub(super) fn to_io(error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}
