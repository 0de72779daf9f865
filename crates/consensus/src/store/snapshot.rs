//! The one current snapshot: a frozen state in memory (`-dev`), or a file.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{
    Capture, StartError,
    raft::SnapshotMeta,
    store::snapshot_file::{self, FileError},
};

/// State at rest, not yet loaded. A file stays readable after a newer one has replaced it.
pub(crate) enum Body {
    Bytes(Bytes),
    Frozen(Arc<Capture>),
    File(File),
}

impl Body {
    /// Serialises or reads the whole state; blocks.
    pub(crate) fn load(self) -> io::Result<Bytes> {
        match self {
            Body::Bytes(bytes) => Ok(bytes),
            Body::Frozen(capture) => {
                let mut out = Vec::new();
                capture(&mut out)?;
                Ok(out.into())
            }
            Body::File(mut file) => {
                let (_, data) = snapshot_file::read(&mut file).map_err(io::Error::from)?;
                Ok(data)
            }
        }
    }
}

/// What a memory store keeps.
enum Kept {
    Bytes(Bytes),
    Frozen(Arc<Capture>),
}

enum Place {
    Memory(Option<Kept>),
    File(PathBuf),
}

struct Current {
    meta: Option<SnapshotMeta>,
    place: Place,
}

/// Cheap to clone; every clone sees the same snapshot.
#[derive(Clone)]
pub(crate) struct SnapshotStore {
    current: Arc<Mutex<Current>>,
}

impl SnapshotStore {
    pub(crate) fn memory() -> SnapshotStore {
        SnapshotStore::new(None, Place::Memory(None))
    }

    /// Opens the snapshot at `path`, which need not exist, and checks all of it.
    pub(crate) fn open(path: &Path) -> Result<SnapshotStore, StartError> {
        let meta = match File::open(path) {
            Ok(mut file) => match snapshot_file::verify(&mut file) {
                Ok(meta) => Some(meta),
                Err(FileError::Corrupt(reason)) => {
                    return Err(StartError::CorruptSnapshot {
                        path: path.to_owned(),
                        reason,
                    });
                }
                Err(FileError::Io(source)) => return Err(in_path(path, source)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(in_path(path, error)),
        };
        Ok(SnapshotStore::new(meta, Place::File(path.to_owned())))
    }

    fn new(meta: Option<SnapshotMeta>, place: Place) -> SnapshotStore {
        SnapshotStore {
            current: Arc::new(Mutex::new(Current { meta, place })),
        }
    }

    pub(crate) fn meta(&self) -> Option<SnapshotMeta> {
        self.lock().meta.clone()
    }

    /// The current snapshot, opened.
    pub(crate) fn current(&self) -> io::Result<Option<(SnapshotMeta, Body)>> {
        let current = self.lock();
        let Some(meta) = current.meta.clone() else {
            return Ok(None);
        };
        let body = match &current.place {
            Place::Memory(Some(Kept::Bytes(bytes))) => Body::Bytes(bytes.clone()),
            Place::Memory(Some(Kept::Frozen(capture))) => Body::Frozen(Arc::clone(capture)),
            Place::Memory(None) => return Ok(None),
            Place::File(path) => Body::File(File::open(path)?),
        };
        Ok(Some((meta, body)))
    }

    /// Keeps a state that this node froze; blocks while it writes. An older one changes nothing.
    pub(crate) fn save(&self, meta: &SnapshotMeta, capture: Capture) -> io::Result<()> {
        let path = match &self.lock().place {
            Place::File(path) => Some(path.clone()),
            Place::Memory(_) => None,
        };
        match path {
            None => self.replace(meta, Some(Kept::Frozen(Arc::new(capture)))),
            Some(path) => {
                let temporary = snapshot_file::write(&path, meta, &mut |out| capture(out))?;
                self.publish(meta, &temporary, &path)?;
            }
        }
        Ok(())
    }

    /// Keeps a state that the leader sent; blocks while it writes.
    pub(crate) fn save_received(&self, meta: &SnapshotMeta, data: Bytes) -> io::Result<()> {
        let path = match &self.lock().place {
            Place::File(path) => Some(path.clone()),
            Place::Memory(_) => None,
        };
        match path {
            None => self.replace(meta, Some(Kept::Bytes(data))),
            Some(path) => {
                let temporary =
                    snapshot_file::write(&path, meta, &mut |out| io::Write::write_all(out, &data))?;
                self.publish(meta, &temporary, &path)?;
            }
        }
        Ok(())
    }

    fn replace(&self, meta: &SnapshotMeta, kept: Option<Kept>) {
        let mut current = self.lock();
        if current.is_older_than(meta) {
            current.place = Place::Memory(kept);
            current.meta = Some(meta.clone());
        }
    }

    fn publish(&self, meta: &SnapshotMeta, temporary: &Path, path: &Path) -> io::Result<()> {
        let mut current = self.lock();
        if current.is_older_than(meta) {
            snapshot_file::publish(temporary, path)?;
            current.meta = Some(meta.clone());
            return Ok(());
        }
        std::fs::remove_file(temporary)
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn is_older_than(&self, meta: &SnapshotMeta) -> bool {
        self.meta
            .as_ref()
            .is_none_or(|have| have.last_log_id <= meta.last_log_id)
    }
}

fn in_path(path: &Path, source: io::Error) -> StartError {
    StartError::Io {
        path: path.to_owned(),
        source,
    }
}
