//! `docker`: containers of a Docker engine, with no process of our own beside them.
//!
//! A task's handle holds the container's id; output, exit code and image live in the engine. `create` translates,
//! `start` starts, `container` waits, `logs` collects, `image` pulls; this file is the driver's calls.

pub(crate) mod auth;
mod connection;
mod container;
mod create;
mod dangling;
mod exec;
mod fingerprint;
mod image;
mod limits;
mod load;
mod logs;
mod mounts;
mod names;
mod network;
pub(crate) mod options;
mod ports;
mod privileges;
mod sources;
mod start;
mod stats;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error;
use caravan_driver::schema::decode_into;
use caravan_driver::{
    Capabilities, Driver, DriverError, DriverEvent, EventSender, ExecIo, ExecOutput, ExecRequest,
    ExitResult, Fingerprint, FsIsolation, NetworkIsolation, NetworkMode, Started, TaskConfig,
    TaskHandle, TaskState, TaskStatus, TaskUsage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast;

use connection::Connection;
use container::Container;
use image::{Image, Images};
use options::{DockerConfig, PluginConfig};

use crate::{Settings, sampler};

const NAME: &str = "docker";
const HANDLE_VERSION: u32 = 1;
/// How long a task that is to be taken up again waits for its engine, and between two looks.
const ENGINE_AWAY: Duration = Duration::from_secs(60);
const ENGINE_PAUSE: Duration = Duration::from_millis(500);

/// An engine's error in its own words.
pub(crate) fn words(err: &Error) -> String {
    match err {
        Error::DockerResponseServerError { message, .. } => {
            format!("Error response from daemon: {message}")
        }
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

/// Whether the engine, not the request, is at fault.
fn is_transient(err: &Error) -> bool {
    !matches!(err, Error::DockerResponseServerError { status_code, .. } if *status_code < 500)
}

/// The `state` of a handle.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    container_id: String,
    image_id: String,
    image_pulled: bool,
    started_at: i64,
    logs: bool,
    tty: bool,
}

#[derive(Debug)]
struct Shared {
    plugin: PluginConfig,
    node_id: String,
    connection: Connection,
    images: Images,
    tasks: Mutex<BTreeMap<String, Arc<Container>>>,
    events: EventSender,
    sweeping: AtomicBool,
    seen: AtomicBool,
}

#[derive(Debug, Clone)]
pub(crate) struct Docker(Arc<Shared>);

impl Docker {
    pub(crate) fn new(config: &Value, settings: &Settings) -> Result<Self, DriverError> {
        let plugin: PluginConfig = decode_into(&options::plugin_schema(), config)?;
        let minute = 60_000_000_000;
        if plugin.gc.dangling_containers.period < minute {
            return Err(DriverError::Config(
                "gc.dangling_containers.period must be at least 1m".into(),
            ));
        }
        if plugin.pull_activity_timeout < minute {
            return Err(DriverError::Config(
                "pull_activity_timeout is less than minimum, 1m".into(),
            ));
        }
        Ok(Self(Arc::new(Shared {
            connection: Connection::new(&plugin),
            plugin,
            node_id: settings.node_id.clone(),
            images: Images::default(),
            tasks: Mutex::default(),
            events: EventSender::new(),
            sweeping: AtomicBool::new(false),
            seen: AtomicBool::new(false),
        })))
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Container>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self, task_id: &str) -> Result<Arc<Container>, DriverError> {
        self.tasks()
            .get(task_id)
            .cloned()
            .ok_or_else(|| DriverError::TaskNotFound(task_id.to_owned()))
    }

    async fn engine(&self) -> Result<bollard::Docker, DriverError> {
        self.0.connection.get().await
    }

    /// The engine that has this container. One that is away may be starting, as this agent is: its containers may well
    /// run meanwhile.
    async fn engine_of(&self, container: &str) -> Result<bollard::Docker, DriverError> {
        let until = tokio::time::Instant::now() + ENGINE_AWAY;
        loop {
            let (error, away) = match self.engine().await {
                Err(error) => (error, true),
                Ok(engine) => match engine.inspect_container(container, None).await {
                    Ok(_) => return Ok(engine),
                    Err(err) => {
                        let text = format!(
                            "failed to inspect container for id {container:?}: {}",
                            words(&err)
                        );
                        (DriverError::other(text), is_transient(&err))
                    }
                },
            };
            if !away || tokio::time::Instant::now() >= until {
                return Err(error);
            }
            tokio::time::sleep(ENGINE_PAUSE).await;
        }
    }

    /// Follows a container that runs (or ran) for a task.
    fn adopt(&self, engine: &bollard::Docker, config: Arc<TaskConfig>, state: &State) {
        let collector = (state.logs && !config.logs.disabled).then(|| {
            let collector = logs::Collector::new(&config, &state.container_id, state.tty);
            tokio::spawn(collector.run(engine.clone()))
        });
        let image = Image {
            id: state.image_id.clone(),
            pulled: state.image_pulled,
        };
        let task_id = config.task_id.clone();
        let id = state.container_id.clone();
        let container = Container::follow(
            engine.clone(),
            config,
            id,
            image,
            state.started_at,
            collector,
        );
        self.tasks().insert(task_id, container);
    }

    /// Once there is an engine it may have something to forget: an earlier agent's, too.
    fn start_sweeping(&self) {
        let settings = &self.0.plugin.gc.dangling_containers;
        if !settings.enabled
            || self.0.node_id.is_empty()
            || self.0.sweeping.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let period = Duration::from_nanos(settings.period);
        let shared = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let driver = Docker(shared);
                let tracked: BTreeSet<String> =
                    driver.tasks().values().map(|c| c.id.clone()).collect();
                if let Ok(engine) = driver.engine().await {
                    let (node, gc) = (&driver.0.node_id, &driver.0.plugin.gc);
                    dangling::sweep(&engine, node, gc, &tracked).await;
                }
            }
        });
    }
}

#[async_trait]
impl Driver for Docker {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            send_signals: true,
            exec: true,
            fs_isolation: FsIsolation::Image,
            network_modes: vec![NetworkMode::Host, NetworkMode::Group, NetworkMode::Task],
            must_initiate_network: true,
            mounts: true,
            host_environment: false,
            logs: !self.0.plugin.disable_log_collection,
        }
    }

    async fn fingerprint(&self) -> Fingerprint {
        let seen = self.0.seen.load(Ordering::Relaxed);
        let found = match self.engine().await {
            Ok(engine) => fingerprint::attributes(&engine, &self.0.plugin).await,
            Err(_) => None,
        };
        let Some(attributes) = found else {
            return fingerprint::no_engine(seen);
        };
        self.0.seen.store(true, Ordering::Relaxed);
        self.start_sweeping();
        Fingerprint::healthy(attributes)
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        decode_into::<DockerConfig>(&options::task_schema(), config).map(drop)
    }

    fn output_elsewhere(&self, config: &Value) -> Option<String> {
        let task: DockerConfig = decode_into(&options::task_schema(), config).ok()?;
        let plugin = &self.0.plugin;
        let kind = create::logging_driver(&task, plugin);
        let kept = create::is_readable(&kind) && !plugin.disable_log_collection;
        (!kept).then(|| format!("the engine's logging driver {kind:?}"))
    }

    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError> {
        let task: DockerConfig = decode_into(&options::task_schema(), &config.driver_config)?;
        if self.task(&config.task_id).is_ok() {
            return Err(DriverError::fatal(format!(
                "task with ID {:?} already started",
                config.task_id
            )));
        }
        let plugin = &self.0.plugin;
        let published = create::prepare(&config, &task, plugin)?;
        let engine = self.engine().await?;
        let image = self
            .0
            .images
            .obtain(&engine, &config, &task, plugin, &self.0.events)
            .await?;
        let (container_id, network) = match start::run(
            &engine,
            &self.0.connection,
            plugin,
            &config,
            &task,
            &image,
            published,
        )
        .await
        {
            Ok(running) => running,
            Err(err) => {
                self.0.images.released(&engine, &image.id, plugin);
                return Err(err);
            }
        };
        let state = State {
            container_id,
            image_id: image.id,
            image_pulled: image.pulled,
            started_at: sampler::timestamp(),
            tty: task.tty,
            logs: !plugin.disable_log_collection
                && create::is_readable(&create::logging_driver(&task, plugin)),
        };
        let config = Arc::new(config);
        self.adopt(&engine, Arc::clone(&config), &state);
        let state =
            serde_json::to_value(&state).map_err(|err| DriverError::other(err.to_string()))?;
        let handle = TaskHandle {
            version: HANDLE_VERSION,
            driver: NAME.into(),
            config,
            state,
        };
        Ok(Started { handle, network })
    }

    async fn recover_task(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        if self.task(&handle.config.task_id).is_ok() {
            return Ok(());
        }
        let state: State = serde_json::from_value(handle.state.clone()).map_err(|err| {
            DriverError::other(format!("failed to decode driver task state: {err}"))
        })?;
        let engine = self.engine_of(&state.container_id).await?;
        self.0.images.recovered(Image {
            id: state.image_id.clone(),
            pulled: state.image_pulled,
        });
        self.adopt(&engine, Arc::clone(&handle.config), &state);
        Ok(())
    }

    async fn wait_task(&self, task_id: &str) -> Result<ExitResult, DriverError> {
        Ok(self.task(task_id)?.wait().await)
    }

    async fn stop_task(
        &self,
        task_id: &str,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        if task.running().is_err() {
            return Ok(());
        }
        let signal = signal.or(Some(task.config.kill_signal.as_str()));
        task.stop(&self.engine().await?, timeout, signal).await
    }

    async fn destroy_task(&self, task_id: &str, force: bool) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        if task.running().is_ok() && !force {
            return Err(DriverError::State(
                "must call StopTask for the given task before Destroy or set force to true".into(),
            ));
        }
        let engine = self.engine().await?;
        if task.running().is_ok() {
            task.stop(&engine, Duration::ZERO, None).await?;
        }
        if self.0.plugin.gc.container {
            start::remove(&engine, &task.id).await;
        }
        self.0
            .images
            .released(&engine, &task.image.id, &self.0.plugin);
        self.tasks().remove(task_id);
        Ok(())
    }

    async fn inspect_task(&self, task_id: &str) -> Result<TaskStatus, DriverError> {
        let task = self.task(task_id)?;
        let exit = task.exit();
        Ok(TaskStatus {
            task_id: task_id.to_owned(),
            name: task.config.name.clone(),
            state: if exit.is_some() {
                TaskState::Exited
            } else {
                TaskState::Running
            },
            started_at: task.started_at,
            completed_at: 0,
            exit,
            attributes: BTreeMap::from([("container_id".to_owned(), task.id.clone())]),
        })
    }

    async fn task_stats(&self, task_id: &str) -> Result<TaskUsage, DriverError> {
        let task = self.task(task_id)?;
        task.running()?;
        let stats = stats::fetch(&self.engine().await?, &task.id).await?;
        let mut previous = task.previous.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stats::usage(
            &stats,
            &mut previous,
            task.config.resources.core_mhz,
        ))
    }

    async fn signal_task(&self, task_id: &str, signal: &str) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        task.running()?;
        task.signal(&self.engine().await?, signal).await
    }

    async fn exec_task(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        let task = self.task(task_id)?;
        task.running()?;
        let engine = self.engine().await?;
        tokio::time::timeout(timeout, exec::once(&engine, &task.id, command))
            .await
            .unwrap_or_else(|_| {
                Err(DriverError::other(format!(
                    "command timed out after {timeout:?}"
                )))
            })
    }

    async fn exec_task_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        let task = self.task(task_id)?;
        task.running()?;
        exec::streaming(&self.engine().await?, &task.id, &request, io).await
    }

    fn task_events(&self) -> broadcast::Receiver<DriverEvent> {
        self.0.events.subscribe()
    }

    async fn create_network(
        &self,
        alloc_id: &str,
        hostname: &str,
    ) -> Result<Option<NetworkIsolation>, DriverError> {
        let engine = self.engine().await?;
        let shared = &self.0;
        network::create(
            &engine,
            &shared.images,
            &shared.plugin,
            &shared.node_id,
            alloc_id,
            hostname,
        )
        .await
        .map(Some)
    }

    async fn destroy_network(
        &self,
        _alloc_id: &str,
        network: &NetworkIsolation,
    ) -> Result<(), DriverError> {
        network::destroy(&self.engine().await?, network).await
    }
}
