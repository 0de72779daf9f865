//! What an archive says of a file besides its name and content, and how the file gets it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use tar::Entry;

/// How extended attributes are named in archives.
pub(super) const ATTRIBUTE: &str = "SCHILY.xattr.";

/// What an entry says of itself.
pub(super) struct Marks {
    pub(super) mode: Mode,
    pub(super) modified: Timestamps,
    owner: Option<(Uid, Gid)>,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Marks {
    /// `owners` where this process may give files away; a `layer` has attributes, too.
    pub(super) fn of(
        entry: &mut Entry<'_, impl Read>,
        owners: bool,
        layer: bool,
    ) -> io::Result<Self> {
        let attributes = if layer {
            attributes(entry)?
        } else {
            Vec::new()
        };
        let header = entry.header();
        let id = |id: u64| u32::try_from(id).unwrap_or(u32::MAX - 1);
        let owner = match owners {
            true => Some((
                Uid::from_raw(id(header.uid()?)),
                Gid::from_raw(id(header.gid()?)),
            )),
            false => None,
        };
        let time = Timespec {
            tv_sec: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0),
            tv_nsec: 0,
        };
        Ok(Self {
            mode: Mode::from_raw_mode(header.mode()? & 0o7777),
            owner,
            modified: Timestamps {
                last_access: time,
                last_modification: time,
            },
            attributes,
        })
    }

    /// Gives a file or directory its owner, mode and attributes; these where the file system has them and this process
    /// may.
    pub(super) fn give(&self, file: impl AsFd) -> io::Result<()> {
        if let Some((user, group)) = self.owner {
            rustix::fs::fchown(&file, Some(user), Some(group))?;
        }
        // After the owner, whose change takes the set-user bits and capabilities away.
        rustix::fs::fchmod(&file, self.mode)?;
        for (name, value) in &self.attributes {
            match rustix::fs::fsetxattr(&file, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives what cannot be opened (a link, a pipe) its owner.
    pub(super) fn give_link(&self, directory: &OwnedFd, name: &OsStr) -> io::Result<()> {
        if let Some((user, group)) = self.owner {
            rustix::fs::chownat(
                directory,
                name,
                Some(user),
                Some(group),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        Ok(())
    }
}

/// The attributes of an entry that an image may set. Those of the kernel's own machinery (of overlays, of security
/// modules) would say more of the machine than of the file.
fn attributes(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    // One whose value has the byte of a new line in it cannot be read.
    for extension in entry.pax_extensions()?.into_iter().flatten().flatten() {
        let name = extension
            .key()
            .ok()
            .and_then(|key| key.strip_prefix(ATTRIBUTE));
        let Some(name) = name else { continue };
        if name == "security.capability" || name.starts_with("user.") {
            found.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}
