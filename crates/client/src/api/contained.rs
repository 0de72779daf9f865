//! Files below a directory that its owner cannot lead us out of: every path is resolved by the kernel below the
//! directory, so that neither `..` nor a symbolic link (swapped in at any moment) reaches outside.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use caravan_host::below::{Below, Links};
use rustix::fs::{AtFlags, Mode, OFlags};

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainedError {
    #[error("Path escapes the alloc directory")]
    Escapes,
    #[error("{}: {}", .0.display(), go_text(.1))]
    Io(PathBuf, io::Error),
}

/// The text the reference has for an error of the system.
pub(crate) fn go_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::NotADirectory => "not a directory".into(),
        io::ErrorKind::IsADirectory => "is a directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AlreadyExists => "file exists".into(),
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or(&text)
                .to_lowercase()
        }
    }
}

impl ContainedError {
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// `path` below the directory, without a leading slash; `None` when it leads out.
pub(crate) fn relative(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(out)
}

/// Opens what is at `path` below `root`.
pub(crate) fn open(root: &Path, path: &Path, flags: OFlags) -> Result<File, ContainedError> {
    let path = relative(path).ok_or(ContainedError::Escapes)?;
    // A pipe must not hold the reader back.
    let flags = if flags.contains(OFlags::PATH) {
        flags
    } else {
        flags | OFlags::NONBLOCK
    };
    let opened = Below::open(root, Links::Beneath);
    match opened.and_then(|root| root.at(&path, flags, Mode::empty())) {
        Ok(fd) => Ok(File::from(fd)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
            Err(ContainedError::Escapes)
        }
        Err(error) => Err(ContainedError::Io(root.join(path), error)),
    }
}

/// The longest file that is read as a whole: tasks may put one there that has no end.
const MOST: u64 = 64_000_000;

/// Reads a file below `root` as a whole.
pub(crate) fn read(root: &Path, path: &Path) -> Result<Vec<u8>, ContainedError> {
    let fail = |error: io::Error| ContainedError::Io(root.join(path), error);
    let mut content = Vec::new();
    let file = open(root, path, OFlags::RDONLY)?;
    let read = file.take(MOST + 1).read_to_end(&mut content);
    match read.map_err(fail)? as u64 > MOST {
        true => {
            let text = format!("longer than {} megabytes", MOST / 1_000_000);
            Err(fail(io::Error::other(text)))
        }
        false => Ok(content),
    }
}

/// The same, of a text.
pub(crate) fn read_text(root: &Path, path: &Path) -> Result<String, ContainedError> {
    let text = String::from_utf8(read(root, path)?);
    text.map_err(|error| ContainedError::Io(root.join(path), io::Error::other(error)))
}

/// Where an open file really is below `root`, symbolic links resolved.
pub(crate) fn place(root: &Path, file: &File) -> Option<PathBuf> {
    let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let root = root.canonicalize().ok()?;
    real.strip_prefix(root).ok().map(Path::to_path_buf)
}

/// Writes a file below `root`, making the directories on the way.
pub(crate) fn write(
    root: &Path,
    path: &Path,
    content: &[u8],
    mode: u32,
) -> Result<(), ContainedError> {
    write_owned(root, path, content, mode, (None, None))
}

/// As [`write`], with user and group. The file is put together beside its place and takes it at once: readers see the old
/// one or the new one, and whatever lies there (a link, a pipe that nobody reads, a link to a file elsewhere) is
/// replaced, never written through.
pub(crate) fn write_owned(
    root: &Path,
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: (Option<u32>, Option<u32>),
) -> Result<(), ContainedError> {
    let path = relative(path).ok_or(ContainedError::Escapes)?;
    let fail = |error: io::Error| {
        if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) {
            ContainedError::Escapes
        } else {
            ContainedError::Io(root.join(&path), error)
        }
    };
    let name = path
        .file_name()
        .ok_or_else(|| fail(io::ErrorKind::IsADirectory.into()))?;
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = Below::open(root, Links::Beneath)
        .and_then(|root| root.make_dirs(parent, 0o777))
        .map_err(fail)?;
    let beside = beside();
    let written = fill(&folder, &beside, content, mode, owner)
        .and_then(|()| Ok(rustix::fs::renameat(&folder, &beside, &folder, name)?));
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&folder, &beside, AtFlags::empty());
    }
    written.map_err(fail)
}

/// A name that no other writer has.
fn beside() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(".nomad-{}-{number}.new", std::process::id())
}

fn fill(
    folder: &OwnedFd,
    name: &str,
    content: &[u8],
    mode: u32,
    (user, group): (Option<u32>, Option<u32>),
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    // Nobody reads what may be a secret before it belongs to its owner.
    let closed = Mode::from_raw_mode(0o600);
    // One that was left by an earlier process with the same number.
    let _ = rustix::fs::unlinkat(folder, name, AtFlags::empty());
    let mut file = File::from(rustix::fs::openat(folder, name, flags, closed)?);
    file.write_all(content)?;
    if user.is_some() || group.is_some() {
        std::os::unix::fs::fchown(&file, user, group)?;
    }
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(temp.path().join("outside"), "x").unwrap();
        std::fs::write(root.join("a/inside"), "y").unwrap();
        symlink("/etc", root.join("abs")).unwrap();
        symlink("../../outside", root.join("a/up")).unwrap();
        symlink("a/inside", root.join("fine")).unwrap();
        let opened = |path: &str| open(&root, Path::new(path), OFlags::RDONLY);
        assert!(
            opened("/a/inside").is_ok() && opened("fine").is_ok() && opened("a/../fine").is_ok()
        );
        for path in ["../outside", "a/../../outside", "abs/passwd", "a/up"] {
            assert!(
                matches!(opened(path), Err(ContainedError::Escapes)),
                "{path}"
            );
        }
        assert!(opened("nope").unwrap_err().is_not_found());
        write(&root, Path::new("b/c/d"), b"z", 0o644).unwrap();
        assert_eq!(std::fs::read(root.join("b/c/d")).unwrap(), b"z");
        // A link is replaced, not followed.
        write(&root, Path::new("a/up"), b"z", 0o644).unwrap();
        assert!(root.join("a/up").symlink_metadata().unwrap().is_file());
        assert!(matches!(
            write(&root, Path::new("abs/x"), b"z", 0o644),
            Err(ContainedError::Escapes)
        ));
        assert_eq!(std::fs::read(temp.path().join("outside")).unwrap(), b"x");
    }

    #[test]
    fn a_file_takes_the_place_of_whatever_is_there() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let temp = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (temp.path().join("root"), temp.path().join("elsewhere"));
        std::fs::create_dir(&root).unwrap();
        std::fs::write(&elsewhere, "kept").unwrap();
        std::fs::hard_link(&elsewhere, root.join("hard")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o666),
            0,
        )
        .unwrap();
        for name in ["hard", "pipe", "new"] {
            write(&root, Path::new(name), name.as_bytes(), 0o640).unwrap();
            let found = root.join(name).symlink_metadata().unwrap();
            assert!(found.is_file() && found.nlink() == 1, "{name}");
            assert_eq!(found.permissions().mode() & 0o7777, 0o640);
            assert_eq!(std::fs::read_to_string(root.join(name)).unwrap(), name);
        }
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "kept");
        std::fs::create_dir(root.join("folder")).unwrap();
        assert!(write(&root, Path::new("folder"), b"x", 0o644).is_err());
        let left = std::fs::read_dir(&root).unwrap().count();
        assert_eq!(left, 4, "nothing is left beside");
        // What has no end is not read to it.
        let endless = File::create(root.join("hard")).unwrap();
        endless.set_len(1 << 40).unwrap();
        let error = read_text(&root, Path::new("hard")).unwrap_err().to_string();
        assert!(error.ends_with("longer than 64 megabytes"), "{error}");
    }
}
