//! Rotated log files, fed from a pipe without copying through user space where that is possible.
//!
//! Files are `<prefix>.<n>`; an index is never used twice; the newest `max_files` stay. A file ends at a line
//! end when one lies within 32 KiB of its limit (so it may be that much longer). A disk that takes no more costs log bytes, never
//! the task: the pipe is always emptied. A task may write to the directory: what it puts in the place of a file, or of
//! the directory, is not written through.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::pipe::SpliceFlags;

/// How far around the limit a line end is looked for.
const LINE_SCAN: u64 = 32 << 10;
const PIPE_SIZE: usize = 1 << 20;
/// Moved at most before other work gets its turn.
const TURN: usize = 1 << 20;

#[derive(Debug)]
pub struct Rotator {
    dir: PathBuf,
    /// The directory as it was found first, wherever it is moved.
    opened: Option<Arc<OwnedFd>>,
    prefix: String,
    max_files: u64,
    max_bytes: u64,
    index: u64,
    file: Option<File>,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// More may be there at once.
    Some,
    Empty,
    End,
}

impl Rotator {
    /// Goes on with the newest file that exists.
    #[must_use]
    pub fn open(dir: PathBuf, prefix: String, max_files: u32, max_bytes: u64) -> Self {
        let [rotator] = Self::open_all(&dir, [prefix], max_files, max_bytes);
        rotator
    }

    /// Several of one directory.
    pub(crate) fn open_all<const N: usize>(
        dir: &Path,
        prefixes: [String; N],
        max_files: u32,
        max_bytes: u64,
    ) -> [Self; N] {
        let opened = open_dir(dir).map(Arc::new);
        let names = opened.as_deref().map(names).unwrap_or_default();
        prefixes.map(|prefix| {
            let existing = indexes(&names, &prefix);
            let mut rotator = Self {
                dir: dir.to_owned(),
                opened: opened.clone(),
                prefix,
                max_files: u64::from(max_files.max(1)),
                max_bytes: max_bytes.max(1),
                index: existing.last().copied().unwrap_or(0),
                file: None,
                size: 0,
            };
            rotator.open_file();
            rotator.drop_old(&existing);
            rotator
        })
    }

    fn name(&self, index: u64) -> String {
        format!("{}.{index}", self.prefix)
    }

    fn open_file(&mut self) {
        if self.opened.is_none() {
            self.opened = open_dir(&self.dir).map(Arc::new);
        }
        match self
            .opened
            .as_ref()
            .map(|dir| regular(dir, &self.name(self.index)))
        {
            Some(Ok((size, file))) => (self.size, self.file) = (size, Some(file)),
            Some(Err(_)) | None => (self.size, self.file) = (0, None),
        }
    }

    fn remove(&self, index: u64) {
        if let Some(dir) = &self.opened {
            let _ = rustix::fs::unlinkat(dir, self.name(index), AtFlags::empty());
        }
    }

    fn rotate(&mut self) {
        self.index += 1;
        self.open_file();
        if let Some(old) = self.index.checked_sub(self.max_files) {
            self.remove(old);
        }
    }

    fn drop_old(&self, existing: &[u64]) {
        for old in existing
            .iter()
            .filter(|index| **index + self.max_files <= self.index)
        {
            self.remove(*old);
        }
    }

    /// Moves what the pipe holds, up to one turn.
    pub(crate) fn pump(&mut self, pipe: &OwnedFd) -> io::Result<Pumped> {
        if self.file.is_none() {
            self.open_file();
        }
        let mut moved = 0;
        while moved < TURN {
            if self.size >= self.max_bytes {
                self.rotate();
            }
            let room = self.max_bytes - self.size;
            let step = match &self.file {
                Some(file) if room > LINE_SCAN => splice(pipe, file, (room - LINE_SCAN) as usize),
                Some(_) => self.copy(pipe),
                None => discard(pipe),
            };
            let count = match step {
                Ok(0) => return Ok(Pumped::End),
                Ok(count) => count,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(Pumped::Empty),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                // A disk that takes nothing: these bytes are lost, and the task goes on.
                Err(_) => match discard(pipe) {
                    Ok(0) => return Ok(Pumped::End),
                    Ok(count) => count,
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Pumped::Empty);
                    }
                    Err(err) => return Err(err),
                },
            };
            moved += count;
            self.settle_size();
        }
        Ok(Pumped::Some)
    }

    /// The file's position is the truth, whatever way bytes took (or did not take) into it.
    fn settle_size(&mut self) {
        if let Some(file) = &mut self.file {
            self.size = file.stream_position().unwrap_or(self.size);
        }
    }

    /// Near the limit the bytes must be looked at, to end the file with a line.
    fn copy(&mut self, pipe: &OwnedFd) -> io::Result<usize> {
        let mut buffer = vec![0; 2 * LINE_SCAN as usize];
        let count = read(pipe, &mut buffer)?;
        self.place(&buffer[..count]);
        Ok(count)
    }

    fn place(&mut self, chunk: &[u8]) {
        let room = self.max_bytes.saturating_sub(self.size) as usize;
        let cut = if chunk.len() < room {
            chunk.len()
        } else {
            self.cut(chunk, room)
        };
        self.write(&chunk[..cut]);
        let mut rest = &chunk[cut..];
        while !rest.is_empty() {
            self.rotate();
            let part = rest.len().min(self.max_bytes as usize);
            self.write(&rest[..part]);
            rest = &rest[part..];
        }
    }

    /// Writes bytes that did not come through a pipe.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.file.is_none() {
            self.open_file();
        }
        if self.size >= self.max_bytes {
            self.rotate();
        }
        self.place(bytes);
    }

    /// The file that is written, and how long it is.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        (self.index, self.size)
    }

    /// Takes back what was written after a position, so that it can be written again.
    pub fn rewind(&mut self, index: u64, size: u64) {
        if self.position() == (index, size) || index > self.index {
            return;
        }
        for later in index + 1..=self.index {
            self.remove(later);
        }
        self.index = index;
        self.open_file();
        if let Some(file) = &mut self.file
            && size < self.size
            && file.set_len(size).is_ok()
            && file.seek(SeekFrom::End(0)).is_ok()
        {
            self.size = size;
        }
    }

    fn cut(&self, chunk: &[u8], room: usize) -> usize {
        if let Some(end) = chunk[..room].iter().rposition(|byte| *byte == b'\n') {
            return end + 1;
        }
        let mut last = [0];
        let whole_lines_so_far = self.size > 0
            && self
                .file
                .as_ref()
                .is_some_and(|file| file.read_exact_at(&mut last, self.size - 1).is_ok())
            && last[0] == b'\n';
        if whole_lines_so_far {
            return 0;
        }
        chunk[room..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(room, |end| room + end + 1)
    }

    /// A failing write loses these bytes and nothing else.
    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
        self.settle_size();
    }
}

fn open_dir(dir: &Path) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).ok()
}

fn names(dir: &OwnedFd) -> Vec<String> {
    let entries = Dir::read_from(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()));
    names.collect()
}

/// The numbers of the files that are there already, in order.
fn indexes(names: &[String], prefix: &str) -> Vec<u64> {
    let number = |name: &String| name.strip_prefix(prefix)?.strip_prefix('.')?.parse().ok();
    let mut found: Vec<u64> = names.iter().filter_map(number).collect();
    found.sort_unstable();
    found
}

/// A file and its length, made where there is none. Nothing else will do: a pipe would hold the writer back, and behind a
/// link or a device is something else.
fn regular(dir: &OwnedFd, name: &str) -> io::Result<(u64, File)> {
    // Not in append mode, which splice refuses; this process is the only writer.
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(
        dir,
        name,
        flags,
        Mode::from_raw_mode(0o644),
    )?);
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((file.seek(SeekFrom::End(0))?, file))
}

fn splice(pipe: &OwnedFd, file: &File, most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    let count = rustix::pipe::splice(pipe, None, file, None, most.min(PIPE_SIZE), flags)?;
    if count >= 60 << 10 {
        // A busy writer: give it room so that both sides are woken less often. The host's limit may refuse.
        grow(pipe);
    }
    Ok(count)
}

fn grow(pipe: &OwnedFd) {
    if rustix::pipe::fcntl_getpipe_size(pipe).is_ok_and(|size| size < PIPE_SIZE) {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_SIZE);
    }
}

fn read(pipe: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(pipe.as_fd(), buffer)?)
}

fn discard(pipe: &OwnedFd) -> io::Result<usize> {
    let mut buffer = vec![0; 64 << 10];
    read(pipe, &mut buffer)
}

/// Standard output or error of the task on its way to the files.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) pipe: OwnedFd,
    pub(crate) rotator: Rotator,
}

impl Output {
    /// A fresh pipe: what the task writes to, and our end.
    pub(crate) fn new(rotator: Rotator) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let pipe = OwnedFd::from(reader);
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Self { pipe, rotator }, OwnedFd::from(writer)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::*;

    fn contents(path: &std::path::Path) -> Vec<u8> {
        fs::read(path).unwrap_or_default()
    }

    fn feed(dir: &std::path::Path, max_files: u32, max_bytes: u64, data: &[u8]) {
        let rotator = Rotator::open(dir.to_path_buf(), "t.stdout".into(), max_files, max_bytes);
        let (mut output, writer) = Output::new(rotator).expect("pipe");
        let data = data.to_vec();
        let writing = std::thread::spawn(move || File::from(writer).write_all(&data));
        loop {
            match output.rotator.pump(&output.pipe).expect("pumps") {
                Pumped::End => break,
                Pumped::Some => {}
                Pumped::Empty => std::thread::yield_now(),
            }
        }
        writing.join().expect("joined").expect("written");
    }

    fn numbered_lines(bytes: usize) -> Vec<u8> {
        let mut data = Vec::new();
        for n in 0.. {
            if data.len() >= bytes {
                break;
            }
            data.extend_from_slice(format!("line number {n} of many\n").as_bytes());
        }
        data
    }

    #[test]
    fn every_byte_is_kept_in_order_and_lines_stay_whole() {
        let dir = tempfile::tempdir().expect("dir");
        let data = numbered_lines(1_000_000);
        feed(dir.path(), 100, 100_000, &data);
        let mut joined = Vec::new();
        for index in 0.. {
            let part = contents(&dir.path().join(format!("t.stdout.{index}")));
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= 100_000 + LINE_SCAN as usize);
            assert_eq!(part.last(), Some(&b'\n'), "file {index} ends within a line");
            joined.extend(part);
        }
        assert!(joined == data, "bytes differ");
    }

    #[test]
    fn only_the_newest_files_stay_and_no_index_comes_twice() {
        let dir = tempfile::tempdir().expect("dir");
        feed(dir.path(), 2, 1000, &numbered_lines(5500));
        drop(Rotator::open(
            dir.path().to_path_buf(),
            "t.stdout".into(),
            2,
            1000,
        ));
        let first = indexes(&names(&open_dir(dir.path()).expect("opens")), "t.stdout");
        assert_eq!(first.len(), 2);
        feed(dir.path(), 2, 1000, &numbered_lines(3000));
        let second = indexes(&names(&open_dir(dir.path()).expect("opens")), "t.stdout");
        assert_eq!(second.len(), 2);
        assert!(second[0] > first[1], "{first:?} then {second:?}");
    }

    #[test]
    fn a_restart_appends() {
        let dir = tempfile::tempdir().expect("dir");
        feed(dir.path(), 2, 1 << 20, b"one\n");
        feed(dir.path(), 2, 1 << 20, b"two\n");
        assert_eq!(contents(&dir.path().join("t.stdout.0")), b"one\ntwo\n");
    }

    #[test]
    fn what_a_task_puts_in_the_way_is_not_written_through() {
        let (dir, outside) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).expect("made");
        let mut rotator = Rotator::open(logs.clone(), "t".into(), 10, 10);
        rotator.append(b"first....\n");
        // The directory becomes a link, after it was opened and before.
        fs::rename(&logs, dir.path().join("moved")).expect("moved");
        std::os::unix::fs::symlink(outside.path(), &logs).expect("linked");
        rotator.append(b"second...\n");
        assert_eq!(contents(&dir.path().join("moved/t.1")), b"second...\n");
        Rotator::open(logs, "t".into(), 10, 10).append(b"third....\n");
        assert_eq!(fs::read_dir(outside.path()).expect("listed").count(), 0);
        // So do files, or something that takes nothing.
        let victim = outside.path().join("victim");
        fs::write(&victim, "untouched").expect("written");
        std::os::unix::fs::symlink(&victim, dir.path().join("moved/t.2")).expect("linked");
        rotator.append(b"fourth...\n");
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&dir.path().join("moved/t.3"), mode).expect("made");
        rotator.append(b"fifth....\n");
        assert_eq!(contents(&victim), b"untouched");
    }

    #[test]
    fn a_missing_directory_costs_only_the_log() {
        feed(
            std::path::Path::new("/nonexistent/logs"),
            2,
            1000,
            &numbered_lines(300_000),
        );
    }

    #[test]
    fn a_full_device_costs_only_the_log() {
        let dir = tempfile::tempdir().expect("dir");
        let rotator = Rotator::open(dir.path().to_path_buf(), "t".into(), 2, 1 << 30);
        let (mut output, writer) = Output::new(rotator).expect("pipe");
        output.rotator.file = Some(
            OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/full")
                .expect("exists"),
        );
        let writing =
            std::thread::spawn(move || File::from(writer).write_all(&numbered_lines(500_000)));
        while output.rotator.pump(&output.pipe).expect("pumps") != Pumped::End {
            std::thread::yield_now();
        }
        writing
            .join()
            .expect("joined")
            .expect("the task never notices");
    }
}
