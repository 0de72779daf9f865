//! How one entry of an archive becomes part of a tree.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use tar::{Entry, EntryType};

use crate::tree::marks::Marks;
use crate::tree::place::{Root, kind, names, plain, remove};

/// Where entries are put.
pub(super) struct Target {
    pub(super) root: Root,
    /// Entries keep their owners.
    pub(super) owners: bool,
    /// What this archive brought, where it is a layer.
    pub(super) made: Option<BTreeSet<PathBuf>>,
}

impl Target {
    /// `before` is what the archive has between the entry before and the content of this one.
    pub(super) fn put(
        &mut self,
        path: &Path,
        entry: &mut Entry<'_, impl Read>,
        before: &[u8],
    ) -> io::Result<()> {
        let layer = self.made.is_some();
        let marks = Marks::of(entry, self.owners, layer.then_some(before))?;
        let kind = entry.header().entry_type();
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        match kind {
            EntryType::Directory => self.put_directory(path, name, &marks)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.put_file(path, name, entry, &marks)?;
            }
            EntryType::Symlink => {
                let Some(to) = entry.link_name_bytes() else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                let to = OsString::from_vec(to.into_owned());
                let directory = self.cleared(path, name)?;
                rustix::fs::symlinkat(&to, directory, name)?;
                marks.give_link(directory, name)?;
            }
            EntryType::Link => {
                let Some(to) = entry.link_name()? else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                self.put_link(path, name, &plain(&to))?;
            }
            EntryType::Fifo => {
                let directory = self.cleared(path, name)?;
                rustix::fs::mknodat(directory, name, FileType::Fifo, marks.mode, 0)?;
                marks.give_link(directory, name)?;
            }
            // Devices are given by who runs a task, never by files.
            _ => return Ok(()),
        }
        if let Some(made) = &mut self.made {
            made.insert(path.to_owned());
        }
        Ok(())
    }

    /// The directory that an entry lies in, without what had the entry's name.
    fn cleared(&mut self, path: &Path, name: &OsStr) -> io::Result<&OwnedFd> {
        let directory = self
            .root
            .directory(path.parent().unwrap_or(Path::new("")))?;
        remove(directory, name)?;
        Ok(directory)
    }

    fn put_file(
        &mut self,
        path: &Path,
        name: &OsStr,
        content: &mut impl Read,
        marks: &Marks,
    ) -> io::Result<()> {
        let directory = self.cleared(path, name)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(file);
        io::copy(content, &mut file)?;
        marks.give(&file)?;
        rustix::fs::futimens(&file, &marks.modified)?;
        Ok(())
    }

    fn put_directory(&mut self, path: &Path, name: &OsStr, marks: &Marks) -> io::Result<()> {
        let directory = self
            .root
            .directory(path.parent().unwrap_or(Path::new("")))?;
        if kind(directory, name)? != Some(FileType::Directory) {
            remove(directory, name)?;
            rustix::fs::mkdirat(directory, name, marks.mode)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(directory, name, flags, Mode::empty())?;
        marks.give(&made)
    }

    /// A second name of a file that is there.
    fn put_link(&mut self, path: &Path, name: &OsStr, to: &Path) -> io::Result<()> {
        let Some(old) = to.file_name() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let from = self
            .root
            .directory(to.parent().unwrap_or(Path::new("")))?
            .try_clone()?;
        if kind(&from, old)? == Some(FileType::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if path != to {
            let directory = self.cleared(path, name)?;
            rustix::fs::linkat(&from, old, directory, name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// Whether the entry only takes away what lower layers brought.
    pub(super) fn white_out(&mut self, path: &Path) -> io::Result<bool> {
        const MARK: &[u8] = b".wh.";
        const OPAQUE: &[u8] = b".wh..wh..opq";
        let Some(name) = path.file_name().map(OsStr::as_bytes) else {
            return Ok(false);
        };
        let Some(gone) = name.strip_prefix(MARK) else {
            return Ok(false);
        };
        let parent = path.parent().unwrap_or(Path::new(""));
        if name == OPAQUE {
            let directory = self.root.directory(parent)?;
            for name in names(directory)? {
                let own = |made: &BTreeSet<PathBuf>| made.contains(&parent.join(&name));
                if !self.made.as_ref().is_some_and(own) {
                    remove(directory, &name)?;
                }
            }
        } else if !gone.is_empty() && gone != b"." && gone != b".." {
            remove(self.root.directory(parent)?, OsStr::from_bytes(gone))?;
        }
        Ok(true)
    }
}
