//! A driver whose tasks are supervised processes: everything but what the process is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caravan_driver::{
    Capabilities, Driver, DriverError, DriverEvent, DriverNetwork, EventSender, ExecIo, ExecOutput,
    ExecRequest, ExitResult, Fingerprint, Started, TaskConfig, TaskHandle, TaskStatus, TaskUsage,
};
use caravan_host::cgroup::TaskCgroup;
use caravan_host::{Process, Supervisors};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::executor::Executor;

/// What one start needs.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) process: Process,
    pub(crate) cgroup: Option<TaskCgroup>,
    pub(crate) network: Option<DriverNetwork>,
}

/// The part in which the drivers differ.
#[async_trait]
pub(crate) trait Kind: Send + Sync + 'static {
    const NAME: &'static str;
    /// Whether the fingerprint is what a program of the host says of itself.
    const RUNS_PROGRAM: bool = false;

    fn capabilities(&self) -> Capabilities;

    async fn fingerprint(&self) -> Fingerprint;

    fn validate(&self, config: &Value) -> Result<(), DriverError>;

    /// From a task to a process. The cgroup is created last, when nothing can fail any more.
    async fn plan(&self, config: &TaskConfig, events: &EventSender) -> Result<Plan, DriverError>;

    /// Asks the task to end in the driver's own way; false: with the signal.
    async fn ask_to_end(&self, _config: &TaskConfig) -> bool {
        false
    }
}

#[derive(Debug)]
pub(crate) struct ProcessDriver<K> {
    kind: K,
    executor: Executor,
    events: EventSender,
}

impl<K: Kind> ProcessDriver<K> {
    pub(crate) fn new(kind: K, supervisors: Arc<Supervisors>) -> Self {
        Self {
            kind,
            executor: Executor::new(K::NAME, supervisors),
            events: EventSender::new(),
        }
    }

    fn supports(&self, able: bool, what: &'static str) -> Result<(), DriverError> {
        if able {
            Ok(())
        } else {
            Err(DriverError::Unsupported {
                driver: K::NAME.into(),
                what,
            })
        }
    }
}

#[async_trait]
impl<K: Kind> Driver for ProcessDriver<K> {
    fn name(&self) -> &str {
        K::NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.kind.capabilities()
    }

    async fn fingerprint(&self) -> Fingerprint {
        self.kind.fingerprint().await
    }

    fn fingerprint_runs_program(&self) -> bool {
        K::RUNS_PROGRAM
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        self.kind.validate(config)
    }

    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError> {
        self.executor.make_room(&config).await?;
        let plan = self.kind.plan(&config, &self.events).await?;
        let started = self
            .executor
            .start(config, plan.process, plan.cgroup)
            .await?;
        Ok(Started {
            network: plan.network,
            ..started
        })
    }

    async fn recover_task(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        self.executor.recover(handle).await
    }

    async fn wait_task(&self, task_id: &str) -> Result<ExitResult, DriverError> {
        self.executor.wait(task_id).await
    }

    async fn stop_task(
        &self,
        task_id: &str,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError> {
        let config = self.executor.config(task_id)?;
        if self.kind.ask_to_end(&config).await
            && tokio::time::timeout(timeout, self.executor.wait(task_id))
                .await
                .is_ok()
        {
            return Ok(());
        }
        self.executor.stop(task_id, timeout, signal).await
    }

    async fn destroy_task(&self, task_id: &str, force: bool) -> Result<(), DriverError> {
        self.executor.destroy(task_id, force).await
    }

    async fn inspect_task(&self, task_id: &str) -> Result<TaskStatus, DriverError> {
        self.executor.inspect(task_id)
    }

    async fn task_stats(&self, task_id: &str) -> Result<TaskUsage, DriverError> {
        self.executor.stats(task_id)
    }

    async fn signal_task(&self, task_id: &str, signal: &str) -> Result<(), DriverError> {
        self.supports(self.kind.capabilities().send_signals, "signals")?;
        self.executor.signal(task_id, signal).await
    }

    async fn exec_task(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        self.supports(self.kind.capabilities().exec, "exec")?;
        self.executor.exec(task_id, command, timeout).await
    }

    async fn exec_task_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        self.supports(self.kind.capabilities().exec, "exec")?;
        self.executor.exec_streaming(task_id, request, io).await
    }

    fn task_events(&self) -> broadcast::Receiver<DriverEvent> {
        self.events.subscribe()
    }
}
