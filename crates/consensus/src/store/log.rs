//! The log store that the Raft library drives: the tail in memory, and, unless `-dev`, the disk.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use tokio::sync::oneshot;

use crate::{
    raft::{Entry, LogId, Types, Vote},
    store::{
        disk::{DiskLog, Done, Write},
        tail::{Tail, weight},
    },
};

/// Bytes of entries that go into one message to a peer.
const MESSAGE_BYTES: usize = 2 << 20;

/// Cheap to clone; every clone sees the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    tail: Arc<Mutex<Tail>>,
    disk: Option<Arc<DiskLog>>,
}

impl LogStore {
    pub(crate) fn memory() -> LogStore {
        LogStore {
            tail: Arc::default(),
            disk: None,
        }
    }

    pub(crate) fn on_disk(tail: Arc<Mutex<Tail>>, disk: DiskLog) -> LogStore {
        LogStore {
            tail,
            disk: Some(Arc::new(disk)),
        }
    }

    /// Index of the last entry that was removed, if any was.
    pub(crate) fn purged(&self) -> Option<u64> {
        self.tail().purged().map(|id| id.index)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a change and waits until it is durable; nothing to wait for in memory.
    async fn durably(&self, write: impl FnOnce(Done) -> Write) -> io::Result<()> {
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        let (done, wait) = oneshot::channel();
        disk.write(write(done))?;
        wait.await
            .map_err(|_| io::Error::other("the raft log's writing thread has ended"))?
    }

    /// Entries of `from..to`, at least one if there is any, until `budget` bytes are passed.
    async fn read(&self, from: u64, to: u64, budget: usize) -> io::Result<Vec<Entry>> {
        let (from, to, held_from, held) = {
            let tail = self.tail();
            let (from, to) = (from.max(tail.start()), to.min(tail.end()));
            if from >= to {
                return Ok(Vec::new());
            }
            let held_from = tail.held_from();
            let held = match from < held_from {
                // A reader that far behind gets the rest with its next call.
                true if budget != usize::MAX => Vec::new(),
                _ => take(tail.range(from.max(held_from), to), budget),
            };
            (from, to, held_from, held)
        };
        let Some(disk) = self.disk.clone().filter(|_| from < held_from) else {
            return Ok(held);
        };
        let mut entries =
            tokio::task::spawn_blocking(move || disk.read(from, to.min(held_from), budget))
                .await
                .map_err(io::Error::other)??;
        entries.extend(held);
        Ok(entries)
    }
}

fn take<'a>(entries: impl Iterator<Item = &'a Entry>, budget: usize) -> Vec<Entry> {
    let mut bytes = 0;
    let mut taken = Vec::new();
    for entry in entries {
        if !taken.is_empty() && bytes >= budget {
            break;
        }
        bytes += weight(entry);
        taken.push(entry.clone());
    }
    taken
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let from = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        self.read(from, to, usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, MESSAGE_BYTES).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.tail().vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let tail = self.tail();
        Ok(LogState {
            last_purged_log_id: tail.purged(),
            last_log_id: tail.last(),
        })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let vote = *vote;
        self.durably(|done| Write::Vote { vote, done }).await?;
        self.tail().vote = Some(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.tail().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        let tail = self.tail();
        Ok(tail.committed.filter(|id| id.index < tail.end()))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        {
            let mut tail = self.tail();
            for entry in &entries {
                tail.push(entry.clone());
            }
        }
        match &self.disk {
            Some(disk) => disk.write(Write::Append {
                entries,
                done: callback,
            }),
            None => {
                callback.io_completed(Ok(()));
                Ok(())
            }
        }
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.tail().truncate_after(last);
        let from = last.map_or(0, |id| id.index + 1);
        self.durably(|done| Write::Truncate { from, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.tail().purge(upto);
        self.durably(|done| Write::Purge { upto, done }).await
    }
}
