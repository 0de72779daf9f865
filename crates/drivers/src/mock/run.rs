//! One mock task and its script.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{DriverError, ExitResult, LogConfig, TaskConfig};
use tokio::sync::{Notify, watch};

use super::options::{Command, Options};

#[derive(Debug)]
pub(crate) struct Run {
    name: String,
    logs: LogConfig,
    options: Options,
    started_at: i64,
    killed: Notify,
    exit: watch::Sender<Option<ExitResult>>,
}

impl Run {
    /// `elapsed`: how much of `run_for` has passed under an earlier agent.
    pub(crate) fn start(
        config: &TaskConfig,
        options: Options,
        started_at: i64,
        elapsed: Duration,
    ) -> Arc<Self> {
        let run = Arc::new(Self {
            name: config.name.clone(),
            logs: config.logs.clone(),
            options,
            started_at,
            killed: Notify::new(),
            exit: watch::channel(None).0,
        });
        let acting = Arc::clone(&run);
        tokio::spawn(async move { acting.act(elapsed).await });
        run
    }

    async fn act(self: Arc<Self>, elapsed: Duration) {
        let command = &self.options.command;
        let rest = Duration::from_nanos(command.run_for).saturating_sub(elapsed);
        let first_life = elapsed.is_zero();
        tokio::select! {
            () = async {
                if first_life {
                    tokio::join!(
                        self.print("stdout", &command.stdout_string, command.stdout_repeat, command.stdout_repeat_duration),
                        self.print("stderr", &command.stderr_string, command.stderr_repeat, command.stderr_repeat_duration),
                    );
                }
                std::future::pending::<()>().await;
            } => {}
            () = tokio::time::sleep(rest) => {}
            () = async {
                self.killed.notified().await;
                tokio::time::sleep(Duration::from_nanos(self.options.kill_after)).await;
            } => {}
        }
        let err = (!command.exit_err_msg.is_empty()).then(|| command.exit_err_msg.clone());
        let exit = ExitResult {
            exit_code: command.exit_code,
            signal: command.exit_signal,
            oom_killed: false,
            err,
        };
        self.exit.send_replace(Some(exit));
    }

    async fn print(&self, kind: &str, text: &str, repeat: u64, pause: u64) {
        if text.is_empty() || self.logs.disabled {
            return;
        }
        let path: PathBuf = self.logs.dir.join(format!("{}.{kind}.0", self.name));
        for round in 0..=repeat {
            if round > 0 && pause > 0 {
                tokio::time::sleep(Duration::from_nanos(pause)).await;
            }
            // A log that cannot be written is no reason for a task to fail.
            let _ = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()));
        }
    }

    pub(crate) fn kill(&self) {
        self.killed.notify_one();
    }

    pub(crate) async fn wait(&self) -> ExitResult {
        let mut exit = self.exit.subscribe();
        let found = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| exit.clone());
        found.unwrap_or_else(|| ExitResult::unknown("the task was dropped"))
    }

    pub(crate) fn exit(&self) -> Option<ExitResult> {
        self.exit.borrow().clone()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn exec_options(&self) -> Result<&Command, DriverError> {
        self.options
            .exec_command
            .as_deref()
            .ok_or_else(|| DriverError::other("no exec command is configured"))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn started_at(&self) -> i64 {
        self.started_at
    }
}
