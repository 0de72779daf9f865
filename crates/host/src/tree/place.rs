//! Where an entry goes: directories below a root, opened one in the other.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::below::{Below, Links};

/// The name in an archive without `.`, `..` and leading slashes, as a chroot would take it.
pub(super) fn plain(name: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => out.push(part),
            Component::ParentDir => drop(out.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

/// Opens a file for reading; the path and every link on it are taken as if `root` were the whole machine.
///
/// # Errors
/// What the system has against it.
pub fn open(root: &Path, path: &Path) -> io::Result<File> {
    // A pipe does not hold the reader back.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let opened = Below::open(root, Links::Inside)?.at(path, flags, Mode::empty())?;
    Ok(File::from(opened))
}

/// A root, and the directory that was used last. What is removed lies in that, so it never lies in what is removed.
pub(super) struct Root {
    root: Below,
    last: Option<(PathBuf, OwnedFd)>,
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let root = Below::open(path, Links::Inside)?;
        Ok(Self { root, last: None })
    }

    /// The directory at `path`, made if it is not there.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<&OwnedFd> {
        let known = self.last.as_ref().is_some_and(|(last, _)| last == path);
        if !known {
            let opened = self.root.make_dirs(path, 0o755)?;
            self.last = Some((path.to_owned(), opened));
        }
        match &self.last {
            Some((_, directory)) => Ok(directory),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What kind of thing has this name in the directory; `None`: nothing has it.
pub(super) fn kind(directory: &OwnedFd, name: &OsStr) -> io::Result<Option<FileType>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes away what has this name, a directory with all that is in it. Nothing is an answer, too.
pub(super) fn remove(directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match kind(directory, name)? {
        None => Ok(()),
        // Does not follow links.
        Some(FileType::Directory) => std::fs::remove_dir_all(path_of(directory).join(name)),
        Some(_) => Ok(rustix::fs::unlinkat(directory, name, AtFlags::empty())?),
    }
}

/// The names in a directory.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let entries = std::fs::read_dir(path_of(directory))?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

/// A path to an open directory itself, wherever it is by now.
fn path_of(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd()))
}
