//! Files and directories that others may move away at any moment, held fast for who opens them by name only.
//!
//! What is found at a path is opened below its root, where neither `..` nor a link leads out, and mounted below a
//! directory that nobody else can write to: whatever is put at the path later, the name there stays what was found.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{Mode, OFlags};

use crate::below::{Below, Links};

const NONE: Option<&str> = None;

/// What is held, until this is dropped. Who has mounted it elsewhere meanwhile keeps it.
#[derive(Debug)]
pub struct Held {
    dir: PathBuf,
    count: usize,
}

impl Held {
    /// Begins to hold things below `dir`, in whose parent nobody else can write. What is left there of an earlier process
    /// is let go.
    ///
    /// # Errors
    /// What the system has against it: mounting is for root only.
    pub fn below(dir: &Path) -> io::Result<Self> {
        let_go(dir);
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        // Everything that is held goes with this one mount.
        mount(
            Some("tmpfs"),
            dir,
            Some("tmpfs"),
            flags,
            Some("size=64k,mode=700"),
        )?;
        Ok(Self {
            dir: dir.to_owned(),
            count: 0,
        })
    }

    /// Holds what is at `path` below `root`; the name that it has from now on. With `make`, a directory is made where
    /// nothing is.
    ///
    /// # Errors
    /// What the system has against it; `CrossesDevices`: the path leads out of `root`.
    pub fn hold(&mut self, root: &Path, path: &Path, make: bool) -> io::Result<PathBuf> {
        let found = find(root, path, make)?;
        let name = self.dir.join(self.count.to_string());
        if File::from(found.try_clone()?).metadata()?.is_dir() {
            std::fs::create_dir(&name)?;
        } else {
            File::create(&name)?;
        }
        let source = format!("/proc/self/fd/{}", found.as_raw_fd());
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(source.as_str()), &name, NONE, flags, NONE)?;
        self.count += 1;
        Ok(name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let_go(&self.dir);
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// Unmounts what is held there, if anything is. What is mounted in it stays where it was found: where mounts are shared,
/// which is the rule, that would go, too.
fn let_go(dir: &Path) {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let _ = mount(NONE, dir, NONE, private, NONE);
    let _ = umount2(dir, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
}

/// Whether a process sees what this one mounts.
#[must_use]
pub fn sees_our_mounts(pid: i32) -> bool {
    let space = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let ours = space("self");
    ours.is_some() && ours == space(&pid.to_string())
}

fn find(root: &Path, path: &Path, make: bool) -> io::Result<OwnedFd> {
    let root = Below::open(root, Links::Beneath)?;
    match root.at(path, OFlags::PATH, Mode::empty()) {
        Err(error) if make && error.kind() == io::ErrorKind::NotFound => {
            root.make_dirs(path, 0o755)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory in memory, which tells others of what is mounted in it.
    struct Shared<'a>(&'a Path);

    impl<'a> Shared<'a> {
        fn mount(dir: &'a Path) -> Self {
            mount(NONE, dir, Some("tmpfs"), MsFlags::empty(), NONE).unwrap();
            mount(NONE, dir, NONE, MsFlags::MS_SHARED, NONE).unwrap();
            Self(dir)
        }
    }

    impl Drop for Shared<'_> {
        fn drop(&mut self) {
            let _ = umount2(self.0, MntFlags::MNT_DETACH);
        }
    }

    #[test]
    fn what_is_mounted_in_what_was_held_stays_mounted() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: what_is_mounted_in_what_was_held_stays_mounted: mounts need root");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir(&root).unwrap();
        let _root = Shared::mount(&root);
        let (secrets, place) = (root.join("task/secrets"), root.join("held"));
        fs::create_dir_all(&secrets).unwrap();
        let _secrets = Shared::mount(&secrets);
        fs::write(secrets.join("key"), "").unwrap();
        let hold = || {
            let mut held = Held::below(&place).unwrap();
            let task = held.hold(&root, Path::new("task"), false).unwrap();
            assert!(task.join("secrets/key").exists());
            held
        };
        drop(hold());
        assert!(secrets.join("key").exists(), "it was let go");
        std::mem::forget(hold());
        drop(hold());
        assert!(secrets.join("key").exists(), "it was left by another");
    }

    #[test]
    fn what_is_held_stays_whatever_takes_its_place() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: what_is_held_stays_whatever_takes_its_place: mounts need root");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
        fs::create_dir_all(root.join("data")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(root.join("data/f"), "fine").unwrap();
        fs::write(outside.join("f"), "secret").unwrap();
        symlink("data", root.join("inside")).unwrap();
        symlink(&outside, root.join("out")).unwrap();
        let place = temp.path().join("held");
        let mut held = Held::below(&place).unwrap();
        let data = held.hold(&root, Path::new("data"), false).unwrap();
        let file = held.hold(&root, Path::new("inside/f"), false).unwrap();
        let new = held.hold(&root, Path::new("new/deep"), true).unwrap();
        for path in ["out", "out/f", "out/new", "../outside"] {
            let refused = held.hold(&root, Path::new(path), true).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::CrossesDevices, "{path}");
        }
        let missing = held.hold(&root, Path::new("nothing"), false);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::rename(root.join("data"), root.join("old")).unwrap();
        symlink(&outside, root.join("data")).unwrap();
        assert_eq!(fs::read_to_string(data.join("f")).unwrap(), "fine");
        assert_eq!(fs::read_to_string(&file).unwrap(), "fine");
        fs::write(new.join("x"), "").unwrap();
        assert!(root.join("new/deep/x").exists());
        // As after a crash: the next one starts afresh.
        std::mem::forget(held);
        drop(Held::below(&place).unwrap());
        assert!(!place.exists() && root.join("old/f").exists());
        assert!(!outside.join("new").exists());
    }
}
