//! Paths below a directory where others may put links at any moment. The kernel resolves them below it, so that neither
//! `..` nor a link leads out, whoever made it and when.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use tokio::net::UnixStream;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// How often a path is looked up that changes while it is.
const TRIES: usize = 16;

/// How links on a path are taken.
#[derive(Clone, Copy, Debug)]
pub enum Links {
    /// As if the directory were the whole machine: what is absolute begins at it, and nothing is above it.
    Inside,
    /// As they are; one that leads out is an error (`CrossesDevices`).
    Beneath,
    /// Each is an error.
    Refused,
}

/// A directory whose paths lead nowhere else.
#[derive(Debug)]
pub struct Below {
    root: OwnedFd,
    resolve: ResolveFlags,
}

impl Below {
    /// The directory at `root`, which is no link itself.
    ///
    /// # Errors
    /// What the system has against opening it.
    pub fn open(root: &Path, links: Links) -> io::Result<Self> {
        let flags = DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
        Ok(Self::of(root, links))
    }

    /// A directory that is open.
    #[must_use]
    pub fn of(root: OwnedFd, links: Links) -> Self {
        let links = match links {
            Links::Inside => ResolveFlags::IN_ROOT,
            Links::Beneath => ResolveFlags::BENEATH,
            Links::Refused => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        };
        Self {
            root,
            resolve: links | ResolveFlags::NO_MAGICLINKS,
        }
    }

    /// Opens what is at `path`; an empty one is the directory itself. `mode` is that of a file that is made.
    ///
    /// # Errors
    /// What the system has against it.
    pub fn at(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let path = match path.as_os_str().is_empty() {
            true => Path::new(OsStr::new(".")),
            false => path,
        };
        let flags = flags | OFlags::CLOEXEC;
        let mut tries = 0;
        loop {
            tries += 1;
            match rustix::fs::openat2(&self.root, path, flags, mode, self.resolve) {
                Err(Errno::AGAIN) if tries < TRIES => {}
                other => return Ok(other?),
            }
        }
    }

    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// What the system has against it; what is there may be no socket.
    pub async fn connect(&self, path: &Path) -> io::Result<UnixStream> {
        let found = self.at(path, OFlags::PATH, Mode::empty())?;
        UnixStream::connect(format!("/proc/self/fd/{}", found.as_raw_fd())).await
    }

    /// The directory at `path`; it and those on the way are made with `mode` where nothing is.
    ///
    /// # Errors
    /// What the system has against it.
    pub fn make_dirs(&self, path: &Path, mode: u32) -> io::Result<OwnedFd> {
        let directory = |path: &Path| self.at(path, DIRECTORY, Mode::empty());
        let mut so_far = PathBuf::new();
        let mut parent = directory(&so_far)?;
        for name in path.components() {
            so_far.push(name);
            parent = match directory(&so_far) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let mode = Mode::from_raw_mode(mode);
                    let made = rustix::fs::mkdirat(&parent, name.as_os_str(), mode);
                    match (made, directory(&so_far)) {
                        (Ok(()) | Err(Errno::EXIST), Ok(found)) => found,
                        // A link to nothing is in the way.
                        (Err(error), _) => return Err(error.into()),
                        (Ok(()), Err(error)) => return Err(error),
                    }
                }
                other => other?,
            };
        }
        Ok(parent)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_reached_and_a_link_to_one_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let socket = |name: &str| temp.path().join(name);
        let listener = std::os::unix::net::UnixListener::bind(socket("own")).unwrap();
        symlink(socket("own"), socket("link")).unwrap();
        fs::write(socket("file"), "").unwrap();
        let below = Below::open(temp.path(), Links::Refused).unwrap();
        let connect = async |name: &str| {
            let connected = below.connect(Path::new(name)).await;
            connected.map(drop).map_err(|error| error.raw_os_error())
        };
        assert_eq!(connect("own").await, Ok(()));
        assert!(listener.accept().is_ok());
        for (name, errno) in [
            ("link", Errno::LOOP),
            ("file", Errno::CONNREFUSED),
            ("none", Errno::NOENT),
        ] {
            assert_eq!(connect(name).await, Err(Some(errno.raw_os_error())));
        }
    }

    #[test]
    fn nothing_is_made_or_opened_outside() {
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
        fs::create_dir_all(root.join("real")).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("real", root.join("inside")).unwrap();
        symlink("/real", root.join("absolute")).unwrap();
        symlink("../outside", root.join("up")).unwrap();
        symlink(&outside, root.join("out")).unwrap();
        symlink("nothing", root.join("dangling")).unwrap();
        let made = |links: Links, path: &str| {
            let below = Below::open(&root, links).unwrap();
            let made = below.make_dirs(Path::new(path), 0o755);
            made.map(drop).map_err(|error| error.raw_os_error())
        };
        let is = |errno: Errno| Err(Some(errno.raw_os_error()));
        for links in [Links::Inside, Links::Beneath, Links::Refused] {
            assert_eq!(made(links, "new/deep"), Ok(()));
            assert_eq!(made(links, ""), Ok(()));
            assert_eq!(
                made(links, "dangling/x"),
                match links {
                    Links::Refused => is(Errno::LOOP),
                    _ => is(Errno::EXIST),
                }
            );
        }
        assert_eq!(made(Links::Refused, "inside/x"), is(Errno::LOOP));
        assert_eq!(made(Links::Beneath, "inside/x"), Ok(()));
        assert!(root.join("real/x").is_dir());
        for path in ["absolute/y", "up/y", "out/y", "../outside/y", "/y"] {
            assert_eq!(made(Links::Beneath, path), is(Errno::XDEV), "{path}");
        }
        assert_eq!(made(Links::Inside, "absolute/z"), Ok(()));
        assert!(root.join("real/z").is_dir());
        for path in ["up/y", "../outside/y"] {
            // What is above is the directory itself.
            let _ = made(Links::Inside, path);
        }
        assert!(root.join("outside/y").is_dir());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(Below::open(&root.join("inside"), Links::Inside).is_err());
    }
}
