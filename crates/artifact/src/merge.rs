//! Moves a tree to its place, below a directory where tasks may put links at any moment: each directory on the way is
//! opened in the one before, and none of them is a link.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::FetchError;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Moves a tree to `destination` below `root`. Directories are merged, files replaced.
pub(crate) fn merge(tree: &Path, root: &Path, destination: &Path) -> Result<(), FetchError> {
    let escapes = || FetchError::Escapes(destination.display().to_string());
    let below = destination.strip_prefix(root).map_err(|_| escapes())?;
    if is_dir(tree) {
        return merge_entries(tree, &reach(root, below)?, destination);
    }
    let name = below.file_name().ok_or_else(escapes)?;
    let folder = reach(root, below.parent().unwrap_or(Path::new("")))?;
    put(tree, &folder, name, destination)
}

/// The directory below `root`, made where it is not there.
fn reach(root: &Path, below: &Path) -> Result<OwnedFd, FetchError> {
    let mut so_far = root.to_path_buf();
    let mut at = rustix::fs::openat(CWD, root, DIRECTORY, Mode::empty())
        .map_err(|error| fail(root, error))?;
    for part in below.components() {
        so_far.push(part);
        let Component::Normal(name) = part else {
            return Err(FetchError::Escapes(so_far.display().to_string()));
        };
        let made = match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(fail(&so_far, error)),
        };
        at = open_dir(&at, name).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => FetchError::Escapes(format!(
                "{}, which is in the way and no directory,",
                so_far.display()
            )),
            other => fail(&so_far, other),
        })?;
        if made {
            rustix::fs::fchmod(&at, Mode::from_raw_mode(0o755))
                .map_err(|error| fail(&so_far, error))?;
        }
    }
    Ok(at)
}

fn merge_entries(tree: &Path, into: &OwnedFd, shown: &Path) -> Result<(), FetchError> {
    let entries = fs::read_dir(tree).map_err(FetchError::io(shown.display().to_string()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        put(&entry.path(), into, &name, &shown.join(&name))?;
    }
    Ok(())
}

/// Gives a tree a name in a directory.
fn put(tree: &Path, folder: &OwnedFd, name: &OsStr, shown: &Path) -> Result<(), FetchError> {
    if let Ok(there) = open_dir(folder, name) {
        if is_dir(tree) {
            return merge_entries(tree, &there, shown);
        }
        return Err(FetchError::Source(format!(
            "{} is a directory, and a file was fetched",
            shown.display()
        )));
    }
    // What is no directory makes room, a link as such.
    let _ = rustix::fs::unlinkat(folder, name, AtFlags::empty());
    match rustix::fs::renameat(CWD, tree, folder, name) {
        Err(Errno::XDEV) => {
            copy(tree, folder, name).map_err(FetchError::io(shown.display().to_string()))
        }
        other => other.map_err(|error| fail(shown, error)),
    }
}

/// The secrets directory is a file system of its own.
fn copy(tree: &Path, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let found = fs::symlink_metadata(tree)?;
    let mode = Mode::from_raw_mode(found.permissions().mode() & 0o777);
    if found.is_symlink() {
        rustix::fs::symlinkat(fs::read_link(tree)?, folder, name)?;
    } else if found.is_dir() {
        rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o700))?;
        let there = open_dir(folder, name)?;
        for entry in fs::read_dir(tree)? {
            let entry = entry?;
            copy(&entry.path(), &there, &entry.file_name())?;
        }
        rustix::fs::fchmod(&there, mode)?;
    } else {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
        let (mut from, mut to) = (open_file(tree)?, File::from(file));
        io::copy(&mut from, &mut to)?;
        rustix::fs::fchmod(&to, mode)?;
    }
    let (user, group) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    Ok(rustix::fs::chownat(
        folder,
        name,
        Some(user),
        Some(group),
        flags,
    )?)
}

fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn open_dir(folder: &OwnedFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(folder, name, DIRECTORY, Mode::empty())
}

fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn fail(path: &Path, error: Errno) -> FetchError {
    FetchError::io(path.display().to_string())(error.into())
}
