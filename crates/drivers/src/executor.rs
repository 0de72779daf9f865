//! What all drivers of supervised processes share: the table of tasks and every call but the start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caravan_driver::{
    DriverError, ExecIo, ExecOutput, ExecRequest, ExitResult, Started, TaskConfig, TaskHandle,
    TaskState, TaskStatus, TaskUsage,
};
use caravan_host::cgroup::TaskCgroup;
use caravan_host::{
    ExitRecord, LaunchError, Locator, LogSpec, Process, Reconnected, Spec, Supervised, Supervisors,
};
use serde::{Deserialize, Serialize};

use crate::sampler::Sampler;
use crate::{exec_pump, search, signals};

const HANDLE_VERSION: u32 = 1;
/// How long a kill may take to show after its grace period.
const KILL_SLACK: Duration = Duration::from_secs(15);

/// The `state` of a handle, there as a text: it is written for each start, and read by the next agent only.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    locator: Locator,
    process: Process,
    cgroup: Option<TaskCgroup>,
    /// In a handle: the environment of the process is that of the task's configuration, and not there twice.
    #[serde(default)]
    has_env_of_task: bool,
}

#[derive(Debug)]
struct Task {
    config: Arc<TaskConfig>,
    state: State,
    life: Life,
    sampler: Mutex<Sampler>,
}

#[derive(Debug)]
enum Life {
    Supervised(Supervised),
    Ended(ExitRecord),
}

impl Task {
    fn exited(&self) -> Option<Result<ExitRecord, String>> {
        match &self.life {
            Life::Supervised(task) => task.exited(),
            Life::Ended(exit) => Some(Ok(exit.clone())),
        }
    }

    async fn wait(&self) -> Result<ExitRecord, String> {
        match &self.life {
            Life::Supervised(task) => task.wait().await,
            Life::Ended(exit) => Ok(exit.clone()),
        }
    }

    fn running(&self) -> Result<&Supervised, DriverError> {
        match &self.life {
            Life::Supervised(task) if task.exited().is_none() => Ok(task),
            _ => Err(DriverError::State("task is not running".into())),
        }
    }
}

/// The tasks of one driver.
#[derive(Debug)]
pub(crate) struct Executor {
    driver: &'static str,
    supervisors: Arc<Supervisors>,
    tasks: Mutex<BTreeMap<String, Arc<Task>>>,
}

impl Executor {
    pub(crate) fn new(driver: &'static str, supervisors: Arc<Supervisors>) -> Self {
        Self {
            driver,
            supervisors,
            tasks: Mutex::new(BTreeMap::new()),
        }
    }

    fn task(&self, task_id: &str) -> Result<Arc<Task>, DriverError> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks
            .get(task_id)
            .cloned()
            .ok_or_else(|| DriverError::TaskNotFound(task_id.to_owned()))
    }

    pub(crate) fn config(&self, task_id: &str) -> Result<Arc<TaskConfig>, DriverError> {
        Ok(Arc::clone(&self.task(task_id)?.config))
    }

    fn insert(&self, task: Task) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(task.config.task_id.clone(), Arc::new(task));
    }

    /// Makes room for a start: to be called before anything of the task is made, its cgroup above all, which what is cleared
    /// takes with it.
    pub(crate) async fn make_room(&self, config: &TaskConfig) -> Result<(), DriverError> {
        if self.task(&config.task_id).is_ok() {
            return Err(DriverError::fatal(format!(
                "task with ID {:?} already started",
                config.task_id
            )));
        }
        // An agent that died between a start and storing its handle left a task that nobody knows of.
        let state_file = state_file(config);
        let cleared = self.supervisors.clear(&state_file).await;
        cleared.map_err(|err| {
            DriverError::recoverable(format!(
                "an earlier start cannot be cleared: {}: {err}",
                state_file.display()
            ))
        })
    }

    pub(crate) async fn start(
        &self,
        config: TaskConfig,
        process: Process,
        cgroup: Option<TaskCgroup>,
    ) -> Result<Started, DriverError> {
        let spec = Spec {
            id: config.task_id.clone(),
            state_file: state_file(&config),
            process,
            logs: logs(&config),
            cgroup,
        };
        let task = match self.supervisors.launch(&spec).await {
            Ok(task) => task,
            Err(err) => {
                if let Some(group) = &spec.cgroup {
                    let _ = group.remove();
                }
                return Err(launch_error(&err));
            }
        };
        let state = State {
            locator: task.locator.clone(),
            process: spec.process,
            cgroup: spec.cgroup,
            has_env_of_task: false,
        };
        let config = Arc::new(config);
        let handle = TaskHandle {
            version: HANDLE_VERSION,
            driver: self.driver.to_owned(),
            config: Arc::clone(&config),
            state: state
                .to_store(&config)
                .map_err(|err| DriverError::other(err.to_string()))?,
        };
        self.insert(Task {
            config,
            state,
            life: Life::Supervised(task),
            sampler: Mutex::default(),
        });
        Ok(Started {
            handle,
            network: None,
        })
    }

    pub(crate) async fn recover(&self, handle: &TaskHandle) -> Result<(), DriverError> {
        if self.task(&handle.config.task_id).is_ok() {
            return Ok(());
        }
        if handle.version != HANDLE_VERSION {
            return Err(DriverError::other(format!(
                "task handle of unknown version {}",
                handle.version
            )));
        }
        let mut state = State::stored(handle).map_err(|err| {
            DriverError::other(format!("failed to decode task state from handle: {err}"))
        })?;
        let life = match self.supervisors.reconnect(&state.locator).await {
            Reconnected::Running(task) => {
                state.locator = task.locator.clone();
                Life::Supervised(task)
            }
            Reconnected::Exited(locator, exit) => {
                state.locator = locator;
                Life::Ended(exit)
            }
            Reconnected::Lost(why) => {
                release(&state);
                return Err(DriverError::other(format!(
                    "failed to reattach to the task: {why}"
                )));
            }
        };
        self.insert(Task {
            config: Arc::clone(&handle.config),
            state,
            life,
            sampler: Mutex::default(),
        });
        Ok(())
    }

    pub(crate) async fn wait(&self, task_id: &str) -> Result<ExitResult, DriverError> {
        let task = self.task(task_id)?;
        Ok(match task.wait().await {
            Ok(exit) => result(&exit),
            Err(why) => ExitResult::unknown(why),
        })
    }

    pub(crate) async fn stop(
        &self,
        task_id: &str,
        timeout: Duration,
        signal: Option<&str>,
    ) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        let Ok(running) = task.running() else {
            return Ok(());
        };
        let name = signal.filter(|name| !name.is_empty()).unwrap_or("SIGINT");
        let signo = signals::signal_number(name).ok_or_else(|| {
            DriverError::other(format!("error unknown signal given for shutdown: {name}"))
        })?;
        running.stop(signo, timeout).await?;
        match tokio::time::timeout(timeout + KILL_SLACK, running.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(DriverError::other(
                "timed out while waiting for the killed task to end",
            )),
        }
    }

    pub(crate) async fn destroy(&self, task_id: &str, force: bool) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        if let Ok(running) = task.running() {
            if !force {
                return Err(DriverError::State("cannot destroy running task".into()));
            }
            running.stop(9, Duration::ZERO).await?;
            let _ = tokio::time::timeout(KILL_SLACK, running.wait()).await;
        }
        release(&task.state);
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task_id);
        Ok(())
    }

    pub(crate) fn inspect(&self, task_id: &str) -> Result<TaskStatus, DriverError> {
        let task = self.task(task_id)?;
        let record = &task.state.locator.record;
        let exit = task.exited();
        Ok(TaskStatus {
            task_id: task_id.to_owned(),
            name: task.config.name.clone(),
            state: if exit.is_some() {
                TaskState::Exited
            } else {
                TaskState::Running
            },
            started_at: record.started_at,
            completed_at: exit
                .as_ref()
                .and_then(|e| e.as_ref().ok())
                .map_or(0, |e| e.finished_at),
            exit: exit.map(|exit| exit.map_or_else(ExitResult::unknown, |exit| result(&exit))),
            attributes: BTreeMap::from([("pid".to_owned(), record.task.pid.to_string())]),
        })
    }

    pub(crate) fn stats(&self, task_id: &str) -> Result<TaskUsage, DriverError> {
        let task = self.task(task_id)?;
        let running = task.running()?;
        let processes = caravan_host::procs::usage_of(&running.pids());
        let group = task
            .state
            .cgroup
            .as_ref()
            .filter(|group| group.owned)
            .and_then(TaskCgroup::usage);
        let mut sampler = task.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sampler.sample(processes, group, task.config.resources.core_mhz))
    }

    pub(crate) async fn signal(&self, task_id: &str, signal: &str) -> Result<(), DriverError> {
        let task = self.task(task_id)?;
        let signo = signals::signal_number(signal)
            .ok_or_else(|| DriverError::other(format!("unknown signal given: {signal}")))?;
        Ok(task.running()?.signal(signo).await?)
    }

    pub(crate) async fn exec(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        let task = self.task(task_id)?;
        let request = ExecRequest {
            command: command.to_vec(),
            ..ExecRequest::default()
        };
        let session = task.running()?.exec(exec_process(&task, &request)?).await?;
        tokio::time::timeout(timeout, exec_pump::collect(session))
            .await
            .unwrap_or_else(|_| {
                Err(DriverError::other(format!(
                    "command timed out after {timeout:?}"
                )))
            })
    }

    pub(crate) async fn exec_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        let task = self.task(task_id)?;
        let session = task.running()?.exec(exec_process(&task, &request)?).await?;
        exec_pump::stream(session, io).await
    }
}

impl State {
    /// As it is written into the handle of a task.
    fn to_store(&self, config: &TaskConfig) -> Result<serde_json::Value, serde_json::Error> {
        let mut stored = self.clone();
        if stored.process.env == config.env {
            stored.process.env = Arc::default();
            stored.has_env_of_task = true;
        }
        Ok(serde_json::to_string(&stored)?.into())
    }

    /// Earlier agents stored the members themselves.
    fn stored(handle: &TaskHandle) -> Result<Self, serde_json::Error> {
        let mut state: Self = match handle.state.as_str() {
            Some(text) => serde_json::from_str(text)?,
            None => Self::deserialize(&handle.state)?,
        };
        if std::mem::take(&mut state.has_env_of_task) {
            state.process.env = Arc::clone(&handle.config.env);
        }
        Ok(state)
    }
}

/// The task's own surroundings, with another program.
fn exec_process(task: &Task, request: &ExecRequest) -> Result<Process, DriverError> {
    let Some((command, args)) = request.command.split_first() else {
        return Err(DriverError::other("command is not present"));
    };
    let mut process = task.state.process.clone();
    process.program = match &process.isolation {
        // The kernel of the task's own root resolves it; a bare name is looked for in its PATH.
        Some(_) => PathBuf::from(command),
        None => search::on_host(&task.config, command).unwrap_or_else(|_| PathBuf::from(command)),
    };
    process.args = args.to_vec();
    process.terminal = request.tty;
    let env = Arc::make_mut(&mut process.env);
    env.extend(request.env.clone());
    if request.tty {
        env.entry("TERM".into()).or_insert_with(|| "xterm".into());
    }
    Ok(process)
}

/// Where a start leaves how it is found again: one place for each task, which what comes next finds taken.
fn state_file(config: &TaskConfig) -> PathBuf {
    let private = &config.dirs.private;
    if private.as_os_str().is_empty() {
        config.dirs.task.join("run")
    } else {
        private.join("run")
    }
}

fn logs(config: &TaskConfig) -> Option<LogSpec> {
    let logs = &config.logs;
    (!logs.disabled).then(|| LogSpec {
        dir: logs.dir.clone(),
        name: config.name.clone(),
        max_files: logs.max_files,
        max_file_bytes: logs.max_file_size_mb.saturating_mul(1 << 20),
    })
}

fn launch_error(err: &LaunchError) -> DriverError {
    let LaunchError::Task(why) = err else {
        return DriverError::recoverable(err.to_string());
    };
    DriverError::recoverable(format!(
        "failed to launch command with executor: rpc error: code = Unknown desc = failed to start command path: {why}"
    ))
}

fn result(exit: &ExitRecord) -> ExitResult {
    ExitResult {
        exit_code: exit.exit_code,
        signal: exit.signal,
        oom_killed: exit.oom_killed,
        err: exit.oom_killed.then(|| "OOM Killed".to_owned()),
    }
}

/// Frees what outlives a supervisor that was killed.
fn release(state: &State) {
    if let Some(group) = &state.cgroup {
        group.release();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn handles_of_earlier_agents_are_read() {
        let identity = serde_json::json!({"pid": 7, "start_time": 1, "boot_id": "b"});
        let record = serde_json::json!({
            "id": "x", "socket": "s", "key": "k", "supervisor": identity, "task": identity, "started_at": 1, "exit": null,
        });
        let members = serde_json::json!({
            "locator": {"state_file": "/x", "record": record},
            "process": {"program": "/bin/true"},
            "cgroup": null,
        });
        for stored in [members.clone(), members.to_string().into()] {
            let state = State::stored(&handle(stored, "")).expect("read");
            assert_eq!(state.process.program, Path::new("/bin/true"));
            assert_eq!(state.locator.record.task.pid, 7);
            for (own, kept) in [("blue", false), ("red", true)] {
                let mut state = state.clone();
                state.process.env = env(own);
                let stored = state.to_store(&handle(().into(), "blue").config);
                let stored = handle(stored.expect("encodes"), "blue");
                let text = stored.state.as_str().expect("a text");
                assert_eq!(text.contains("COLOUR"), kept, "an environment is kept once");
                let back = State::stored(&stored).expect("read");
                assert_eq!(back.process.env, state.process.env);
            }
        }
        assert!(State::stored(&handle("neither".into(), "")).is_err());
    }

    fn env(colour: &str) -> Arc<BTreeMap<String, String>> {
        Arc::new(BTreeMap::from([("COLOUR".into(), colour.into())]))
    }

    fn handle(state: serde_json::Value, colour: &str) -> TaskHandle {
        TaskHandle {
            version: HANDLE_VERSION,
            driver: "raw_exec".into(),
            config: Arc::new(TaskConfig {
                env: env(colour),
                ..TaskConfig::default()
            }),
            state,
        }
    }
}
