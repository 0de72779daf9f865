//! What an archive says of a file besides its name and content, and how the file gets it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use tar::{Entry, EntryType, Header};

/// How extended attributes are named in archives.
pub(super) const ATTRIBUTE: &str = "SCHILY.xattr.";
const BLOCK: usize = 512;

/// What an entry says of itself.
pub(super) struct Marks {
    pub(super) mode: Mode,
    pub(super) modified: Timestamps,
    owner: Option<(Uid, Gid)>,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Marks {
    /// `owners` where this process may give files away; attributes are in what stands before an entry of a layer.
    pub(super) fn of(
        entry: &Entry<'_, impl Read>,
        owners: bool,
        before: Option<&[u8]>,
    ) -> io::Result<Self> {
        let attributes = before.map(attributes).unwrap_or_default();
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
fn attributes(before: &[u8]) -> Vec<(String, Vec<u8>)> {
    let all = records(extension(before).unwrap_or_default());
    let wanted = all.filter_map(|(key, value)| {
        let name = std::str::from_utf8(key).ok()?.strip_prefix(ATTRIBUTE)?;
        let wanted = name == "security.capability" || name.starts_with("user.");
        wanted.then(|| (name.to_owned(), value.to_vec()))
    });
    wanted.collect()
}

/// What is said of the entry besides its header. The crate's own reader takes it for lines, and loses values with the byte
/// of a new line in them, as capabilities may have it.
fn extension(mut before: &[u8]) -> Option<&[u8]> {
    loop {
        let (header, rest) = before.split_at_checked(BLOCK)?;
        let header = Header::from_byte_slice(header);
        let size = usize::try_from(header.entry_size().ok()?).ok()?;
        match header.entry_type() {
            EntryType::XHeader => return rest.get(..size),
            EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {
                before = rest.get(size.checked_next_multiple_of(BLOCK)?..)?;
            }
            _ => return None,
        }
    }
}

/// Each is `length key=value` and a new line; the length is that of all this.
fn records(mut text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let space = text.iter().position(|byte| *byte == b' ')?;
        let length = std::str::from_utf8(text.get(..space)?).ok()?;
        let (record, rest) = text.split_at_checked(length.parse().ok()?)?;
        text = rest;
        let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair.get(..equals)?, pair.get(equals + 1..)?))
    })
}
