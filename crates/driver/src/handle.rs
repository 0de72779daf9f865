//! What the agent stores so that it finds a task again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TaskConfig;

/// A started task, as stored by the agent. Self-contained: it is all that `recover_task` gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskHandle {
    /// The version of `state`, so that a newer driver can read an older handle.
    pub version: u32,
    pub driver: String,
    pub config: Arc<TaskConfig>,
    /// The driver's own record (pid and socket, container id…).
    pub state: Value,
}

/// Where the task can be reached, when its driver decided that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DriverNetwork {
    pub ip: String,
    /// Port label to port inside the task's network.
    pub port_map: BTreeMap<String, u16>,
    /// Services without an address mode are advertised at this network.
    pub auto_advertise: bool,
}
