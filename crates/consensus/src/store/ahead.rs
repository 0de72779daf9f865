//! The write-ahead file: groups of entries on their way to the database.
//!
//! A transaction of the database writes some nine pages in as many places, which takes a disk three times as long as
//! one piece. So a group is written here, in one piece, and the database takes in hundreds of them at once.
//!
//! ```text
//! | record | record, longer than a block | record | what was there before, or zeros … |
//! record: frame of (epoch u64 | index u64, entry frame | index u64, entry frame | …), filled up to whole blocks
//! ```
//!
//! Invariants: the file never grows, so nothing but its data is to be made durable; a record counts only while its
//! epoch is the one that the database names, and the database names the next one in the very transaction that takes
//! the records in; what was acknowledged is not written over before that, not even with itself.
//!
//! It must never know what an entry holds.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use caravan_wire::{HEADER_LEN, WireError};

use crate::record::{AHEAD, ENTRY};

/// What a disk writes as a whole.
const BLOCK: usize = 4096;
/// The file's length: some hundred groups.
const LENGTH: usize = 1 << 20;

/// Entries of one group: their indexes and frames, one after another.
#[derive(Default)]
pub(crate) struct Group {
    bytes: Vec<u8>,
}

impl Group {
    pub(crate) fn push(&mut self, index: u64, frame: &[u8]) {
        if self.bytes.is_empty() {
            // The epoch's place.
            self.bytes.extend([0; 8]);
        }
        self.bytes.extend(index.to_be_bytes());
        self.bytes.extend(frame);
    }
}

/// The file, and how far it is written.
pub(crate) struct Ahead {
    file: File,
    epoch: u64,
    end: usize,
}

impl Ahead {
    /// Makes an empty file, durably, in the place of what is there.
    pub(crate) fn create(path: &Path, epoch: u64) -> io::Result<Ahead> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.write_all_at(&vec![0; LENGTH], 0)?;
        file.sync_all()?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Ahead {
            file,
            epoch,
            end: 0,
        })
    }

    /// Opens a file in which records of this epoch may wait.
    ///
    /// # Errors
    /// The file cannot be read, or a record is damaged although there is one after it.
    pub(crate) fn open(path: &Path, epoch: u64) -> io::Result<Ahead> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let bytes = read(&file, LENGTH)?;
        let mut end = 0;
        while let Some(record) = bytes.get(end..).and_then(|rest| record(rest, epoch)) {
            end += whole_blocks(HEADER_LEN + record.len());
        }
        // The last record may have been cut off: it was not acknowledged. One that others follow was.
        let mut after = bytes.get(end..).unwrap_or_default().chunks(BLOCK).skip(1);
        let mut at = end;
        if after.any(|_| {
            at += BLOCK;
            record(&bytes[at..], epoch).is_some()
        }) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the record at byte {end} is damaged, and there is one after it"),
            ));
        }
        Ok(Ahead { file, epoch, end })
    }

    /// The epoch whose records count.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes that can be written still.
    pub(crate) fn room(&self) -> usize {
        LENGTH - self.end
    }

    /// Writes a group durably. Returns whether there was room; else nothing is written.
    pub(crate) fn write(&mut self, group: Group) -> io::Result<bool> {
        let mut body = group.bytes;
        let Some(epoch) = body.first_chunk_mut::<8>() else {
            return Ok(true);
        };
        *epoch = self.epoch.to_be_bytes();
        if whole_blocks(HEADER_LEN + body.len()) > self.room() {
            return Ok(false);
        }
        let mut frame = AHEAD.wrap(&body).map_err(io::Error::other)?;
        frame.resize(whole_blocks(frame.len()), 0);
        self.file.write_all_at(&frame, self.end as u64)?;
        self.file.sync_data()?;
        self.end += frame.len();
        Ok(true)
    }

    /// Everything that waits here, in order: indexes and frames.
    pub(crate) fn entries(&self) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let bytes = read(&self.file, self.end)?;
        let mut entries = Vec::new();
        let mut at = 0;
        while at < self.end {
            let body = AHEAD.split(&bytes[at..]).map_err(to_io)?.0;
            at += whole_blocks(HEADER_LEN + body.len());
            split(&body[8..], &mut entries)?;
        }
        Ok(entries)
    }

    /// The database has everything that was here, and names this epoch.
    pub(crate) fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.end = 0;
    }
}

fn whole_blocks(length: usize) -> usize {
    length.next_multiple_of(BLOCK)
}

fn read(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The body of the record at the start of these bytes, if it is one of this epoch.
fn record(bytes: &[u8], epoch: u64) -> Option<&[u8]> {
    let (body, _) = AHEAD.split(bytes).ok()?;
    let of = body.first_chunk::<8>()?;
    (u64::from_be_bytes(*of) == epoch).then_some(body)
}

/// Takes the entries of a record apart.
fn split(mut bytes: &[u8], entries: &mut Vec<(u64, Vec<u8>)>) -> io::Result<()> {
    while let Some((index, rest)) = bytes.split_first_chunk::<8>() {
        let (body, after) = ENTRY.split(rest).map_err(to_io)?;
        let frame = &rest[..HEADER_LEN + body.len()];
        entries.push((u64::from_be_bytes(*index), frame.to_vec()));
        bytes = after;
    }
    Ok(())
}

fn to_io(error: WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        ENTRY.wrap(text.as_bytes()).unwrap()
    }

    fn group(entries: &[(u64, &str)]) -> Group {
        let mut group = Group::default();
        for (index, text) in entries {
            group.push(*index, &frame(text));
        }
        group
    }

    fn written(entries: &[(u64, &str)]) -> Vec<(u64, Vec<u8>)> {
        let own = |(index, text): &(u64, &str)| (*index, frame(text));
        entries.iter().map(own).collect()
    }

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raft.wal");
        (folder, path)
    }

    #[test]
    fn what_was_written_is_there_after_it_is_opened_again() {
        let (_folder, path) = folder();
        let mut ahead = Ahead::create(&path, 7).unwrap();
        let long = "x".repeat(3 * BLOCK);
        assert!(ahead.write(group(&[(1, "a"), (2, &long)])).unwrap());
        assert!(ahead.write(group(&[(3, "c")])).unwrap());
        let all = written(&[(1, "a"), (2, &long), (3, "c")]);
        assert_eq!(ahead.entries().unwrap(), all);
        drop(ahead);
        let mut ahead = Ahead::open(&path, 7).unwrap();
        assert_eq!(ahead.entries().unwrap(), all);
        assert!(ahead.write(group(&[(4, "d")])).unwrap());
        let again = Ahead::open(&path, 7).unwrap();
        assert_eq!(again.entries().unwrap().len(), 4);
    }

    #[test]
    fn records_of_another_epoch_do_not_count() {
        let (_folder, path) = folder();
        let mut ahead = Ahead::create(&path, 7).unwrap();
        for index in 1..=3 {
            assert!(ahead.write(group(&[(index, "old")])).unwrap());
        }
        ahead.begin(8);
        assert!(ahead.write(group(&[(4, "new")])).unwrap());
        let opened = Ahead::open(&path, 8).unwrap();
        assert_eq!(opened.entries().unwrap(), written(&[(4, "new")]));
        assert!(Ahead::open(&path, 9).unwrap().entries().unwrap().is_empty());
    }

    #[test]
    fn a_record_that_was_cut_off_was_never_acknowledged() {
        let (_folder, path) = folder();
        let mut ahead = Ahead::create(&path, 1).unwrap();
        assert!(ahead.write(group(&[(1, "whole")])).unwrap());
        let long = "x".repeat(2 * BLOCK);
        assert!(ahead.write(group(&[(2, &long)])).unwrap());
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0; BLOCK], 2 * BLOCK as u64).unwrap();
        let opened = Ahead::open(&path, 1).unwrap();
        assert_eq!(opened.entries().unwrap(), written(&[(1, "whole")]));
    }

    #[test]
    fn a_damaged_record_that_others_follow_is_an_error() {
        let (_folder, path) = folder();
        let mut ahead = Ahead::create(&path, 1).unwrap();
        for index in 1..=3 {
            assert!(ahead.write(group(&[(index, "acknowledged")])).unwrap());
        }
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"!", BLOCK as u64 + 20).unwrap();
        let error = Ahead::open(&path, 1).err().unwrap();
        assert!(error.to_string().contains("byte 4096"), "{error}");
    }

    #[test]
    fn a_group_without_room_is_not_written() {
        let (_folder, path) = folder();
        let mut ahead = Ahead::create(&path, 1).unwrap();
        let half = "x".repeat(LENGTH / 2);
        assert!(ahead.write(group(&[(1, &half)])).unwrap());
        assert!(!ahead.write(group(&[(2, &half)])).unwrap());
        assert_eq!(ahead.entries().unwrap().len(), 1);
        assert!(ahead.write(group(&[(2, "small")])).unwrap());
        assert_eq!(ahead.entries().unwrap().len(), 2);
    }
}
