//! Network namespaces that stay while nothing runs in them: each is bound to a file.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;

use super::NetworkError;

const FOLDER: &str = "/var/run/netns";
const NONE: Option<&str> = None;

/// Where the namespace of this name is.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Whether a namespace is there: a file that is just a file is what a reboot left.
pub(super) fn exists(path: &Path) -> bool {
    // The magic number of the file system of namespaces.
    const NSFS: i64 = 0x6e73_6673;
    // Not as wide everywhere.
    #[allow(clippy::useless_conversion, reason = "only of some machines")]
    let kind = |word| i64::try_from(word);
    let found = rustix::fs::statfs(path);
    found.is_ok_and(|found| kind(found.f_type).is_ok_and(|kind| kind == NSFS))
}

/// Makes a namespace; one that is there is kept.
pub(super) fn make(path: &Path) -> Result<(), NetworkError> {
    if exists(path) {
        return Ok(());
    }
    let fail = |why: io::Error| NetworkError::Namespace {
        path: path.to_path_buf(),
        why,
    };
    share_folder().map_err(fail)?;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o444)
        .open(path)
        .map_err(fail)?;
    let target = path.to_path_buf();
    // Only the thread that asks for it enters the new namespace; it ends with the thread, but for the mount.
    let made = std::thread::spawn(move || {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
        let source = Path::new("/proc/thread-self/ns/net");
        nix::mount::mount(Some(source), &target, NONE, MsFlags::MS_BIND, NONE)
    });
    let made = made
        .join()
        .map_err(|_| fail(io::Error::other("the thread that makes it ended")))?;
    made.map_err(|error| {
        // A failure leaves nothing behind.
        let _ = fs::remove_file(path);
        fail(error.into())
    })
}

/// The folder is a mount that passes on what is mounted in it, as other tools for namespaces expect it.
fn share_folder() -> io::Result<()> {
    fs::create_dir_all(FOLDER)?;
    let share = || {
        let flags = MsFlags::MS_SHARED | MsFlags::MS_REC;
        nix::mount::mount(NONE, FOLDER, NONE, flags, NONE)
    };
    if share().is_ok() {
        return Ok(());
    }
    nix::mount::mount(
        Some(FOLDER),
        FOLDER,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )?;
    Ok(share()?)
}

/// Removes a namespace; what still runs in it keeps it until it ends.
pub(super) fn remove(path: &Path) -> Result<(), NetworkError> {
    let _ = nix::mount::umount2(path, MntFlags::MNT_DETACH);
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(NetworkError::Namespace {
            path: path.to_path_buf(),
            why,
        }),
        _ => Ok(()),
    }
}
