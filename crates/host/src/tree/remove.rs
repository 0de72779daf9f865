//! Takes a tree away, however deep. Programs can make directories in each other without end; who went in after them would
//! need room on the stack and an open file for each.

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::mount::{MntFlags, umount2};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// How deep it is gone into; what lies deeper is moved up first.
const LEVELS: usize = 32;
/// How often what comes to be meanwhile is removed, too.
const TRIES: usize = 16;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Removes the directory at `path` with all that is in it. No link is followed. What is mounted there is unmounted, and
/// nothing that is in it removed.
///
/// # Errors
/// What the system has against it; the rest stays.
pub fn remove(path: &Path) -> io::Result<()> {
    let top = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?;
    let top = Top {
        top,
        moved: Cell::new(0),
    };
    let mut tries = 0;
    loop {
        while !top.clear(&top.top, LEVELS)? {}
        match std::fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < TRIES => {
                tries += 1;
            }
            other => return other,
        }
    }
}

struct Top {
    top: OwnedFd,
    /// How much was moved up.
    moved: Cell<u64>,
}

impl Top {
    /// Removes what is in a directory. Says whether that is all: not where something was moved up.
    fn clear(&self, directory: &OwnedFd, levels: usize) -> io::Result<bool> {
        let mut all = true;
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                all &= self.take(directory, name, entry.file_type(), levels)?;
            }
        }
        Ok(all)
    }

    fn take(
        &self,
        directory: &OwnedFd,
        name: &CStr,
        kind: FileType,
        levels: usize,
    ) -> io::Result<bool> {
        let mut flags = match kind {
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        let mut all = true;
        let mut tries = 0;
        loop {
            match rustix::fs::unlinkat(directory, name, flags) {
                Ok(()) | Err(Errno::NOENT) => return Ok(all),
                // Not every file system says what its entries are.
                Err(Errno::ISDIR) => flags = AtFlags::REMOVEDIR,
                Err(Errno::BUSY) => unmount(directory, name)?,
                Err(Errno::NOTEMPTY | Errno::EXIST) if levels == 0 => {
                    self.move_up(directory, name)?;
                    return Ok(false);
                }
                Err(Errno::NOTEMPTY | Errno::EXIST) if tries < TRIES => {
                    tries += 1;
                    // Never into what is mounted there.
                    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV;
                    match rustix::fs::openat2(directory, name, DIRECTORY, Mode::empty(), resolve) {
                        Ok(below) => all &= self.clear(&below, levels - 1)?,
                        Err(Errno::XDEV) => unmount(directory, name)?,
                        Err(Errno::NOENT) => return Ok(all),
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn move_up(&self, directory: &OwnedFd, name: &CStr) -> io::Result<()> {
        loop {
            let number = self.moved.replace(self.moved.get() + 1);
            let to = format!(".removed-{number}");
            let flags = RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(directory, name, &self.top, to, flags) {
                Err(Errno::EXIST) => {}
                other => return Ok(other?),
            }
        }
    }
}

fn unmount(directory: &OwnedFd, name: &CStr) -> io::Result<()> {
    let fd = directory.as_raw_fd();
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    let point = Path::new("/proc/self/fd").join(fd.to_string()).join(name);
    let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
    Ok(umount2(&point, flags)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::mount::{MsFlags, mount};

    use super::*;

    #[test]
    fn nothing_is_too_deep() {
        const DEPTH: usize = 12_000;
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir_all(root.join(".removed-0/x")).unwrap();
        let mut at = rustix::fs::openat(CWD, &root, DIRECTORY, Mode::empty()).unwrap();
        for level in 0..DEPTH {
            rustix::fs::mkdirat(&at, c"d", Mode::from_raw_mode(0o755)).unwrap();
            if level % 100 == 0 {
                rustix::fs::symlinkat(c"/etc", &at, c"l").unwrap();
            }
            at = rustix::fs::openat(&at, c"d", DIRECTORY, Mode::empty()).unwrap();
        }
        remove(&root).unwrap();
        assert!(!root.exists());
        assert!(remove(&root).unwrap_err().kind() == io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_mounted_stays_as_it_is() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: what_is_mounted_stays_as_it_is: mounts need root");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("f"), "kept").unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("a/link")).unwrap();
        let bind = |from: &Path, to: &str| {
            let none: Option<&str> = None;
            mount(Some(from), &root.join(to), none, MsFlags::MS_BIND, none).unwrap();
        };
        // Two over each other, and a file.
        bind(&outside, "a/b");
        bind(&outside, "a/b");
        bind(&outside.join("f"), "a/file");
        remove(&root).unwrap();
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "kept");
    }
}
