//! The root of an isolated task, and what is mounted in it.
//!
//! Who shares the task's directory can put links there, and exchange what is there, at any moment. So places are looked up
//! by the kernel below the root (see [`Below`]), and a mount is made ready where nobody else comes before it is moved to
//! its place. The host's files are there until all is done, and are never below the root.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{SFlag, makedev, mknod};
use nix::sys::statvfs::FsFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::isolate::{HostMount, HostPath, Isolation, Overlay, Step, at, at_io};
use crate::below::{Below, Links};
use crate::sys;

const NONE: Option<&str> = None;
const BIND: MsFlags = MsFlags::MS_BIND.union(MsFlags::MS_REC);
/// A directory that every host has and nothing here looks at. It is covered for this process alone, until the host goes.
const COVERED: &str = "/proc/fs";
/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// What of a mount a task does not have.
#[derive(Clone, Copy, PartialEq)]
enum Restricted {
    Not,
    /// Device files open nothing: a task can make them where it can write.
    ToFiles,
    /// Nor can anything be written.
    ToReading,
}

/// A root that is being furnished.
pub(super) struct World<'a> {
    isolation: &'a Isolation,
    root: Below,
    /// A directory and a file where mounts are made ready: in memory, and no other process comes to them.
    ready: [PathBuf; 2],
}

/// Furnishes the root and makes it that of this process.
pub(super) fn enter(isolation: &Isolation) -> Step {
    let world = World::lay(isolation)?;
    for item in &isolation.mounts {
        world.make_room(item)?;
    }
    for path in &isolation.host {
        world.host_path(path)?;
    }
    for item in &isolation.mounts {
        let restricted = match item.readonly {
            true => Restricted::ToReading,
            false => Restricted::ToFiles,
        };
        world.bind(&item.source, open(item), &item.target, restricted)?;
    }
    let devices = world.devices()?;
    world.kernel_files(&devices)?;
    for dir in &isolation.hidden {
        world.hide(dir)?;
    }
    world.begin()
}

/// What a mount shows.
fn open(item: &HostMount) -> io::Result<OwnedFd> {
    match &item.within {
        None => open_path(&item.source),
        Some(root) => {
            let below = item.source.strip_prefix(root).unwrap_or(&item.source);
            Below::open(root, Links::Beneath)?.at(below, OFlags::PATH, Mode::empty())
        }
    }
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// A name for what is open, whatever becomes of its path.
fn name(opened: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()))
}

fn relative(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

impl<'a> World<'a> {
    fn lay(isolation: &'a Isolation) -> Step<Self> {
        let path = isolation.root.as_path();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(NONE, "/", NONE, private, NONE).map_err(at("making mounts private"))?;
        let named = |what: &str| format!("{what} {}", path.display());
        match &isolation.overlay {
            Some(overlay) => lay(overlay, path)?,
            None => {
                mount(Some(path), path, NONE, BIND, NONE).map_err(at(named("bind")))?;
                restrict(path, false).map_err(at_io(named("remount")))?;
            }
        }
        let root = Below::open(path, Links::Inside).map_err(at_io(named("open")))?;
        let covered = Path::new(COVERED);
        make_mount("tmpfs", covered, MsFlags::empty(), "size=64k,mode=700")?;
        let ready = ["directory", "file"].map(|name| covered.join(name));
        let [directory, file] = &ready;
        fs::create_dir(directory)
            .and_then(|()| File::create(file).map(drop))
            .map_err(at_io(format!("making mounts ready in {COVERED}")))?;
        Ok(Self {
            isolation,
            root,
            ready,
        })
    }

    /// All is in place: the host goes.
    fn begin(self) -> Step {
        nix::unistd::chdir(&self.isolation.root).map_err(at("chdir to the root"))?;
        // The old root comes to lie over the new one.
        nix::unistd::pivot_root(".", ".").map_err(at("pivot_root"))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(at("leaving the old root"))?;
        nix::unistd::chdir("/").map_err(at("chdir /"))
    }

    /// A directory of the root, made where it is not there.
    fn directory(&self, target: &Path) -> io::Result<OwnedFd> {
        self.root.make_dirs(&relative(target), 0o755)
    }

    /// Something to mount a file over, made where it is not there. What is there may be in a directory that cannot be written.
    fn file(&self, target: &Path) -> io::Result<OwnedFd> {
        let mut path = relative(target);
        for _ in 0..MOST_LINKS {
            match self.root.at(&path, OFlags::PATH, Mode::empty()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
            let parent = path.parent().unwrap_or(Path::new("")).to_owned();
            let file = path.file_name().unwrap_or_default();
            let folder = self.root.make_dirs(&parent, 0o755)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            match rustix::fs::openat(&folder, file, flags, Mode::from_raw_mode(0o644)) {
                Ok(_) => {}
                // A link to nothing, such as one to what a service of the host makes.
                Err(Errno::EXIST) => {
                    let to = rustix::fs::readlinkat(&folder, file, Vec::new())?;
                    let to: &std::ffi::OsStr =
                        std::os::unix::ffi::OsStrExt::from_bytes(to.as_bytes());
                    path = parent.join(to);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::LOOP.into())
    }

    /// Moves what is ready to its place.
    fn put(&self, ready: &Path, place: &OwnedFd) -> nix::Result<()> {
        mount(Some(ready), &name(place), NONE, MsFlags::MS_MOVE, NONE)
    }

    fn bind(
        &self,
        shown: &Path,
        source: io::Result<OwnedFd>,
        target: &Path,
        restricted: Restricted,
    ) -> Step {
        let target = relative(target);
        let what = || format!("mount {} at /{}", shown.display(), target.display());
        let source = source.map_err(at_io(what()))?;
        let [directory, file] = &self.ready;
        let (ready, place) = match is_dir(&source) {
            true => (directory, self.directory(&target)),
            false => (file, self.file(&target)),
        };
        let place = place.map_err(at_io(what()))?;
        mount(Some(&name(&source)), ready, NONE, BIND, NONE).map_err(at(what()))?;
        if restricted != Restricted::Not {
            restrict(ready, restricted == Restricted::ToReading).map_err(at_io(what()))?;
        }
        self.put(ready, &place).map_err(at(what()))
    }

    /// Makes the place of a mount that is to lie in a directory of the host which has no such place, and gets none once it
    /// is there and cannot be written.
    fn make_room(&self, item: &HostMount) -> Step {
        let target = relative(&item.target);
        let is_missing = |host: &HostPath| {
            let below = target.strip_prefix(relative(&host.target));
            below.is_ok_and(|below| {
                host.source.is_dir() && fs::symlink_metadata(host.source.join(below)).is_err()
            })
        };
        if !self.isolation.host.iter().any(is_missing) {
            return Ok(());
        }
        let made = match item.source.is_dir() {
            true => self.directory(&target),
            false => self.file(&target),
        };
        let made = made.map(drop);
        made.map_err(at_io(format!("mkdir /{}", target.display())))
    }

    /// A directory or file of the host, read-only. What the agent put at the same place stays visible above it.
    fn host_path(&self, path: &HostPath) -> Step {
        let Ok(source) = open_path(&path.source) else {
            return Ok(());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let place = self.root.at(&relative(&path.target), flags, Mode::empty());
        if let Ok(place) = place.as_ref()
            && is_dir(&source)
            && fs::read_dir(name(place)).is_ok_and(|mut entries| entries.next().is_some())
        {
            let [upper, lower] = [place, &source].map(name);
            let layers = format!("lowerdir={}:{}", upper.display(), lower.display());
            let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
            let ready = self.directory_of("overlay", flags, &layers);
            if ready.is_ok_and(|ready| self.put(ready, place).is_ok()) {
                return Ok(());
            }
        }
        let restricted = Restricted::ToReading;
        self.bind(&path.source, Ok(source), &path.target, restricted)
    }

    /// Makes a file system ready.
    fn directory_of(&self, kind: &str, flags: MsFlags, options: &str) -> Step<&Path> {
        let ready = self.ready[0].as_path();
        make_mount(kind, ready, flags, options)?;
        Ok(ready)
    }

    /// Puts what is ready at a path of the root.
    fn put_at(&self, ready: &Path, target: &str) -> Step {
        let place = self.directory(Path::new(target));
        let place = place.map_err(at_io(format!("mkdir {target}")))?;
        self.put(ready, &place)
            .map_err(at(format!("mount {target}")))
    }

    /// `/dev`; the answer is that directory.
    fn devices(&self) -> Step<OwnedFd> {
        let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        let ready = self.directory_of("tmpfs", safe, "mode=755,size=64k")?;
        let nodes = [
            ("null", 1, 3),
            ("zero", 1, 5),
            ("full", 1, 7),
            ("random", 1, 8),
            ("urandom", 1, 9),
            ("tty", 5, 0),
        ];
        let everyone = nix::sys::stat::Mode::from_bits_truncate(0o666);
        let mask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        for (name, major, minor) in nodes {
            mknod(
                &ready.join(name),
                SFlag::S_IFCHR,
                everyone,
                makedev(major, minor),
            )
            .map_err(at(format!("/dev/{name}")))?;
        }
        nix::sys::stat::umask(mask);
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            symlink(target, ready.join(name)).map_err(at_io(format!("/dev/{name}")))?;
        }
        for (name, kind, flags, options) in [
            ("pts", "devpts", safe, "newinstance,ptmxmode=0666,mode=0620"),
            (
                "shm",
                "tmpfs",
                safe | MsFlags::MS_NODEV,
                "mode=1777,size=65536k",
            ),
        ] {
            let path = ready.join(name);
            fs::create_dir(&path).map_err(at_io(format!("mkdir /dev/{name}")))?;
            make_mount(kind, &path, flags, options)?;
        }
        let opened = open_path(ready).map_err(at_io("open /dev"))?;
        self.put_at(ready, "/dev")?;
        for device in &self.isolation.devices {
            let source = open_path(&device.source);
            self.bind(&device.source, source, &device.target, Restricted::Not)?;
        }
        // No more device files: the rest of the root opens none.
        close(&name(&opened), safe)?;
        Ok(opened)
    }

    fn kernel_files(&self, devices: &OwnedFd) -> Step {
        let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
        let ready = self.directory_of("proc", safe, "")?;
        let there = |names: &[&str]| -> Vec<PathBuf> {
            let paths = names.iter().map(|name| ready.join(name));
            paths.filter(|path| path.exists()).collect()
        };
        for path in there(&["sys", "sysrq-trigger", "irq", "bus"]) {
            mount(Some(&path), &path, NONE, BIND, NONE)
                .map_err(at(format!("bind {}", path.display())))?;
            close(&path, safe)?;
        }
        let null = name(devices).join("null");
        for path in there(&["kcore", "keys", "timer_list"]) {
            mount(Some(&null), &path, NONE, MsFlags::MS_BIND, NONE)
                .map_err(at(format!("mask {}", path.display())))?;
        }
        self.put_at(ready, "/proc")?;
        // Absent where the namespace does not own the network; tasks then go without.
        if let Ok(ready) = self.directory_of("sysfs", safe | MsFlags::MS_RDONLY, "") {
            let firmware = ready.join("firmware");
            if firmware.exists() {
                cover(&firmware)?;
            }
            self.put_at(ready, "/sys")?;
        }
        Ok(())
    }

    fn hide(&self, dir: &Path) -> Step {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let Ok(place) = self.root.at(&relative(dir), flags, Mode::empty()) else {
            return Ok(());
        };
        let ready = &self.ready[0];
        cover(ready)?;
        self.put(ready, &place)
            .map_err(at(format!("hide {}", dir.display())))
    }
}

fn is_dir(opened: &OwnedFd) -> bool {
    let found = rustix::fs::fstat(opened);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir())
}

/// Has device files at a mount, and in all that is mounted in it, open nothing, and nothing be written where that is asked
/// for.
fn restrict(mounted: &Path, to_reading: bool) -> io::Result<()> {
    use nix::libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY};
    let reading = if to_reading { MOUNT_ATTR_RDONLY } else { 0 };
    match sys::restrict_mounts(mounted, MOUNT_ATTR_NODEV | reading) {
        // Old kernels do not know it, and some filters for system calls.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) => {}
        other => return other,
    }
    restrict_alone(mounted, to_reading)
}

/// The older way, which leaves what is mounted in it as it is.
fn restrict_alone(mounted: &Path, to_reading: bool) -> io::Result<()> {
    let found = nix::sys::statvfs::statvfs(mounted)?.flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NODEV;
    for (has, keeps) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
    ] {
        flags.set(keeps, found.contains(has));
    }
    if to_reading {
        flags |= MsFlags::MS_RDONLY;
    }
    Ok(mount(NONE, mounted, NONE, flags, NONE)?)
}

/// What is mounted there can only be read from now on.
fn close(mounted: &Path, flags: MsFlags) -> Step {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | flags;
    mount(NONE, mounted, NONE, flags, NONE).map_err(at(format!("remount {}", mounted.display())))
}

fn make_mount(kind: &str, path: &Path, flags: MsFlags, options: &str) -> Step {
    mount(Some(kind), path, Some(kind), flags, Some(options)).map_err(at(format!("mount {kind}")))
}

fn cover(dir: &Path) -> Step {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    make_mount("tmpfs", dir, flags, "size=4k,mode=000")
}

fn lay(overlay: &Overlay, root: &Path) -> Step {
    let paths =
        [&overlay.lower, &overlay.upper, &overlay.work].map(|path| path.display().to_string());
    // They have a meaning in the options of a mount.
    if let Some(path) = paths.iter().find(|path| path.contains([':', ',', '\\'])) {
        let text = format!(
            "the data directory must not have ':', ',' or '\\' in its name to hold images: {path}"
        );
        return Err((text, io::ErrorKind::InvalidInput.into()));
    }
    let [lower, upper, work] = paths;
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    make_mount("overlay", root, MsFlags::MS_NODEV, &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_way_keeps_what_a_mount_does_not_have() {
        if !nix::unistd::geteuid().is_root() {
            println!("SKIPPED: the_older_way_keeps_what_a_mount_does_not_have: mounts need root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        mount(Some("tmpfs"), dir.path(), Some("tmpfs"), flags, NONE).unwrap();
        let has = || nix::sys::statvfs::statvfs(dir.path()).unwrap().flags();
        let kept = FsFlags::ST_NOSUID | FsFlags::ST_NOEXEC | FsFlags::ST_NODEV;
        let restricted = [false, true].map(|to_reading| {
            let done = restrict_alone(dir.path(), to_reading);
            done.map(|()| has())
        });
        umount2(dir.path(), MntFlags::MNT_DETACH).unwrap();
        let [writable, readable] = restricted.map(Result::unwrap);
        assert!(writable.contains(kept) && !writable.contains(FsFlags::ST_RDONLY));
        assert!(readable.contains(kept | FsFlags::ST_RDONLY));
    }
}
