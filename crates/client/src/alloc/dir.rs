//! The directories of an allocation on disk (runtime sheet §C).

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use caravan_driver::TaskDirs;
use nix::mount::{MntFlags, MsFlags};

/// Where the files of one allocation are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllocDir {
    pub(crate) root: PathBuf,
}

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

    pub(crate) fn task(&self, task: &str) -> TaskDirs {
        let root = self.root.join(task);
        TaskDirs {
            alloc_root: self.root.clone(),
            shared: self.shared(),
            local: root.join("local"),
            secrets: root.join("secrets"),
            private: root.join("private"),
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
        make_secret(&dirs.private, 1)
    }

    /// Makes the named pipes that tools expect beside the logs. Nothing here reads them.
    pub(crate) fn build_log_pipes(&self, task: &str) -> io::Result<()> {
        for stream in ["stdout", "stderr"] {
            let path = self.logs().join(format!(".{task}.{stream}.fifo"));
            match nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)) {
                Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes the secrets of a task that ended away.
    pub(crate) fn remove_secrets(&self, task: &str) {
        let dirs = self.task(task);
        unmount(&dirs.secrets);
        unmount(&dirs.private);
    }

    /// Removes everything. What is mounted inside is unmounted first, so that nothing outside is touched.
    pub(crate) fn destroy(&self) -> io::Result<()> {
        for mount in mounts_below(&self.root) {
            unmount(&mount);
        }
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Makes a directory with exactly this mode, whatever the umask.
pub(crate) fn make(path: &Path, mode: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path)?;
            if !found.is_dir() {
                return Err(io::Error::other(format!(
                    "{} is in the way: not a directory",
                    path.display()
                )));
            }
            if found.permissions().mode() & 0o7777 == mode {
                return Ok(());
            }
        }
        other => other.map_err(|error| {
            io::Error::new(error.kind(), format!("mkdir {}: {error}", path.display()))
        })?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// A directory in memory where that is possible, so that secrets never reach a disk.
fn make_secret(path: &Path, megabytes: i64) -> io::Result<()> {
    make(path, 0o777)?;
    if !nix::unistd::geteuid().is_root() || is_mount(path) {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mount =
        |options: &str| nix::mount::mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options));
    let options = format!("size={megabytes}m,mode=777");
    // Kernels before 6.4 do not know noswap; without the right to mount a plain directory has to do.
    if mount(&format!("{options},noswap")).is_err() {
        let _ = mount(&options);
    }
    if is_mount(path) {
        fs::write(path.join(".nomad-mount"), "")?;
    }
    Ok(())
}

fn is_mount(path: &Path) -> bool {
    let device = |path: &Path| fs::symlink_metadata(path).map(|found| found.dev());
    match (device(path), path.parent().map(device)) {
        (Ok(own), Some(Ok(parent))) => own != parent,
        _ => false,
    }
}

fn unmount(path: &Path) {
    if is_mount(path) {
        let _ = nix::mount::umount2(path, MntFlags::MNT_DETACH);
    }
}

fn mounts_below(root: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(1));
    let mut found: Vec<PathBuf> = points
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
        .filter(|point| point.starts_with(root))
        .collect();
    // The deepest first.
    found.sort_by_key(|point| std::cmp::Reverse(point.as_os_str().len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
