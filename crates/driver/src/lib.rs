//! The contract between the node agent and anything that can run a task.
//!
//! Entry point: [`Driver`]. The agent validates a task's free-form `config` with [`Driver::validate`], starts it
//! with [`Driver::start_task`], stores the returned [`TaskHandle`], and after a restart of its own gives the
//! handle back to [`Driver::recover_task`].
//!
//! Invariants: a handle is self-contained (it survives the agent); every method may be called concurrently;
//! `wait_task` may be called any number of times and always gives the same answer.
//!
//! Must never know: any particular driver, the cluster, or where allocations come from.

mod capabilities;
mod config;
mod dns;
mod error;
mod event;
mod exec;
mod fingerprint;
mod handle;
pub mod schema;
mod stats;
mod task;

pub use capabilities::{Capabilities, ExecIsolation, FsIsolation, NetworkMode};
pub use config::{
    DeviceConfig, DnsConfig, LogConfig, MountConfig, NetworkIsolation, PortMapping, TaskConfig,
    TaskDirs, TaskNetwork, TaskResources,
};
pub use error::DriverError;
pub use event::{DriverEvent, EventSender};
pub use exec::{ExecInput, ExecIo, ExecOutput, ExecOutputFrame, ExecRequest};
pub use fingerprint::{Fingerprint, Health};
pub use handle::{DriverNetwork, TaskHandle};
pub use stats::{CpuUsage, MemoryUsage, TaskUsage, Usage};
pub use task::{Driver, ExitResult, Started, TaskState, TaskStatus};
