//! What is done after a run of a task, and what comes next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use caravan_driver::{
    Capabilities, Driver, DriverError, DriverEvent, ExecIo, ExecOutput, ExecRequest, ExitResult,
    Fingerprint, Started, TaskConfig, TaskHandle, TaskStatus, TaskUsage,
};
use caravan_model::ClientStatus;
use serde_json::Value;
use tokio::sync::{Notify, broadcast};

use crate::support::{Servers, alloc, client_driving, folder, own, shell};

/// As long as it takes who does not wait to go on.
const LONG: Duration = Duration::from_millis(500);

/// A driver that cleans up slowly.
struct Slow {
    driver: Arc<dyn Driver>,
    cleaning: AtomicBool,
    started: Notify,
    starts: AtomicUsize,
    too_early: AtomicUsize,
}

#[async_trait]
impl Driver for Slow {
    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        if self.cleaning.load(Ordering::SeqCst) {
            self.too_early.fetch_add(1, Ordering::SeqCst);
        }
        self.started.notify_one();
        self.driver.start_task(config).await
    }

    async fn destroy_task(&self, task_id: &str, force: bool) -> Result<(), DriverError> {
        self.cleaning.store(true, Ordering::SeqCst);
        let before = self.starts.load(Ordering::SeqCst);
        let another = async {
            while self.starts.load(Ordering::SeqCst) == before {
                self.started.notified().await;
            }
        };
        let _ = tokio::time::timeout(LONG, another).await;
        let destroyed = self.driver.destroy_task(task_id, force).await;
        self.cleaning.store(false, Ordering::SeqCst);
        destroyed
    }

    fn name(&self) -> &str {
        self.driver.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    async fn fingerprint(&self) -> Fingerprint {
        self.driver.fingerprint().await
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        self.driver.validate(config)
    }

    async fn recover_task(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        self.driver.recover_task(handle).await
    }

    async fn wait_task(&self, task_id: &str) -> Result<ExitResult, DriverError> {
        self.driver.wait_task(task_id).await
    }

    async fn stop_task(
        &self,
        task_id: &str,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError> {
        self.driver.stop_task(task_id, timeout, signal).await
    }

    async fn inspect_task(&self, task_id: &str) -> Result<TaskStatus, DriverError> {
        self.driver.inspect_task(task_id).await
    }

    async fn task_stats(&self, task_id: &str) -> Result<TaskUsage, DriverError> {
        self.driver.task_stats(task_id).await
    }

    async fn signal_task(&self, task_id: &str, signal: &str) -> Result<(), DriverError> {
        self.driver.signal_task(task_id, signal).await
    }

    async fn exec_task(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        self.driver.exec_task(task_id, command, timeout).await
    }

    async fn exec_task_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        self.driver.exec_task_streaming(task_id, request, io).await
    }

    fn task_events(&self) -> broadcast::Receiver<DriverEvent> {
        self.driver.task_events()
    }
}

/// A container or cgroup of the same name is still that of the run before.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_begins_again_when_its_last_run_is_cleaned_up() {
    let (servers, dir) = (Servers::new(), folder());
    let mut slow = None;
    let client = client_driving(
        &servers,
        dir.path(),
        |config| config.dev = true,
        |driver| {
            let it = Arc::new(Slow {
                driver,
                cleaning: AtomicBool::new(false),
                started: Notify::new(),
                starts: AtomicUsize::new(0),
                too_early: AtomicUsize::new(0),
            });
            slow = Some(Arc::clone(&it));
            it
        },
    )
    .await;
    servers.want(alloc(own(), "batch", shell("exit 1")));
    servers.until_it_is(ClientStatus::Failed).await;
    let slow = slow.unwrap();
    assert_eq!(slow.starts.load(Ordering::SeqCst), 2, "it began again");
    assert_eq!(slow.too_early.load(Ordering::SeqCst), 0);
    client.shutdown().await;
}
