//! What the node gives to tasks: supervised processes, cgroups, namespaces, users and their statistics.
//!
//! Entry points: [`supervise_main`], which `main` calls for `nomad supervise` before any runtime or thread
//! exists; [`Supervisors`], the agent's side; [`cgroup`]; [`procs`]; [`tree`].
//!
//! Invariants: all `unsafe` of the workspace is in `sys`; a supervisor is single-threaded; a process is named by
//! pid *and* start time *and* boot id, never by a pid alone; nothing here outlives its task.
//!
//! Must never know: jobs, allocations, drivers.

pub mod below;
pub mod cgroup;
pub mod credentials;
pub mod held;
pub mod procs;
mod supervisor;
mod sys;
pub mod tree;

pub use sys::{give_memory_back, keep_inherited_from_programs, landlock_version};

pub use supervisor::client::{
    ExecSession, ExecStreams, LaunchError, Locator, Reconnected, Supervised, Supervisors,
};
pub use supervisor::isolate::{HostMount, HostPath, Isolation, Overlay};
pub use supervisor::logs::Rotator;
pub use supervisor::pool::supervise_main;
pub use supervisor::pty::PtyMaster;
pub use supervisor::record::{ExitRecord, Record};
pub use supervisor::spec::{LogSpec, Process, Spec};
