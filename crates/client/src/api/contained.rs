//! Files below a directory that its owner cannot lead us out of: every path is resolved by the kernel below the
//! directory, so that neither `..` nor a symbolic link (swapped in at any moment) reaches outside.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

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

fn dir(root: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(CWD, root, flags, Mode::empty())?)
}

fn open_below(root: &Path, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let at = dir(root)?;
    let path = if path.as_os_str().is_empty() {
        Path::new(OsStr::new("."))
    } else {
        path
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(
        &at,
        path,
        flags | OFlags::CLOEXEC,
        mode,
        resolve,
    )?)
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
    match open_below(root, &path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
            Err(ContainedError::Escapes)
        }
        Err(error) => Err(ContainedError::Io(root.join(path), error)),
    }
}

/// Where an open file really is below `root`, symbolic links resolved.
pub(crate) fn place(root: &Path, file: &File) -> Option<PathBuf> {
    let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let root = root.canonicalize().ok()?;
    real.strip_prefix(root).ok().map(Path::to_path_buf)
}

/// Writes a file below `root`, making the directories on the way. Never follows a link at the end.
pub(crate) fn write(
    root: &Path,
    path: &Path,
    content: &[u8],
    mode: u32,
) -> Result<(), ContainedError> {
    write_owned(root, path, content, mode, (None, None))
}

/// As [`write`], with user and group.
pub(crate) fn write_owned(
    root: &Path,
    path: &Path,
    content: &[u8],
    mode: u32,
    (user, group): (Option<u32>, Option<u32>),
) -> Result<(), ContainedError> {
    let path = relative(path).ok_or(ContainedError::Escapes)?;
    let fail = |error: io::Error| {
        if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) {
            ContainedError::Escapes
        } else {
            ContainedError::Io(root.join(&path), error)
        }
    };
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_dirs(root, parent).map_err(fail)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
    let mode = Mode::from_raw_mode(mode);
    let mut file = File::from(open_below(root, &path, flags, mode).map_err(fail)?);
    rustix::fs::fchmod(&file, mode).map_err(|error| fail(error.into()))?;
    if user.is_some() || group.is_some() {
        std::os::unix::fs::fchown(&file, user, group).map_err(fail)?;
    }
    file.write_all(content).map_err(fail)
}

/// Makes directories below `root`, each opened before the next is made in it.
pub(crate) fn make_dirs(root: &Path, path: &Path) -> io::Result<()> {
    let mut so_far = PathBuf::new();
    for part in path.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        let parent = open_below(
            root,
            &so_far,
            OFlags::PATH | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        so_far.push(name);
    }
    Ok(())
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
        assert!(matches!(
            write(&root, Path::new("a/up"), b"z", 0o644),
            Err(ContainedError::Io(..))
        ));
        assert!(matches!(
            write(&root, Path::new("abs/x"), b"z", 0o644),
            Err(ContainedError::Escapes)
        ));
        assert_eq!(std::fs::read(temp.path().join("outside")).unwrap(), b"x");
    }
}
