//! From an archive to a tree.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use tar::{Entry, EntryType};

use super::TreeError;
use super::place::{Root, plain};

mod guarded;
mod target;

use guarded::Guarded;
use target::Target;

/// What the names of all entries may hold together. They are held in memory, too.
const MOST_NAMES: usize = 512 << 20;

/// How an archive is unpacked.
pub struct Unpack<'a> {
    /// Entries for which this says no are passed over.
    pub wanted: &'a dyn Fn(&Path) -> bool,
    /// The archive is a layer over what is there: entries `.wh.NAME` take names away.
    pub layer: bool,
    /// The most that files may hold, together.
    pub max_bytes: u64,
    /// The most entries.
    pub max_entries: u64,
}

/// Unpacks into `root`, which is there; the answer is how many bytes the files hold. Devices are passed over; everything
/// else keeps its owner (where this process may give that), mode and time, and in layers what more programs say of their
/// files: capabilities, and attributes of users.
///
/// # Errors
/// See [`TreeError`].
pub fn unpack(archive: impl Read, root: &Path, how: &Unpack<'_>) -> Result<u64, TreeError> {
    let mut target = Target {
        root: Root::open(root).map_err(TreeError::at(root))?,
        owners: nix::unistd::geteuid().is_root(),
        made: how.layer.then(BTreeSet::new),
    };
    let (mut bytes, mut count, mut names) = (0_u64, 0_u64, 0_usize);
    let (read, next) = (Cell::new(0), Cell::new(0));
    let before = RefCell::default();
    let mut archive = tar::Archive::new(Guarded {
        archive,
        read: &read,
        next: &next,
        before: &before,
    });
    for entry in archive.entries().map_err(TreeError::Archive)? {
        let mut entry = entry.map_err(TreeError::Archive)?;
        let before = before.take();
        let stored = stored(&entry).map_err(TreeError::Archive)?;
        next.set(read.get().saturating_add(whole_blocks(stored)));
        let path = plain(&entry.path().map_err(TreeError::Archive)?);
        if path.components().count() > super::DEEPEST {
            return Err(TreeError::TooMuch("directories in each other"));
        }
        if !(how.wanted)(&path) {
            continue;
        }
        count += 1;
        if count > how.max_entries {
            return Err(TreeError::TooMuch("entries"));
        }
        names = names.saturating_add(path.as_os_str().len());
        if names > MOST_NAMES {
            return Err(TreeError::TooMuch("names"));
        }
        if how.layer && target.white_out(&path).map_err(TreeError::at(&path))? {
            continue;
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > how.max_bytes {
            return Err(TreeError::TooMuch("bytes"));
        }
        target
            .put(&path, &mut entry, &before)
            .map_err(TreeError::at(&path))?;
    }
    Ok(bytes)
}

/// How many bytes of the archive belong to the entry; a sparse file has more than are stored.
fn stored(entry: &Entry<'_, impl Read>) -> io::Result<u64> {
    match entry.header().entry_type() {
        EntryType::GNUSparse => entry.header().entry_size(),
        _ => Ok(entry.size()),
    }
}

/// What an archive takes for so many bytes.
fn whole_blocks(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(512).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::marks::ATTRIBUTE;
    use super::guarded::MOST_BEFORE;
    use super::*;
    use rustix::fs::XattrFlags;
    use std::os::unix::fs::{MetadataExt, symlink};

    use EntryType::{Block, Directory, Fifo, Link, Regular, Symlink};

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o750);
            header.set_uid(nix::unistd::geteuid().as_raw().into());
            header.set_gid(nix::unistd::getegid().as_raw().into());
            header.set_mtime(1_000_000);
            // Names that no tool writes are set byte by byte.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            let data = if *kind == Regular {
                content.as_bytes()
            } else {
                b""
            };
            if data.is_empty() {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn all(layer: bool) -> Unpack<'static> {
        Unpack {
            wanted: &|_| true,
            layer,
            max_bytes: 1 << 20,
            max_entries: 100,
        }
    }

    fn put(root: &Path, entries: &[(&str, EntryType, &str)]) -> Result<u64, TreeError> {
        unpack(archive(entries).as_slice(), root, &all(true))
    }

    #[test]
    fn nothing_is_written_outside() {
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&outside).unwrap();
        let out = outside.to_str().unwrap();
        for entries in [
            &[("../outside/x", Regular, "evil")][..],
            &[("/outside/x", Regular, "evil")],
            &[("a", Symlink, out), ("a/x", Regular, "evil")],
            &[("b", Symlink, "../outside"), ("b/x", Regular, "evil")],
            &[
                ("c", Symlink, out),
                ("c", Directory, ""),
                ("c/x", Regular, "fine"),
            ],
            &[("d", Symlink, "/proc/self/cwd"), ("d/x", Regular, "evil")],
            &[("e", Link, "../outside/secret")],
            &[("f", Symlink, out), ("f/.wh.kept", Regular, "")],
            &[("g", Symlink, out), ("g/.wh..wh..opq", Regular, "")],
        ] {
            std::fs::write(outside.join("kept"), "kept").unwrap();
            // Refused, or put somewhere inside: either is right.
            let _ = put(&root, entries);
            let left: Vec<_> = std::fs::read_dir(&outside).unwrap().flatten().collect();
            assert_eq!(left.len(), 1, "{entries:?}");
        }
        assert_eq!(std::fs::read_to_string(root.join("c/x")).unwrap(), "fine");
    }

    #[test]
    fn links_of_lower_layers_lead_where_they_would_in_the_root() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("usr/lib")).unwrap();
        symlink("/usr/lib", temp.path().join("lib")).unwrap();
        put(
            temp.path(),
            &[("lib/x", Regular, "here"), ("lib/y", Link, "usr/lib/x")],
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(temp.path().join("usr/lib/y")).unwrap(),
            "here"
        );
        let found = std::fs::metadata(temp.path().join("usr/lib/x")).unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.mtime(), found.nlink()),
            (0o750, 1_000_000, 2)
        );
    }

    #[test]
    fn layers_take_away_and_replace() {
        let temp = tempfile::tempdir().unwrap();
        let there = |name: &str| temp.path().join(name).symlink_metadata().is_ok();
        put(
            temp.path(),
            &[
                ("a/old", Regular, "1"),
                ("b/old", Regular, "1"),
                ("c", Regular, "a file"),
                ("d/x", Regular, "1"),
                ("pipe", Fifo, ""),
                ("disk", Block, ""),
            ],
        )
        .unwrap();
        assert!(there("pipe") && !there("disk"));
        put(
            temp.path(),
            &[
                ("a/.wh.old", Regular, ""),
                ("b/new", Regular, "2"),
                ("b/.wh..wh..opq", Regular, ""),
                ("c", Directory, ""),
                ("c/in", Regular, "2"),
                ("d", Regular, "now a file"),
            ],
        )
        .unwrap();
        assert!(!there("a/old") && !there("b/old") && there("b/new") && there("c/in"));
        assert_eq!(
            std::fs::read_to_string(temp.path().join("d")).unwrap(),
            "now a file"
        );
    }

    /// A layer of one file that has these attributes.
    fn with_attributes(attributes: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let keys: Vec<String> = attributes
            .iter()
            .map(|(name, _)| format!("{ATTRIBUTE}{name}"))
            .collect();
        let pairs = keys.iter().zip(attributes);
        let pairs = pairs.map(|(key, (_, value))| (key.as_str(), *value));
        builder.append_pax_extensions(pairs).unwrap();
        builder
            .append(
                tar::Archive::new(archive(&[("x", Regular, "1")]).as_slice())
                    .entries()
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
                    .header(),
                &b"1"[..],
            )
            .unwrap();
        builder.into_inner().unwrap()
    }

    fn attribute_of(path: &Path, name: &str) -> Option<Vec<u8>> {
        let mut value = vec![0; 256];
        let length = rustix::fs::getxattr(path, name, value.as_mut_slice()).ok()?;
        value.truncate(length);
        Some(value)
    }

    #[test]
    fn layers_say_what_programs_may_and_no_more() {
        // `cap_net_raw` in the second revision of the format.
        const LINES: &[u8] = b"\n\n23 SCHILY.xattr.user.x=1\n\0\n";
        const NET_RAW: &[u8] = &[1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let layer = with_attributes(&[
            ("security.capability", NET_RAW),
            ("user.note", b"kept"),
            ("trusted.overlay.redirect", b"/etc"),
            ("user.lines", LINES),
        ]);
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("x");
        unpack(layer.as_slice(), temp.path(), &all(true)).unwrap();
        assert_eq!(attribute_of(&path, "trusted.overlay.redirect"), None);
        let probe = temp.path().join("probe");
        std::fs::write(&probe, "").unwrap();
        let possible = |name: &str, value: &[u8]| {
            rustix::fs::setxattr(&probe, name, value, XattrFlags::empty()).is_ok()
        };
        assert_eq!(attribute_of(&path, "user.x"), None);
        for (name, value) in [
            ("security.capability", NET_RAW),
            ("user.note", b"kept"),
            ("user.lines", LINES),
        ] {
            if possible(name, value) {
                assert_eq!(attribute_of(&path, name).as_deref(), Some(value), "{name}");
            } else {
                println!(
                    "SKIPPED: layers_say_what_programs_may_and_no_more: no {name} can be set here"
                );
            }
        }
        // What comes from another node is not believed.
        let other = tempfile::tempdir().unwrap();
        unpack(layer.as_slice(), other.path(), &all(false)).unwrap();
        assert_eq!(
            attribute_of(&other.path().join("x"), "security.capability"),
            None
        );
    }

    #[test]
    fn bounds_hold() {
        let temp = tempfile::tempdir().unwrap();
        let bytes = archive(&[("a", Regular, "123"), ("b", Regular, "456")]);
        let with = |max_bytes, max_entries| {
            let how = Unpack {
                max_bytes,
                max_entries,
                ..all(false)
            };
            unpack(bytes.as_slice(), temp.path(), &how)
        };
        assert!(matches!(with(5, 2), Err(TreeError::TooMuch("bytes"))));
        assert!(matches!(with(6, 1), Err(TreeError::TooMuch("entries"))));
        assert_eq!(with(6, 2).unwrap(), 6);
        assert!(matches!(
            unpack(&bytes[..700], temp.path(), &all(false)),
            Err(TreeError::Archive(_) | TreeError::Io { .. })
        ));
    }

    /// An archive of one file whose name is this long.
    fn named(length: u64) -> impl Read {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(length);
        header.set_cksum();
        let padding = length.next_multiple_of(512) - length;
        let (head, rest) = (header.as_bytes().to_vec(), archive(&[("x", Regular, "1")]));
        io::Cursor::new(head)
            .chain(io::repeat(b'n').take(length))
            .chain(io::repeat(0).take(padding))
            .chain(io::Cursor::new(rest))
    }

    #[test]
    fn names_do_not_fill_the_memory() {
        let temp = tempfile::tempdir().unwrap();
        unpack(named(200), temp.path(), &all(true)).unwrap();
        assert!(temp.path().join("n".repeat(200)).exists());
        // More than any machine has: held in memory it would end this process.
        let refused = unpack(named(1 << 50), temp.path(), &all(true)).unwrap_err();
        assert!(refused.to_string().contains("too long"), "{refused}");
    }

    #[test]
    fn what_is_passed_over_may_be_large() {
        let temp = tempfile::tempdir().unwrap();
        let large = 3 * MOST_BEFORE;
        let mut builder = tar::Builder::new(Vec::new());
        for (name, size) in [
            ("large/1", large),
            ("small", 3),
            ("large/2", large),
            ("end", 4),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_uid(nix::unistd::geteuid().as_raw().into());
            header.set_gid(nix::unistd::getegid().as_raw().into());
            header.set_mtime(1_000_000);
            header.set_size(size);
            builder
                .append_data(&mut header, name, io::repeat(7).take(size))
                .unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let how = Unpack {
            wanted: &|path| !path.starts_with("large"),
            ..all(false)
        };
        assert_eq!(unpack(bytes.as_slice(), temp.path(), &how).unwrap(), 7);
        let how = Unpack {
            max_bytes: u64::MAX,
            ..all(false)
        };
        let all = unpack(bytes.as_slice(), temp.path(), &how).unwrap();
        assert_eq!(all, 2 * large + 7);
    }
}
