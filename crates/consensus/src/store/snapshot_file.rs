//! The snapshot file: a header frame, data frames of bounded size, an end frame.
//!
//! It is written beside its final name, fsynced, and renamed; a reader accepts it only whole.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use caravan_wire::{Format, HEADER_LEN, WireError};

use crate::{
    error::wire_to_io,
    raft::SnapshotMeta,
    record::{SNAPSHOT_DATA, SNAPSHOT_END, SNAPSHOT_META, SnapshotEndRecord, SnapshotMetaRecord},
};

const PIECE: usize = 1 << 20;

/// Why a snapshot file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("damaged: {0}")]
    Corrupt(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Corrupt(reason) => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("raft snapshot is damaged: {reason}"),
            ),
            FileError::Io(error) => error,
        }
    }
}

impl From<WireError> for FileError {
    fn from(error: WireError) -> Self {
        FileError::Corrupt(error.to_string())
    }
}

/// Writes a complete, durable file beside `path` and returns its name.
pub(crate) fn write(
    path: &Path,
    meta: &SnapshotMeta,
    body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let temporary = temporary_name(path);
    let written = write_all(&temporary, meta, body);
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| temporary)
}

fn write_all(
    temporary: &Path,
    meta: &SnapshotMeta,
    body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, File::create(temporary)?);
    out.write_all(
        &SNAPSHOT_META
            .encode(&SnapshotMetaRecord::from(meta))
            .map_err(wire_to_io)?,
    )?;
    let mut pieces = Pieces {
        out: &mut out,
        piece: Vec::with_capacity(PIECE),
        bytes: 0,
    };
    body(&mut pieces)?;
    let bytes = pieces.finish()?;
    out.write_all(
        &SNAPSHOT_END
            .encode(&SnapshotEndRecord { bytes })
            .map_err(wire_to_io)?,
    )?;
    out.into_inner()?.sync_all()
}

/// Makes a written file the current one, durably.
pub(crate) fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temporary, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes what a crash left behind.
pub(crate) fn remove_leftovers(path: &Path) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let prefix = format!("{}.tmp", name.to_string_lossy());
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Reads all of it.
pub(crate) fn read(file: &mut File) -> Result<(SnapshotMeta, Bytes), FileError> {
    let mut data = Vec::new();
    let meta = scan(file, &mut |piece| data.extend_from_slice(piece))?;
    Ok((meta, data.into()))
}

/// Checks all of it, in constant space.
pub(crate) fn verify(file: &mut File) -> Result<SnapshotMeta, FileError> {
    scan(file, &mut |_| {})
}

fn scan(file: &mut File, each: &mut dyn FnMut(&[u8])) -> Result<SnapshotMeta, FileError> {
    let mut input = BufReader::with_capacity(64 << 10, file);
    let mut frame = Vec::new();
    next_frame(&mut input, &[SNAPSHOT_META], &mut frame)?;
    let record: SnapshotMetaRecord = SNAPSHOT_META.decode(&frame)?;
    let meta =
        SnapshotMeta::try_from(record).map_err(|error| FileError::Corrupt(error.to_string()))?;
    let mut bytes = 0;
    while next_frame(&mut input, &[SNAPSHOT_DATA, SNAPSHOT_END], &mut frame)? == SNAPSHOT_DATA {
        let (piece, _) = SNAPSHOT_DATA.split(&frame)?;
        bytes += piece.len() as u64;
        each(piece);
    }
    let end: SnapshotEndRecord = SNAPSHOT_END.decode(&frame)?;
    if end.bytes != bytes {
        return Err(FileError::Corrupt(format!(
            "{bytes} bytes of data where {} were written",
            end.bytes
        )));
    }
    if input.read(&mut [0])? != 0 {
        return Err(FileError::Corrupt("bytes follow its end".to_owned()));
    }
    Ok(meta)
}

/// Reads one frame of an expected format; its length is checked before it is believed.
fn next_frame(
    input: &mut impl Read,
    expected: &[Format],
    frame: &mut Vec<u8>,
) -> Result<Format, FileError> {
    frame.clear();
    frame.resize(HEADER_LEN, 0);
    read_exact(input, frame)?;
    let mut wrong = None;
    for format in expected {
        match format.header(frame) {
            Ok(header) => {
                frame.resize(HEADER_LEN + header.length, 0);
                read_exact(input, &mut frame[HEADER_LEN..])?;
                return Ok(*format);
            }
            Err(error) => wrong = Some(error),
        }
    }
    Err(wrong.map_or_else(
        || FileError::Corrupt("no frame".to_owned()),
        FileError::from,
    ))
}

fn read_exact(input: &mut impl Read, buffer: &mut [u8]) -> Result<(), FileError> {
    input.read_exact(buffer).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return FileError::Corrupt("it ends too early".to_owned());
        }
        FileError::Io(error)
    })
}

/// Two snapshots may be written at once (one built here, one received); they must not meet.
fn temporary_name(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".tmp{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

/// Cuts a stream into data frames.
struct Pieces<'a, W: Write> {
    out: &'a mut W,
    piece: Vec<u8>,
    bytes: u64,
}

impl<W: Write> Pieces<'_, W> {
    fn emit(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.bytes += self.piece.len() as u64;
            self.out
                .write_all(&SNAPSHOT_DATA.wrap(&self.piece).map_err(wire_to_io)?)?;
            self.piece.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<u64> {
        self.emit()?;
        Ok(self.bytes)
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.piece.len();
        let taken = room.min(buf.len());
        self.piece.extend_from_slice(&buf[..taken]);
        if self.piece.len() == PIECE {
            self.emit()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
