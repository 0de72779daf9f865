//! The task drivers that come with the node agent.
//!
//! Entry point: [`Drivers::builtin`]. `raw_exec`, `exec`, `java` and `qemu` run supervised processes and share
//! [`executor`]; `docker` talks to the engine; `mock_driver` acts by script.
//!
//! Invariants: a driver keeps no file of its own but images, which can be fetched again: what must survive the agent is in
//! the task handle, in the supervisor's record or in the engine. A driver never touches a process or container it did not start.
//!
//! Must never know: cluster state, allocations beyond their ids, how tasks are chosen.

mod asked;
mod caps;
mod docker;
mod exec;
mod exec_pump;
mod executor;
mod groups;
mod image;
mod isolated;
mod java;
mod mock;
mod process_driver;
mod qemu;
mod raw_exec;
mod registry;
mod sampler;
mod search;
mod signals;
mod users;

pub use registry::{Drivers, Settings};
pub use signals::{SIGNALS, signal_number};
