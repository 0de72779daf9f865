//! One container that runs a task: waited for, stopped, measured.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptions,
};
use caravan_driver::{DriverError, ExitResult, TaskConfig};
use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::image::Image;
use super::stats::Previous;
use super::words;

/// How long an engine that is away is waited for between two looks.
const RETRY: Duration = Duration::from_secs(1);
/// The last lines come shortly after the exit; an engine that stalls must not keep the exit back.
const LAST_LINES: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) config: Arc<TaskConfig>,
    pub(crate) id: String,
    pub(crate) image: Image,
    pub(crate) started_at: i64,
    pub(crate) previous: Mutex<Previous>,
    exit: watch::Sender<Option<ExitResult>>,
}

impl Container {
    /// Starts to wait; the exit is told after `logs` (if any) took the last line.
    pub(crate) fn follow(
        docker: Docker,
        config: Arc<TaskConfig>,
        id: String,
        image: Image,
        started_at: i64,
        logs: Option<JoinHandle<()>>,
    ) -> Arc<Self> {
        let container = Arc::new(Self {
            config,
            id,
            image,
            started_at,
            previous: Mutex::default(),
            exit: watch::channel(None).0,
        });
        let waiting = Arc::clone(&container);
        tokio::spawn(async move {
            let exit = until_exit(&docker, &waiting.id).await;
            if let Some(logs) = logs {
                let abort = logs.abort_handle();
                if tokio::time::timeout(LAST_LINES, logs).await.is_err() {
                    abort.abort();
                }
            }
            waiting.exit.send_replace(Some(exit));
        });
        container
    }

    pub(crate) fn exit(&self) -> Option<ExitResult> {
        self.exit.borrow().clone()
    }

    pub(crate) async fn wait(&self) -> ExitResult {
        let mut exit = self.exit.subscribe();
        let found = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| exit.clone());
        found.unwrap_or_else(|| ExitResult::unknown("the agent is shutting down"))
    }

    pub(crate) fn running(&self) -> Result<(), DriverError> {
        match self.exit() {
            None => Ok(()),
            Some(_) => Err(DriverError::State("task is not running".into())),
        }
    }

    /// Without a signal of the job's own the image's is used.
    pub(crate) async fn stop(
        &self,
        docker: &Docker,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError> {
        let Some(signal) = signal.filter(|signal| !signal.is_empty()) else {
            return self.engine_stop(docker, timeout).await;
        };
        self.signal(docker, signal).await?;
        if tokio::time::timeout(timeout, self.wait()).await.is_ok() {
            return Ok(());
        }
        self.engine_stop(docker, Duration::ZERO).await
    }

    async fn engine_stop(&self, docker: &Docker, timeout: Duration) -> Result<(), DriverError> {
        let seconds = i32::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        // The engine answers after the stop, which may be later than any client's patience: the exit decides.
        let ask = async { docker.stop_container(&self.id, Some(options)).await };
        tokio::select! {
            result = ask => match result {
                Ok(()) | Err(Error::DockerResponseServerError { status_code: 304 | 404, .. }) => {}
                Err(Error::RequestTimeoutError) => {}
                Err(err) => {
                    return Err(DriverError::other(format!("Failed to stop container {}: {}", self.id, words(&err))));
                }
            },
            _ = self.wait() => return Ok(()),
        }
        let _ = tokio::time::timeout(timeout + Duration::from_secs(15), self.wait()).await;
        Ok(())
    }

    pub(crate) async fn signal(&self, docker: &Docker, signal: &str) -> Result<(), DriverError> {
        if crate::signals::signal_number(signal).is_none() {
            return Err(DriverError::other(format!(
                "failed to parse signal {signal:?}"
            )));
        }
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match docker.kill_container(&self.id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(Error::DockerResponseServerError {
                status_code: 404 | 409,
                ..
            }) => Err(DriverError::State("task is not running".into())),
            Err(err) => Err(DriverError::other(words(&err))),
        }
    }
}

/// Survives restarts of the engine: only a container that has ended, or is gone, ends the wait.
async fn until_exit(docker: &Docker, id: &str) -> ExitResult {
    loop {
        let mut waiting = Box::pin(docker.wait_container(id, None::<WaitContainerOptions>));
        // Its answer only says that it is worth to look.
        let _ = waiting.next().await;
        match docker.inspect_container(id, None).await {
            Ok(found) => {
                if let Some(exit) = found.state.as_ref().and_then(exit_of) {
                    return exit;
                }
            }
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => {
                return ExitResult::unknown("the container was removed");
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn exit_of(state: &ContainerState) -> Option<ExitResult> {
    if state.running.unwrap_or(false)
        || state.restarting.unwrap_or(false)
        || state.paused.unwrap_or(false)
    {
        return None;
    }
    let exit_code = i32::try_from(state.exit_code.unwrap_or(-1)).unwrap_or(-1);
    let oom_killed = state.oom_killed.unwrap_or(false);
    let err = if oom_killed {
        Some("OOM Killed".to_owned())
    } else {
        (exit_code != 0)
            .then(|| format!("Docker container exited with non-zero exit code: {exit_code}"))
    };
    Some(ExitResult {
        exit_code,
        signal: 0,
        oom_killed,
        err,
    })
}
