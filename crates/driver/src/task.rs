//! The driver trait itself and what its calls answer.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::{
    Capabilities, DriverError, DriverEvent, DriverNetwork, ExecIo, ExecOutput, ExecRequest,
    Fingerprint, NetworkIsolation, TaskConfig, TaskHandle, TaskUsage,
};

/// What a successful start gives: the handle to store and the network the task can be reached at.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    pub handle: TaskHandle,
    pub network: Option<DriverNetwork>,
}

/// How a task ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExitResult {
    pub exit_code: i32,
    /// The number of the signal that ended the task, 0 when it exited by itself.
    pub signal: i32,
    pub oom_killed: bool,
    /// What the driver has to say about the exit, when there is more than a code.
    pub err: Option<String>,
}

impl ExitResult {
    #[must_use]
    pub fn exited(code: i32) -> Self {
        Self {
            exit_code: code,
            ..Self::default()
        }
    }

    /// Ended by a signal: the code is 128 plus its number, as a shell would report it.
    #[must_use]
    pub fn signalled(signal: i32) -> Self {
        Self {
            exit_code: 128 + signal,
            signal,
            ..Self::default()
        }
    }

    /// The driver cannot tell how the task ended.
    #[must_use]
    pub fn unknown(err: impl Into<String>) -> Self {
        Self {
            exit_code: -1,
            err: Some(err.into()),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn successful(&self) -> bool {
        self.exit_code == 0 && self.signal == 0 && self.err.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    Unknown,
    Running,
    Exited,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TaskStatus {
    pub task_id: String,
    pub name: String,
    pub state: TaskState,
    /// Nanoseconds since the epoch, 0 when unknown.
    pub started_at: i64,
    pub completed_at: i64,
    pub exit: Option<ExitResult>,
    /// Free-form facts, for example `pid` or `container_id`.
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// Something that runs tasks. `task_id` is [`TaskConfig::task_id`] everywhere.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// The name jobs use in `driver = "…"`.
    fn name(&self) -> &str;

    fn capabilities(&self) -> Capabilities;

    /// Looks at the host. Cheap enough to be called every [`Driver::fingerprint_interval`].
    async fn fingerprint(&self) -> Fingerprint;

    /// Whether looking runs a program of the host, which may take its time.
    fn fingerprint_runs_program(&self) -> bool {
        false
    }

    fn fingerprint_interval(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Checks a task's (interpolated) `config` against the driver's schema.
    fn validate(&self, config: &Value) -> Result<(), DriverError>;

    /// Where the output of a task with this `config` goes instead of to the agent; `None`: the agent has it.
    fn output_elsewhere(&self, _config: &Value) -> Option<String> {
        None
    }

    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError>;

    /// Takes a running (or meanwhile ended) task back after the agent was restarted.
    async fn recover_task(&self, handle: &TaskHandle) -> Result<(), DriverError>;

    /// Resolves when the task has ended. May be called again and by many.
    async fn wait_task(&self, task_id: &str) -> Result<ExitResult, DriverError>;

    /// Asks the task to end with `signal` (the driver's default when `None`), and forces it after `timeout`.
    async fn stop_task(
        &self,
        task_id: &str,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError>;

    /// Forgets the task and frees what it held. A running task is refused unless `force`.
    async fn destroy_task(&self, task_id: &str, force: bool) -> Result<(), DriverError>;

    async fn inspect_task(&self, task_id: &str) -> Result<TaskStatus, DriverError>;

    /// One sample of resource usage.
    async fn task_stats(&self, task_id: &str) -> Result<TaskUsage, DriverError>;

    async fn signal_task(&self, task_id: &str, signal: &str) -> Result<(), DriverError>;

    /// Runs a command in the task's environment and collects its output.
    async fn exec_task(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError>;

    /// Runs a command with live streams; resolves with its exit code.
    async fn exec_task_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError>;

    /// Everything that happens to any task of this driver and is worth a task event.
    fn task_events(&self) -> broadcast::Receiver<DriverEvent>;

    /// Makes the network namespace of an allocation, for drivers that must own it.
    async fn create_network(
        &self,
        _alloc_id: &str,
        _hostname: &str,
    ) -> Result<Option<NetworkIsolation>, DriverError> {
        Ok(None)
    }

    async fn destroy_network(
        &self,
        _alloc_id: &str,
        _network: &NetworkIsolation,
    ) -> Result<(), DriverError> {
        Ok(())
    }

    /// The agent is about to exit. Running tasks stay as they are.
    async fn shutdown(&self) {}
}
