//! An archive whose entries cannot fill the memory with what stands before them.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};

/// What may stand before an entry: long names, and what else is said of it. It is held in memory.
pub(super) const MOST_BEFORE: u64 = 4 << 20;
/// An archive that is read no further than the entry that is known, and what may stand before the next one.
pub(super) struct Guarded<'a, R> {
    pub(super) archive: R,
    pub(super) read: &'a Cell<u64>,
    /// Where the entry that is known ends.
    pub(super) next: &'a Cell<u64>,
    /// What was read from there on.
    pub(super) before: &'a RefCell<Vec<u8>>,
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (at, next) = (self.read.get(), self.next.get());
        let left = next.saturating_add(MOST_BEFORE).saturating_sub(at);
        if left == 0 {
            return Err(io::Error::other("a name in it is too long"));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self
            .archive
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.read.set(at.saturating_add(count as u64));
        let known = usize::try_from(next.saturating_sub(at)).unwrap_or(usize::MAX);
        let read = buffer.get(..count).unwrap_or_default();
        self.before
            .borrow_mut()
            .extend_from_slice(read.get(known..).unwrap_or_default());
        Ok(count)
    }
}
