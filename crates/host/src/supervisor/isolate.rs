//! Namespaces and privileges of an isolated task, set up in the child between fork and exec.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use super::{seccomp, world};

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
    /// A directory that the source lies in, where others may put links at any moment: none leads out of it.
    pub within: Option<PathBuf>,
    pub target: PathBuf,
    pub readonly: bool,
}

pub(super) fn at(what: impl Into<String>) -> impl FnOnce(nix::Error) -> (String, io::Error) {
    let what = what.into();
    move |err| (what, err.into())
}

pub(super) fn at_io(what: impl Into<String>) -> impl FnOnce(io::Error) -> (String, io::Error) {
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
    world::enter(isolation)
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
