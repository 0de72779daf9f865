//! The directories of an allocation on disk (runtime sheet §C).

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use caravan_driver::TaskDirs;
use caravan_host::tree;
use nix::mount::{MntFlags, MsFlags};
use rustix::fs::{AtFlags, CWD, FileType, IFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::api::contained;

/// Where the files of one allocation are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllocDir {
    pub(crate) root: PathBuf,
}

/// What the agent keeps of a task, beside its directory: this and the task's name.
const KEPT: &str = ".kept-";
/// What the agent keeps of the network.
const NETWORK: &str = ".network";

/// Directories below `alloc/` that all tasks share.
const SHARED: [&str; 3] = ["logs", "tmp", "data"];
/// What is in a directory that lies in memory.
const MOUNT_MARK: &str = ".nomad-mount";
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
        self.root.join(format!("{KEPT}{task}"))
    }

    /// Whether this task was prepared here, by this agent or an earlier one.
    pub(crate) fn has_task(&self, task: &str) -> bool {
        self.kept(task).exists()
    }

    /// Whether a name in an allocation's directory is of something that the agent keeps there.
    pub(crate) fn is_kept(name: &OsStr) -> bool {
        name == NETWORK || name.as_encoded_bytes().starts_with(KEPT.as_bytes())
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
        let path = self.shared();
        let shared = Folder::make(&path)?;
        for name in SHARED {
            shared.make_in(name, 0o777)?;
        }
        if nix::unistd::geteuid().is_root() {
            // Not being allowed to give it away is no reason to fail.
            let _ = std::os::unix::fs::fchown(&shared.opened, Some(NOBODY), Some(NOBODY));
        }
        shared.let_in(0o777)
    }

    /// Makes the directories of a task. Doing it again changes nothing.
    pub(crate) fn build_task(&self, task: &str, secrets_mb: i64) -> io::Result<()> {
        if [".", ".."].contains(&task) || Self::is_kept(OsStr::new(task)) {
            return Err(io::Error::other(format!(
                "a task cannot be named {task:?}: the agent keeps something of its own there"
            )));
        }
        let path = self.root.join(task);
        let own = Folder::make(&path)?;
        own.make_in("local", 0o777)?;
        own.make_in("tmp", 0o1777)?;
        own.make_in("secrets", 0o777)?;
        keep_in_memory(&path.join("secrets"), secrets_mb.max(1), own.new)?;
        own.make_in("private", 0o777)?;
        own.let_in(0o777)?;
        // Drivers keep there how to find a task again: for the agent's eyes only, where no task can put something else.
        make(&self.kept(task), 0o700)
    }

    /// Where the agent keeps what is secret of a task while the task runs: in memory where that is possible.
    pub(crate) fn kept_secrets(&self, task: &str) -> PathBuf {
        self.kept(task).join("secrets")
    }

    /// Makes that place; tasks without secrets need none.
    pub(crate) fn keep_secret(&self, task: &str, name: &str, content: &[u8]) -> io::Result<()> {
        let place = self.kept_secrets(task);
        make(&place, 0o777)?;
        keep_in_memory(&place, 1, true)?;
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

    /// Removes everything, however deep. What is mounted inside is unmounted, so that nothing outside is touched.
    pub(crate) fn destroy(&self) -> io::Result<()> {
        match tree::remove(&self.root) {
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
    let make = || {
        make_at(CWD, path, mode)?;
        set_mode(CWD, path, mode)
    };
    make().map_err(|error| failed(path, error))
}

/// A directory that others are made in, wherever its path leads meanwhile.
struct Folder<'a> {
    path: &'a Path,
    opened: OwnedFd,
    /// Nobody else comes in yet.
    new: bool,
}

impl<'a> Folder<'a> {
    fn make(path: &'a Path) -> io::Result<Self> {
        let make = || {
            let new = make_at(CWD, path, 0o700)?;
            let opened = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
            Ok(Self { path, opened, new })
        };
        make().map_err(|error| failed(path, error))
    }

    /// As [`make`], by a name in this directory.
    fn make_in(&self, name: &str, mode: u32) -> io::Result<()> {
        let make = || {
            let new = make_at(self.opened.as_fd(), name, mode)?;
            if new && self.new {
                // Nobody can have put something in its place.
                let mode = Mode::from_raw_mode(mode);
                rustix::fs::chmodat(&self.opened, name, mode, AtFlags::empty())
            } else {
                set_mode(self.opened.as_fd(), name, mode)
            }
        };
        make().map_err(|error| failed(&self.path.join(name), error))
    }

    /// Ready for others.
    fn let_in(&self, mode: u32) -> io::Result<()> {
        set_mode_of(&self.opened, mode).map_err(|error| failed(self.path, error))
    }
}

fn failed(path: &Path, error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::NOTDIR => {
            io::Error::other(format!("{} is in the way: not a directory", path.display()))
        }
        other => {
            let error = io::Error::from(other);
            io::Error::new(error.kind(), format!("mkdir {}: {error}", path.display()))
        }
    }
}

/// Says whether it is new.
fn make_at(dir: BorrowedFd<'_>, path: impl Arg, mode: u32) -> rustix::io::Result<bool> {
    match rustix::fs::mkdirat(dir, path, Mode::from_raw_mode(mode)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What was looked at is what gets the mode, whatever a task that runs puts there meanwhile.
fn set_mode(dir: BorrowedFd<'_>, path: impl Arg, mode: u32) -> rustix::io::Result<()> {
    let opened = rustix::fs::openat(dir, path, DIRECTORY, Mode::empty())?;
    set_mode_of(&opened, mode)
}

fn set_mode_of(opened: &OwnedFd, mode: u32) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(mode);
    if Mode::from_raw_mode(rustix::fs::fstat(opened)?.st_mode) != mode {
        rustix::fs::fchmod(opened, mode)?;
    }
    Ok(())
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn open_dir(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, DIRECTORY, Mode::empty())
}

/// Has a directory in memory where that is possible, so that secrets never reach a disk. `alone`: nobody else comes to
/// where it lies.
fn keep_in_memory(path: &Path, megabytes: i64, alone: bool) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() || is_mount(path) {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Over what was made, and not over what somebody puts in its place.
    let made = open_dir(path)?;
    let over = format!("/proc/self/fd/{}", made.as_raw_fd());
    let over = over.as_str();
    let mount =
        |options: &str| nix::mount::mount(Some("tmpfs"), over, Some("tmpfs"), flags, Some(options));
    let options = format!("size={megabytes}m,mode=777");
    // Kernels before 6.4 do not know noswap; without the right to mount a plain directory has to do.
    let mounted = mount(&format!("{options},noswap")).or_else(|_| mount(&options));
    if mounted.is_err() {
        return Ok(());
    }
    if alone {
        fs::write(path.join(MOUNT_MARK), "")
    } else {
        contained::write(path, Path::new(MOUNT_MARK), b"", 0o644).map_err(io::Error::other)
    }
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
        assert_eq!(mode(dir.root.join("web")), 0o777);
        assert_eq!(mode(dir.kept("web")), 0o700);
        assert!(dir.has_task("web") && !dir.has_task("we"));
        fs::write(dir.task("web").secrets.join("key"), "x").unwrap();
        dir.destroy().unwrap();
        assert!(!dir.root.exists());
    }

    #[test]
    fn no_task_has_a_directory_that_is_the_agents() {
        let temp = tempfile::tempdir().unwrap();
        let dir = AllocDir::new(temp.path(), caravan_model::AllocId::from_u128(7));
        dir.build().unwrap();
        for task in [".", "..", ".kept-web", ".network"] {
            let error = dir.build_task(task, 1).unwrap_err().to_string();
            assert!(error.contains("cannot be named"), "{task}: {error}");
        }
        let made = |path: &Path| fs::read_dir(path).unwrap().count();
        assert_eq!((made(temp.path()), made(&dir.root)), (1, 1));
        dir.build_task(".web", 1).unwrap();
        dir.destroy().unwrap();
    }

    #[test]
    fn what_was_left_half_made_is_finished_and_a_link_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let dir = AllocDir::new(temp.path(), caravan_model::AllocId::from_u128(7));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let task = dir.root.join("web");
        fs::create_dir_all(&task).unwrap();
        fs::set_permissions(&task, fs::Permissions::from_mode(0o700)).unwrap();
        dir.build_task("web", 1).unwrap();
        assert_eq!(mode(&task), 0o777);
        let outside = temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o700)).unwrap();
        fs::remove_dir(task.join("local")).unwrap();
        std::os::unix::fs::symlink(&outside, task.join("local")).unwrap();
        let error = dir.build_task("web", 1).unwrap_err().to_string();
        assert!(
            error.ends_with("web/local is in the way: not a directory"),
            "{error}"
        );
        assert_eq!(mode(&outside), 0o700);
        dir.destroy().unwrap();
    }
}
