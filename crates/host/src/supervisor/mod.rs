//! One small process for each task that owns its pipes and logs, waits for its exit and outlives the agent.
//!
//! The agent starts one *pool* (`nomad supervise`), which forks a supervisor for each task: no exec, and almost
//! all memory shared. The pool ends with the agent; supervisors are adopted by init and end with their
//! task, unless other starts are under way, of which they then take one.
//! `client` is the agent's half, all else runs in supervisors.

pub(crate) mod client;
mod control;
mod frame;
pub(crate) mod isolate;
pub(crate) mod logs;
pub(crate) mod pool;
pub(crate) mod pty;
pub(crate) mod record;
mod seccomp;
mod serve;
mod spawn;
pub(crate) mod spec;
mod tree;
mod world;
