//! From a tree to an archive.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};

use super::TreeError;
use super::place::names;
use crate::below::{Below, Links};

/// Writes what lies at `paths` below `root` as one archive, under those paths; a path that is not there is left out.
/// Links are written as links, sockets and devices not at all. Files may change meanwhile.
///
/// # Errors
/// See [`TreeError`].
pub fn pack(root: &Path, paths: &[&Path], out: impl Write) -> Result<(), TreeError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = rustix::fs::openat(CWD, root, flags, Mode::empty());
    let from = Below::of(
        from.map_err(|error| TreeError::at(root)(error.into()))?,
        Links::Refused,
    );
    let mut builder = tar::Builder::new(out);
    for path in paths {
        match from.at(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => put_directory(&mut builder, directory, path, 0)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(TreeError::at(path)(error)),
        }
    }
    builder
        .into_inner()
        .and_then(|mut out| out.flush())
        .map_err(TreeError::at(root))
}

fn put_directory(
    builder: &mut tar::Builder<impl Write>,
    directory: OwnedFd,
    path: &Path,
    depth: usize,
) -> Result<(), TreeError> {
    let fail = TreeError::at(path);
    if depth > super::DEEPEST {
        return Err(TreeError::TooMuch("directories in each other"));
    }
    let directory = File::from(directory);
    let meta = directory.metadata().map_err(&fail)?;
    let mut header = header(&meta, tar::EntryType::Directory, 0);
    builder
        .append_data(&mut header, path, io::empty())
        .map_err(&fail)?;
    let directory = OwnedFd::from(directory);
    for name in names(&directory).map_err(&fail)? {
        let below = path.join(&name);
        match put(builder, &directory, &name, &below, depth) {
            // What went away meanwhile is not there.
            Err(TreeError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn put(
    builder: &mut tar::Builder<impl Write>,
    directory: &OwnedFd,
    name: &std::ffi::OsStr,
    path: &Path,
    depth: usize,
) -> Result<(), TreeError> {
    let fail = |error: io::Error| TreeError::at(path)(error);
    let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    let kind = FileType::from_raw_mode(found.map_err(|error| fail(error.into()))?.st_mode);
    let open = |flags: OFlags| {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(directory, name, flags, Mode::empty())
            .map_err(|error| fail(error.into()))
    };
    match kind {
        FileType::Directory => put_directory(
            builder,
            open(OFlags::RDONLY | OFlags::DIRECTORY)?,
            path,
            depth + 1,
        ),
        FileType::RegularFile => {
            let file = File::from(open(OFlags::RDONLY | OFlags::NONBLOCK)?);
            let meta = file.metadata().map_err(fail)?;
            if !meta.is_file() {
                return Ok(());
            }
            // As long as it was, whatever happens to it meanwhile.
            let content = file.take(meta.len()).chain(io::repeat(0)).take(meta.len());
            let mut header = header(&meta, tar::EntryType::Regular, meta.len());
            builder
                .append_data(&mut header, path, content)
                .map_err(fail)
        }
        FileType::Symlink => {
            let link = File::from(open(OFlags::PATH)?);
            let meta = link.metadata().map_err(fail)?;
            let to = rustix::fs::readlinkat(directory, name, Vec::new());
            let to = to.map_err(|error| fail(error.into()))?;
            let to: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(to.as_bytes());
            let mut header = header(&meta, tar::EntryType::Symlink, 0);
            builder.append_link(&mut header, path, to).map_err(fail)
        }
        _ => Ok(()),
    }
}

fn header(meta: &std::fs::Metadata, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(meta.mode() & 0o7777);
    header.set_uid(meta.uid().into());
    header.set_gid(meta.gid().into());
    header.set_mtime(u64::try_from(meta.mtime()).unwrap_or(0));
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Unpack, unpack};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_comes_out_as_it_went_in() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let local = from.path().join("task/local");
        std::fs::create_dir_all(local.join("deep/er")).unwrap();
        std::fs::write(local.join("deep/er/file"), "content").unwrap();
        std::fs::set_permissions(local.join("deep/er/file"), PermissionsExt::from_mode(0o640))
            .unwrap();
        symlink("/etc/shadow", local.join("link")).unwrap();
        std::fs::create_dir_all(from.path().join("task/secrets")).unwrap();
        std::fs::write(from.path().join("task/secrets/key"), "secret").unwrap();
        symlink("../secrets", local.join("up")).unwrap();
        let mut bytes = Vec::new();
        pack(
            from.path(),
            &[Path::new("task/local"), Path::new("absent")],
            &mut bytes,
        )
        .unwrap();
        let how = Unpack {
            wanted: &|_| true,
            layer: false,
            max_bytes: 100,
            max_entries: 100,
        };
        assert_eq!(unpack(bytes.as_slice(), to.path(), &how).unwrap(), 7);
        let file = to.path().join("task/local/deep/er/file");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "content");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        let read =
            |name: &str| std::fs::read_link(to.path().join("task/local").join(name)).unwrap();
        assert_eq!(read("link"), Path::new("/etc/shadow"));
        assert_eq!(read("up"), Path::new("../secrets"));
        assert!(
            !to.path().join("task/secrets").exists(),
            "a link is not followed"
        );
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let from = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(from.path().join("secrets/local")).unwrap();
        symlink("secrets", from.path().join("task")).unwrap();
        let packed = pack(from.path(), &[Path::new("task/local")], Vec::new());
        assert!(packed.is_err(), "{packed:?}");
    }
}
