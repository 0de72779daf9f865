//! The log's end in memory: always every entry that is not yet durable, and as many recent ones
//! as the cache allows (all of them, when there is no disk below).

use std::collections::VecDeque;

use crate::raft::{Entry, LogId, Payload, Vote};

#[derive(Default)]
pub(crate) struct Tail {
    /// Consecutive; older entries are on disk, or purged.
    entries: VecDeque<Entry>,
    bytes: usize,
    last: Option<LogId>,
    purged: Option<LogId>,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
}

impl Tail {
    /// A log whose entries are all on disk.
    pub(crate) fn opened(
        last: Option<LogId>,
        purged: Option<LogId>,
        vote: Option<Vote>,
        committed: Option<LogId>,
    ) -> Tail {
        Tail {
            last: last.or(purged),
            purged,
            vote,
            committed,
            ..Tail::default()
        }
    }

    pub(crate) fn last(&self) -> Option<LogId> {
        self.last
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// Index after the last purged entry.
    pub(crate) fn start(&self) -> u64 {
        self.purged.map_or(0, |id| id.index + 1)
    }

    /// Index after the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.last.map_or(0, |id| id.index + 1)
    }

    /// First index that is held here.
    pub(crate) fn held_from(&self) -> u64 {
        self.entries
            .front()
            .map_or(self.end(), |entry| entry.log_id.index)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += weight(&entry);
        self.last = Some(entry.log_id);
        self.entries.push_back(entry);
    }

    /// Entries of `from..to` that are held here.
    pub(crate) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Entry> {
        let base = self.held_from();
        let count = self.entries.len();
        let at = |index: u64| {
            usize::try_from(index.saturating_sub(base)).map_or(count, |n| n.min(count))
        };
        let (start, end) = (at(from), at(to));
        self.entries.range(start..end.max(start))
    }

    /// Drops everything after `last`.
    pub(crate) fn truncate_after(&mut self, last: Option<LogId>) {
        let end = last.map_or(0, |id| id.index + 1);
        while self
            .entries
            .back()
            .is_some_and(|entry| entry.log_id.index >= end)
        {
            let dropped = self.entries.pop_back();
            self.bytes -= dropped.as_ref().map_or(0, weight);
        }
        if self.end() > end {
            self.last = last;
        }
    }

    /// Drops everything up to `upto`, which may lie beyond the end (after a snapshot came in).
    pub(crate) fn purge(&mut self, upto: LogId) {
        while self.front_is_below(upto.index + 1) {
            self.drop_front();
        }
        self.purged = self.purged.max(Some(upto));
        if self.end() <= upto.index {
            self.last = Some(upto);
        }
    }

    /// Forgets the oldest durable entries (below `durable_end`) until `budget` bytes are left.
    pub(crate) fn evict(&mut self, durable_end: u64, budget: usize) {
        while self.bytes > budget && self.front_is_below(durable_end) {
            self.drop_front();
        }
    }

    fn front_is_below(&self, index: u64) -> bool {
        self.entries
            .front()
            .is_some_and(|entry| entry.log_id.index < index)
    }

    fn drop_front(&mut self) {
        let dropped = self.entries.pop_front();
        self.bytes -= dropped.as_ref().map_or(0, weight);
    }
}

/// Roughly what an entry costs in memory, and on the wire.
pub(crate) fn weight(entry: &Entry) -> usize {
    let body = match &entry.payload {
        Payload::Blank => 0,
        Payload::Normal(command) => command.bytes.len(),
        Payload::Membership(membership) => membership.nodes().count() * 128,
    };
    body + 96
}
