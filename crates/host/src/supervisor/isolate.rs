//! Namespaces, root and privileges of an isolated task, set up in the child between fork and exec.
//!
//! All mounting happens after the task's directory became the root, so that no link a task may have left there
//! can lead a mount out of it. The host's files are reached through the old root, which has a name the task
//! cannot know and is gone before the task starts.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use super::seccomp;

pub(super) type Step<T = ()> = Result<T, (String, io::Error)>;

/// How a task is kept apart from the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Isolation {
    /// Becomes `/`.
    pub root: PathBuf,
    /// What lies at the root, instead of the directory that is there.
    pub overlay: Option<Overlay>,
    /// Host paths that appear read-only in the root.
    pub host: Vec<HostPath>,
    pub mounts: Vec<HostMount>,
    /// Device files of the host.
    pub devices: Vec<HostPath>,
    /// Directories of the root that the task must not see.
    pub hidden: Vec<PathBuf>,
    pub pid_namespace: bool,
    pub ipc_namespace: bool,
    /// Kept capabilities, without the `CAP_` prefix.
    pub capabilities: Vec<String>,
    pub hostname: String,
    /// System calls that need no filter here: the operator turned it off.
    pub unfiltered: bool,
}

/// A tree that stays as it is, and a directory for all that is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    pub lower: PathBuf,
    pub upper: PathBuf,
    /// An empty directory beside `upper`, for the kernel.
    pub work: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPath {
    pub source: PathBuf,
    pub target: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMount {
    pub source: PathBuf,
    pub target: PathBuf,
    pub readonly: bool,
}

const NONE: Option<&str> = None;

fn at(what: impl Into<String>) -> impl FnOnce(nix::Error) -> (String, io::Error) {
    let what = what.into();
    move |err| (what, err.into())
}

fn at_io(what: impl Into<String>) -> impl FnOnce(io::Error) -> (String, io::Error) {
    let what = what.into();
    move |err| (what, err)
}

/// Called by the supervisor: its next children are in a process namespace of their own.
pub(super) fn prepare_parent(isolation: &Isolation) -> io::Result<()> {
    if isolation.pid_namespace {
        unshare(CloneFlags::CLONE_NEWPID)?;
    }
    Ok(())
}

/// A new world for the task's first process.
pub(super) fn enter(isolation: &Isolation) -> Step {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    if isolation.ipc_namespace {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    unshare(flags).map_err(at("unshare"))?;
    if !isolation.hostname.is_empty() {
        nix::unistd::sethostname(&isolation.hostname).map_err(at("sethostname"))?;
    }
    let old = change_root(isolation)?;
    for item in &isolation.mounts {
        make_room(&old, isolation, item)?;
    }
    for path in &isolation.host {
        host_path(&old, path)?;
    }
    for item in &isolation.mounts {
        bind(
            &old.join(relative(&item.source)),
            &item.target,
            item.readonly,
        )?;
    }
    devices(&old, isolation)?;
    kernel_files()?;
    for dir in &isolation.hidden {
        hide(dir)?;
    }
    umount2(&old, MntFlags::MNT_DETACH).map_err(at("leaving the old root"))?;
    fs::remove_dir(&old).map_err(at_io("removing the old root"))
}

/// The world of a running task, for a command beside it.
pub(super) fn join(pid: i32, isolation: &Isolation) -> Step {
    let open = |path: String| File::open(&path).map_err(at_io(path));
    let root = open(format!("/proc/{pid}/root"))?;
    let mut names = vec![
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    if isolation.ipc_namespace {
        names.insert(0, ("ipc", CloneFlags::CLONE_NEWIPC));
    }
    let mut opened = Vec::new();
    for (name, flag) in names {
        opened.push((open(format!("/proc/{pid}/ns/{name}"))?, flag));
    }
    for (file, flag) in opened {
        setns(file, flag).map_err(at("joining the task's namespaces"))?;
    }
    nix::unistd::fchdir(&root).map_err(at("fchdir"))?;
    nix::unistd::chroot(".").map_err(at("chroot"))
}

/// Makes `root` the root; the answer is where the old one is for now.
fn change_root(isolation: &Isolation) -> Step<PathBuf> {
    let root = isolation.root.as_path();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NONE, "/", NONE, private, NONE).map_err(at("making mounts private"))?;
    let named = |what: &str| format!("{what} {}", root.display());
    match &isolation.overlay {
        Some(overlay) => lay(overlay, root)?,
        None => {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(root), root, NONE, flags, NONE).map_err(at(named("bind")))?;
            // Device files that a task makes in its own directories open nothing.
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NODEV;
            mount(NONE, root, NONE, flags, NONE).map_err(at(named("remount")))?;
        }
    }
    let name = format!(".old-{:016x}", random());
    fs::create_dir(root.join(&name)).map_err(at_io(named("mkdir in")))?;
    nix::unistd::chdir(root).map_err(at(named("chdir")))?;
    nix::unistd::pivot_root(".", name.as_str()).map_err(at(named("pivot_root")))?;
    nix::unistd::chdir("/").map_err(at("chdir /"))?;
    Ok(Path::new("/").join(name))
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
    mount(
        Some("overlay"),
        root,
        Some("overlay"),
        MsFlags::MS_NODEV,
        Some(options.as_str()),
    )
    .map_err(at("laying a directory for changes over the image"))
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    let read =
        File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes));
    if read.is_err() {
        return u64::from(std::process::id());
    }
    u64::from_ne_bytes(bytes)
}

fn relative(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

/// Makes the place of a mount that is to lie in a directory of the host which has no such place, and gets none once it is
/// there and cannot be written.
fn make_room(old: &Path, isolation: &Isolation, item: &HostMount) -> Step {
    let target = Path::new("/").join(relative(&item.target));
    let is_missing = |host: &HostPath| {
        let below = target.strip_prefix(Path::new("/").join(relative(&host.target)));
        below.is_ok_and(|below| {
            let host = old.join(relative(&host.source));
            host.is_dir() && fs::symlink_metadata(host.join(below)).is_err()
        })
    };
    if !isolation.host.iter().any(is_missing) {
        return Ok(());
    }
    let made = match old.join(relative(&item.source)).is_dir() {
        true => fs::create_dir_all(&target),
        false => make_file(&target),
    };
    made.map_err(at_io(format!("mkdir {}", target.display())))
}

/// A directory or file of the host, read-only. What the agent put at the same place stays visible above it.
fn host_path(old: &Path, path: &HostPath) -> Step {
    let source = old.join(relative(&path.source));
    let Ok(meta) = fs::metadata(&source) else {
        return Ok(());
    };
    let target = Path::new("/").join(relative(&path.target));
    let occupied =
        meta.is_dir() && fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let layers = format!("lowerdir={}:{}", target.display(), source.display());
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
        if mount(
            Some("overlay"),
            &target,
            Some("overlay"),
            flags,
            Some(layers.as_str()),
        )
        .is_ok()
        {
            return Ok(());
        }
    }
    bind(&source, &target, true)
}

fn bind(source: &Path, target: &Path, readonly: bool) -> Step {
    let target = Path::new("/").join(relative(target));
    let what = || format!("mount {} at {}", source.display(), target.display());
    let meta = fs::metadata(source).map_err(at_io(what()))?;
    if meta.is_dir() {
        fs::create_dir_all(&target).map_err(at_io(what()))?;
    } else {
        make_file(&target).map_err(at_io(what()))?;
    }
    mount(
        Some(source),
        &target,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(at(what()))?;
    if readonly {
        remount_readonly(&target)?;
    }
    Ok(())
}

/// Something to mount a file over. What is there may be in a directory that cannot be written.
fn make_file(target: &Path) -> io::Result<()> {
    if target.exists() {
        return Ok(());
    }
    // A link to nothing, such as one to what a service of the host makes.
    let target = match fs::read_link(target) {
        Ok(place) => target.parent().unwrap_or(Path::new("/")).join(place),
        Err(_) => target.to_owned(),
    };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    File::options()
        .create(true)
        .append(true)
        .open(&target)
        .map(drop)
}

fn remount_readonly(target: &Path) -> Step {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
    mount(NONE, target, NONE, flags, NONE).map_err(at(format!("remount {}", target.display())))
}

fn make_mount(kind: &str, target: &str, flags: MsFlags, options: &str) -> Step {
    fs::create_dir_all(target).map_err(at_io(format!("mkdir {target}")))?;
    mount(Some(kind), target, Some(kind), flags, Some(options))
        .map_err(at(format!("mount {target}")))
}

fn devices(old: &Path, isolation: &Isolation) -> Step {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    make_mount("tmpfs", "/dev", safe, "mode=755,size=64k")?;
    let nodes = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ];
    let everyone = Mode::from_bits_truncate(0o666);
    let mask = nix::sys::stat::umask(Mode::empty());
    for (name, major, minor) in nodes {
        let path = format!("/dev/{name}");
        mknod(
            path.as_str(),
            SFlag::S_IFCHR,
            everyone,
            makedev(major, minor),
        )
        .map_err(at(path.clone()))?;
    }
    nix::sys::stat::umask(mask);
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, format!("/dev/{name}")).map_err(at_io(format!("/dev/{name}")))?;
    }
    make_mount(
        "devpts",
        "/dev/pts",
        safe,
        "newinstance,ptmxmode=0666,mode=0620",
    )?;
    make_mount(
        "tmpfs",
        "/dev/shm",
        safe | MsFlags::MS_NODEV,
        "mode=1777,size=65536k",
    )?;
    for device in &isolation.devices {
        bind(&old.join(relative(&device.source)), &device.target, false)?;
    }
    // No more device files: the rest of the root opens none.
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | safe;
    mount(NONE, "/dev", NONE, flags, NONE).map_err(at("remount /dev"))
}

fn kernel_files() -> Step {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    make_mount("proc", "/proc", safe, "")?;
    for path in ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"] {
        let path = Path::new(path);
        if path.exists() {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(path), path, NONE, flags, NONE)
                .map_err(at(format!("bind {}", path.display())))?;
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | safe;
            mount(NONE, path, NONE, flags, NONE)
                .map_err(at(format!("remount {}", path.display())))?;
        }
    }
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list"] {
        if Path::new(path).exists() {
            mount(Some("/dev/null"), path, NONE, MsFlags::MS_BIND, NONE)
                .map_err(at(format!("mask {path}")))?;
        }
    }
    // Absent where the namespace does not own the network; tasks then go without.
    if make_mount("sysfs", "/sys", safe | MsFlags::MS_RDONLY, "").is_ok()
        && Path::new("/sys/firmware").exists()
    {
        hide(Path::new("/sys/firmware"))?;
    }
    Ok(())
}

fn hide(dir: &Path) -> Step {
    let dir = Path::new("/").join(relative(dir));
    if !dir.is_dir() {
        return Ok(());
    }
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    mount(
        Some("tmpfs"),
        &dir,
        Some("tmpfs"),
        flags,
        Some("size=4k,mode=000"),
    )
    .map_err(at(format!("hide {}", dir.display())))
}

/// What may ever be had again by this process or what it executes. Before the user changes.
pub(super) fn bound_privileges(isolation: &Isolation) -> Step {
    let keep = kept(isolation);
    for capability in CapabilitySet::all().iter().filter(|c| !keep.contains(*c)) {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // Unknown to this kernel.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(err) => return Err(("dropping capabilities".into(), err.into())),
        }
    }
    Ok(())
}

/// Before the user changes: what is kept is not lost to that.
pub(super) fn keep_privileges(isolation: &Isolation) -> Step {
    if kept(isolation).is_empty() {
        return Ok(());
    }
    rustix::thread::set_keep_capabilities(true)
        .map_err(|err| ("keeping capabilities".into(), err.into()))
}

/// After the user changed: what this process has now. Nothing it executes gains more.
pub(super) fn drop_privileges(isolation: &Isolation) -> Step {
    let keep = kept(isolation);
    let root = nix::unistd::geteuid().is_root();
    let sets = CapabilitySets {
        effective: keep,
        permitted: keep,
        // What it executes has nothing else to have them from; root's programs have them anyway.
        inheritable: if root { CapabilitySet::empty() } else { keep },
    };
    if root || !keep.is_empty() {
        rustix::thread::set_capabilities(None, sets)
            .map_err(|err| ("setting capabilities".into(), err.into()))?;
    }
    for capability in keep.iter().filter(|_| !root) {
        rustix::thread::configure_capability_in_ambient_set(capability, true)
            .map_err(|err| ("passing capabilities on".into(), err.into()))?;
    }
    nix::sys::prctl::set_no_new_privs().map_err(at("no_new_privs"))?;
    if isolation.unfiltered {
        return Ok(());
    }
    seccomp::apply(&isolation.capabilities).map_err(at_io("seccomp"))
}

fn kept(isolation: &Isolation) -> CapabilitySet {
    isolation
        .capabilities
        .iter()
        .filter_map(|name| CapabilitySet::from_name(&name.to_ascii_uppercase()))
        .fold(CapabilitySet::empty(), |all, one| all | one)
}
