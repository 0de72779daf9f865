//! What a driver can do, known before any task exists.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FsIsolation {
    /// The task sees the host's files.
    None,
    /// The task directory is the task's root; the driver adds what is needed of the host. The task sees its
    /// directories as `/alloc`, `/local` and `/secrets`.
    Chroot,
    /// The root comes from an image; alloc, local and secrets are mounted at `/alloc`, `/local`, `/secrets`.
    Image,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    Host,
    Group,
    Task,
    None,
}

/// What `alloc exec` gives access to: with `None` it is the node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecIsolation {
    None,
    Task,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub send_signals: bool,
    pub exec: bool,
    pub fs_isolation: FsIsolation,
    pub network_modes: Vec<NetworkMode>,
    /// The driver, not the agent, makes the network namespace of an allocation.
    pub must_initiate_network: bool,
    /// The driver can bind-mount volumes and devices.
    pub mounts: bool,
    /// The task gets the host's environment as a base.
    pub host_environment: bool,
    /// The driver writes `TaskConfig::logs` files itself; false: there are no logs to read.
    pub logs: bool,
}

impl Capabilities {
    #[must_use]
    pub fn exec_isolation(&self) -> ExecIsolation {
        match self.fs_isolation {
            FsIsolation::None => ExecIsolation::None,
            FsIsolation::Chroot | FsIsolation::Image => ExecIsolation::Task,
        }
    }
}
