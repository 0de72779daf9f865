//! The directories of an allocation on disk (runtime sheet §C).

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use caravan_driver::TaskDirs;
use nix::mount::{MntFlags, MsFlags};
use rustix::fs::{AtFlags, CWD, FileType, IFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::api::contained;

/// Where the files of one allocation are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllocDir {
    pub(crate) root: PathBuf,
}

/// What the agent keeps of tasks, beside their directories.
const KEPT: &str = ".kept";
/// What the agent keeps of the network.
const NETWORK: &str = ".network";
/// Everything that the agent keeps there.
pub(crate) const KEPT_BESIDE: [&str; 2] = [KEPT, NETWORK];

/// Directories below `alloc/` that all tasks share.
const SHARED: [&str; 3] = ["logs", "tmp", "data"];
/// User and group `nobody`.
const NOBODY: u32 = 65534;

impl AllocDir {
    pub(crate) fn new(alloc_dir: &Path, id: caravan_model::AllocId) -> Self {
        Self {
            root: alloc_dir.join(id.to_string()),
        }
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.root.join("alloc")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.shared().join("logs")
    }

    /// What the agent keeps of the allocation's network; no task writes there.
    pub(crate) fn network(&self) -> PathBuf {
        self.root.join(NETWORK)
    }

    /// What the agent keeps of a task; no task writes there.
    pub(crate) fn kept(&self, task: &str) -> PathBuf {
        self.root.join(KEPT).join(task)
    }

    /// Whether a task was prepared here, by this agent or an earlier one.
    pub(crate) fn has_tasks(&self) -> bool {
        self.root.join(KEPT).exists()
    }

    /// Where a path of the task lies below the allocation's directory: paths are those that the task sees, or of the
    /// host, or relative to the task's directory. `None` when it is neither in that nor in the shared directory.
    pub(crate) fn place(&self, task: &str, path: &str) -> Option<PathBuf> {
        let given = Path::new(path);
        let below = match (given.strip_prefix(&self.root), given.strip_prefix("/alloc")) {
            (Ok(host), _) => host.to_path_buf(),
            (_, Ok(shared)) => Path::new("alloc").join(shared),
            _ => Path::new(task).join(given.strip_prefix("/").unwrap_or(given)),
        };
        let clean = contained::relative(&below)?;
        let secret = clean.starts_with(Path::new(task).join("private"));
        let own = clean.starts_with(task) || clean.starts_with("alloc");
        (own && !secret).then_some(clean)
    }

    /// Such a place as the directory that it lies in, the task's or the shared one, and the way below that. No link of
    /// one leads into the other.
    pub(crate) fn split(&self, place: &Path) -> (PathBuf, PathBuf) {
        let mut parts = place.components();
        let first = parts
            .next()
            .map_or(Path::new(""), |part| Path::new(part.as_os_str()));
        (self.root.join(first), parts.as_path().to_path_buf())
    }

    pub(crate) fn task(&self, task: &str) -> TaskDirs {
        let root = self.root.join(task);
        TaskDirs {
            alloc_root: self.root.clone(),
            shared: self.shared(),
            local: root.join("local"),
            secrets: root.join("secrets"),
            private: self.kept(task),
            task: root,
        }
    }

    /// Makes what the tasks share. Doing it again changes nothing.
    pub(crate) fn build(&self) -> io::Result<()> {
        make(&self.root, 0o755)?;
        let shared = self.shared();
        make(&shared, 0o777)?;
        for name in SHARED {
            make(&shared.join(name), 0o777)?;
        }
        if nix::unistd::geteuid().is_root() {
            // Not being allowed to give it away is no reason to fail.
            let _ = std::os::unix::fs::chown(&shared, Some(NOBODY), Some(NOBODY));
        }
        Ok(())
    }

    /// Makes the directories of a task. Doing it again changes nothing.
    pub(crate) fn build_task(&self, task: &str, secrets_mb: i64) -> io::Result<()> {
        let dirs = self.task(task);
        make(&dirs.task, 0o777)?;
        make(&dirs.local, 0o777)?;
        make(&dirs.task.join("tmp"), 0o1777)?;
        make_secret(&dirs.secrets, secrets_mb.max(1))?;
        make(&dirs.task.join("private"), 0o777)?;
        // Drivers keep there how to find a task again: for the agent's eyes only, where no task can put something else.
        make(&self.root.join(KEPT), 0o700)?;
        make(&dirs.private, 0o700)
    }

    /// Where the agent keeps what is secret of a task while the task runs: in memory where that is possible.
    pub(crate) fn kept_secrets(&self, task: &str) -> PathBuf {
        self.kept(task).join("secrets")
    }

    /// Makes that place; tasks without secrets need none.
    pub(crate) fn keep_secret(&self, task: &str, name: &str, content: &[u8]) -> io::Result<()> {
        let place = self.kept_secrets(task);
        make_secret(&place, 1)?;
        let path = place.join(name);
        let new = path.with_extension("new");
        fs::write(&new, content)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        fs::rename(&new, &path)
    }

    /// Makes the named pipes that tools expect beside the logs. Nothing here reads them.
    pub(crate) fn build_log_pipes(&self, task: &str) -> io::Result<()> {
        let logs = open_dir(&self.logs())?;
        for stream in ["stdout", "stderr"] {
            let name = format!(".{task}.{stream}.fifo");
            let mode = Mode::from_raw_mode(0o600);
            match rustix::fs::mknodat(&logs, name, FileType::Fifo, mode, 0) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the secrets of a task that ended away.
    pub(crate) fn remove_secrets(&self, task: &str) {
        unmount(&self.task(task).secrets);
        let kept = self.kept_secrets(task);
        // Most tasks have none.
        if fs::remove_dir(&kept).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            unmount(&kept);
            let _ = fs::remove_dir_all(kept);
        }
    }

    /// Removes everything. What is mounted inside is unmounted first, so that nothing outside is touched.
    pub(crate) fn destroy(&self) -> io::Result<()> {
        unmount_below(&self.root);
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Tells the file system that what is made in this directory are trees of their own. Without that ext4 keeps them all
/// close together, and looks at each inode that was freed there in the last minutes before it takes a new one: many
/// short allocations would become slower and slower.
pub(crate) fn spread(dir: &Path) {
    let hint = || -> rustix::io::Result<()> {
        let dir = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let flags = rustix::fs::ioctl_getflags(&dir)?;
        rustix::fs::ioctl_setflags(&dir, flags | IFlags::TOPDIR)
    };
    // Most other file systems know of no such thing, and need none.
    if let Err(error) = hint() {
        tracing::debug!(dir = %dir.display(), %error, "allocations cannot be spread over the disk");
    }
}

/// Makes a directory with exactly this mode, whatever the umask. A link in its place is not followed.
pub(crate) fn make(path: &Path, mode: u32) -> io::Result<()> {
    make_new(path, mode).map(drop)
}

/// The same; says whether it is new.
fn make_new(path: &Path, mode: u32) -> io::Result<(bool, OwnedFd)> {
    let fail = |error: io::Error| {
        io::Error::new(error.kind(), format!("mkdir {}: {error}", path.display()))
    };
    let new = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(fail(error)),
    };
    // What was looked at is what gets the mode, whatever a task that runs puts there meanwhile.
    let opened = open_dir(path).map_err(|error| match error {
        Errno::LOOP | Errno::NOTDIR => {
            io::Error::other(format!("{} is in the way: not a directory", path.display()))
        }
        other => fail(other.into()),
    })?;
    let found = rustix::fs::fstat(&opened)?;
    if found.st_mode & 0o7777 != mode {
        rustix::fs::fchmod(&opened, Mode::from_raw_mode(mode))?;
    }
    Ok((new, opened))
}

fn open_dir(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// A directory in memory where that is possible, so that secrets never reach a disk.
fn make_secret(path: &Path, megabytes: i64) -> io::Result<()> {
    let (new, made) = make_new(path, 0o777)?;
    if !nix::unistd::geteuid().is_root() || (!new && is_mount(path)) {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Over what was made, and not over what somebody puts in its place.
    let over = format!("/proc/self/fd/{}", made.as_raw_fd());
    let mount = |options: &str| {
        nix::mount::mount(
            Some("tmpfs"),
            over.as_str(),
            Some("tmpfs"),
            flags,
            Some(options),
        )
    };
    let options = format!("size={megabytes}m,mode=777");
    // Kernels before 6.4 do not know noswap; without the right to mount a plain directory has to do.
    let mounted = mount(&format!("{options},noswap")).or_else(|_| mount(&options));
    if mounted.is_ok() {
        contained::write(path, Path::new(".nomad-mount"), b"", 0o644).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Asked of the directory itself: the table of all mounts has thousands of lines on a busy node.
fn is_mount(path: &Path) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(CWD, path, flags, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Nothing happens to what is no mount.
fn unmount(path: &Path) {
    let _ = nix::mount::umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
}

/// Unmounts what is mounted in a directory of ours, however deep. Links are not followed.
fn unmount_below(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        // More than one may lie on another.
        while is_mount(&path) && nix::mount::umount2(&path, MntFlags::MNT_DETACH).is_ok() {}
        unmount_below(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_tasks_stay_theirs() {
        let dir = AllocDir::new(
            Path::new("/data/alloc"),
            caravan_model::AllocId::from_u128(7),
        );
        let host = |path: &str| dir.root.join(path).display().to_string();
        let place = |path: &str| {
            dir.place("web", path)
                .map(|path| path.display().to_string())
        };
        for (given, found) in [
            ("local/x", "web/local/x"),
            ("/local/x", "web/local/x"),
            ("secrets/x", "web/secrets/x"),
            ("../alloc/x", "alloc/x"),
            ("/alloc/data", "alloc/data"),
            (&host("web/local/y"), "web/local/y"),
            (&host("alloc/y"), "alloc/y"),
        ] {
            assert_eq!(place(given).as_deref(), Some(found), "{given}");
        }
        for given in [
            "../x",
            "../other/secrets/x",
            "../../x",
            &host("other/local"),
            "private/x",
            "local/../../x",
        ] {
            assert_eq!(place(given), None, "{given}");
        }
    }

    #[test]
    fn directories_have_their_modes_and_go_away() {
        let temp = tempfile::tempdir().unwrap();
        let dir = AllocDir::new(temp.path(), caravan_model::AllocId::from_u128(7));
        for _ in 0..2 {
            dir.build().unwrap();
            dir.build_task("web", 1).unwrap();
        }
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(dir.root.clone()), 0o755);
        assert_eq!(mode(dir.logs()), 0o777);
        assert_eq!(mode(dir.root.join("web/tmp")), 0o1777);
        assert_eq!(mode(dir.root.join("web/secrets")), 0o777);
        fs::write(dir.task("web").secrets.join("key"), "x").unwrap();
        dir.destroy().unwrap();
        assert!(!dir.root.exists());
    }
}
