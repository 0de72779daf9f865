//! `mock_driver`: tasks that do what their config says, for tests of everything around drivers.

mod options;
mod run;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use caravan_driver::schema::decode_into;
use caravan_driver::{
    Capabilities, Driver, DriverError, DriverEvent, DriverNetwork, EventSender, ExecIo, ExecOutput,
    ExecOutputFrame, ExecRequest, ExitResult, Fingerprint, FsIsolation, NetworkMode, Started,
    TaskConfig, TaskHandle, TaskState, TaskStatus, TaskUsage,
};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use options::{Options, PluginOptions};
use run::Run;

use crate::sampler;

const NAME: &str = "mock_driver";

#[derive(Debug)]
pub(crate) struct Mock {
    plugin: PluginOptions,
    born: Instant,
    tasks: Mutex<BTreeMap<String, Arc<Run>>>,
    events: EventSender,
}

impl Mock {
    pub(crate) fn new(config: &Value) -> Result<Self, DriverError> {
        let plugin = decode_into(&options::plugin_schema(), config)?;
        Ok(Self {
            plugin,
            born: Instant::now(),
            tasks: Mutex::default(),
            events: EventSender::new(),
        })
    }

    fn task(&self, task_id: &str) -> Result<Arc<Run>, DriverError> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks
            .get(task_id)
            .cloned()
            .ok_or_else(|| DriverError::TaskNotFound(task_id.to_owned()))
    }

    fn insert(&self, task_id: String, run: Arc<Run>) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(task_id, run);
    }

    fn is_shut_down(&self) -> bool {
        self.plugin.shutdown_periodic_after
            && self.born.elapsed() >= Duration::from_nanos(self.plugin.shutdown_periodic_duration)
    }
}

fn network(options: &Options) -> Option<DriverNetwork> {
    if options.driver_ip.is_empty() && options.driver_port_map.is_empty() {
        return None;
    }
    let port_map = options
        .driver_port_map
        .split_whitespace()
        .filter_map(|pair| {
            let (label, port) = pair.split_once(':')?;
            Some((label.to_owned(), port.parse().ok()?))
        })
        .collect();
    Some(DriverNetwork {
        ip: options.driver_ip.clone(),
        port_map,
        auto_advertise: options.driver_advertise,
    })
}

#[async_trait]
impl Driver for Mock {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            send_signals: true,
            exec: true,
            fs_isolation: match self.plugin.fs_isolation.as_str() {
                "chroot" => FsIsolation::Chroot,
                "image" => FsIsolation::Image,
                _ => FsIsolation::None,
            },
            network_modes: vec![NetworkMode::Host, NetworkMode::Group, NetworkMode::None],
            must_initiate_network: false,
            mounts: true,
            host_environment: false,
            logs: true,
        }
    }

    async fn fingerprint(&self) -> Fingerprint {
        if self.is_shut_down() {
            return Fingerprint::undetected("driver shutdown");
        }
        Fingerprint::healthy(BTreeMap::from([(
            "driver.mock_driver".to_owned(),
            "true".to_owned(),
        )]))
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        decode_into::<Options>(&options::task_schema(), config).map(drop)
    }

    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError> {
        let options: Options = decode_into(&options::task_schema(), &config.driver_config)?;
        if options.start_block_for > 0 {
            tokio::time::sleep(Duration::from_nanos(options.start_block_for)).await;
        }
        if !options.start_error.is_empty() {
            let recoverable = options.start_error_recoverable;
            return Err(DriverError::Start {
                message: options.start_error,
                recoverable,
            });
        }
        let network = network(&options);
        let started_at = sampler::timestamp();
        let run = Run::start(&config, options, started_at, Duration::ZERO);
        self.insert(config.task_id.clone(), run);
        let handle = TaskHandle {
            version: 1,
            driver: NAME.into(),
            config: Arc::new(config),
            state: json!({"started_at": started_at}),
        };
        Ok(Started { handle, network })
    }

    async fn recover_task(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        let options: Options = decode_into(&options::task_schema(), &handle.config.driver_config)?;
        let started_at = handle
            .state
            .get("started_at")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let elapsed = u64::try_from(sampler::timestamp() - started_at).unwrap_or(0);
        let run = Run::start(
            &handle.config,
            options,
            started_at,
            Duration::from_nanos(elapsed),
        );
        self.insert(handle.config.task_id.clone(), run);
        Ok(())
    }

    async fn wait_task(&self, task_id: &str) -> Result<ExitResult, DriverError> {
        Ok(self.task(task_id)?.wait().await)
    }

    async fn stop_task(
        &self,
        task_id: &str,
        _timeout: Duration,
        _signal: Option<&str>,
    ) -> Result<(), DriverError> {
        let run = self.task(task_id)?;
        run.kill();
        run.wait().await;
        Ok(())
    }

    async fn destroy_task(&self, task_id: &str, force: bool) -> Result<(), DriverError> {
        let run = self.task(task_id)?;
        if run.exit().is_none() && !force {
            return Err(DriverError::State("cannot destroy running task".into()));
        }
        run.kill();
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task_id);
        Ok(())
    }

    async fn inspect_task(&self, task_id: &str) -> Result<TaskStatus, DriverError> {
        let run = self.task(task_id)?;
        let exit = run.exit();
        Ok(TaskStatus {
            task_id: task_id.to_owned(),
            name: run.name().to_owned(),
            state: if exit.is_some() {
                TaskState::Exited
            } else {
                TaskState::Running
            },
            started_at: run.started_at(),
            completed_at: 0,
            exit,
            attributes: BTreeMap::new(),
        })
    }

    async fn task_stats(&self, task_id: &str) -> Result<TaskUsage, DriverError> {
        self.task(task_id)?;
        Ok(TaskUsage {
            timestamp: sampler::timestamp(),
            ..TaskUsage::default()
        })
    }

    async fn signal_task(&self, task_id: &str, _signal: &str) -> Result<(), DriverError> {
        let run = self.task(task_id)?;
        match run.options().command.signal_error.as_str() {
            "" => Ok(()),
            text => Err(DriverError::other(text)),
        }
    }

    async fn exec_task(
        &self,
        task_id: &str,
        _command: &[String],
        _timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        let run = self.task(task_id)?;
        let exec = run.exec_options()?;
        let output = exec.stdout_string.clone() + &exec.stderr_string;
        Ok(ExecOutput {
            exit_code: exec.exit_code,
            signal: exec.exit_signal,
            output: output.into_bytes(),
        })
    }

    async fn exec_task_streaming(
        &self,
        task_id: &str,
        _request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        let run = self.task(task_id)?;
        let exec = run.exec_options()?.clone();
        for _ in 0..=exec.stdout_repeat {
            // A caller that has gone needs no output.
            let _ = io
                .output
                .send(ExecOutputFrame::Stdout(
                    exec.stdout_string.clone().into_bytes(),
                ))
                .await;
        }
        for _ in 0..=exec.stderr_repeat {
            let _ = io
                .output
                .send(ExecOutputFrame::Stderr(
                    exec.stderr_string.clone().into_bytes(),
                ))
                .await;
        }
        tokio::time::sleep(Duration::from_nanos(exec.run_for)).await;
        match exec.exit_err_msg.as_str() {
            "" => Ok(exec.exit_code),
            text => Err(DriverError::other(text)),
        }
    }

    fn task_events(&self) -> broadcast::Receiver<DriverEvent> {
        self.events.subscribe()
    }
}
