//! `raw_exec`: a command of the host, without isolation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind, decode_into};
use caravan_driver::{
    Capabilities, Driver, DriverError, DriverEvent, EventSender, ExecIo, ExecOutput, ExecRequest,
    ExitResult, Fingerprint, FsIsolation, NetworkMode, Started, TaskConfig, TaskHandle, TaskStatus,
    TaskUsage,
};
use caravan_host::cgroup::{self, Limits, TaskCgroup, Version};
use caravan_host::credentials::{self, Credentials, IdRanges};
use caravan_host::{Process, Supervisors};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::executor::Executor;
use crate::search;

const NAME: &str = "raw_exec";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PluginConfig {
    enabled: bool,
    no_cgroups: bool,
    denied_host_uids: String,
    denied_host_gids: String,
    denied_envvars: Vec<String>,
}

fn plugin_schema() -> Vec<Field> {
    vec![
        Field::optional("enabled", Kind::Bool),
        Field::optional("no_cgroups", Kind::Bool),
        Field::optional("denied_host_uids", Kind::String),
        Field::optional("denied_host_gids", Kind::String),
        Field::strings("denied_envvars"),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawExecConfig {
    command: String,
    args: Vec<String>,
    work_dir: String,
    cgroup_v2_override: String,
    cgroup_v1_override: BTreeMap<String, String>,
    oom_score_adj: i32,
    denied_envvars: Vec<String>,
}

fn task_schema() -> Vec<Field> {
    vec![
        Field::required("command", Kind::String),
        Field::strings("args"),
        Field::optional("work_dir", Kind::String),
        Field::optional("cgroup_v2_override", Kind::String),
        Field::string_map("cgroup_v1_override"),
        Field::optional("oom_score_adj", Kind::Int),
        Field::strings("denied_envvars"),
    ]
}

#[derive(Debug)]
pub(crate) struct RawExec {
    config: PluginConfig,
    denied_uids: IdRanges,
    denied_gids: IdRanges,
    executor: Executor,
    events: EventSender,
}

impl RawExec {
    pub(crate) fn new(config: &Value, supervisors: Arc<Supervisors>) -> Result<Self, DriverError> {
        let config: PluginConfig = decode_into(&plugin_schema(), config)?;
        let denied = |text: &str| IdRanges::parse(text).map_err(DriverError::Config);
        Ok(Self {
            denied_uids: denied(&config.denied_host_uids)?,
            denied_gids: denied(&config.denied_host_gids)?,
            config,
            executor: Executor::new(NAME, supervisors),
            events: EventSender::new(),
        })
    }

    /// The user's ids, refused when the operator says so.
    fn user(&self, name: &str) -> Result<Option<Credentials>, DriverError> {
        let user = if name.is_empty() {
            None
        } else {
            let found = credentials::lookup(name).map_err(|err| {
                DriverError::fatal(format!("failed to identify user {name:?}: {err}"))
            })?;
            Some(found)
        };
        let own = credentials::current_ids();
        let (uid, gid) = user.as_ref().map_or(own, |user| (user.uid, user.gid));
        if self.denied_uids.contains(uid) {
            return Err(DriverError::fatal(format!(
                "running as uid {uid} is disallowed"
            )));
        }
        if let Some(gid) = user
            .iter()
            .flat_map(|user| user.groups.iter().copied())
            .chain([gid])
            .find(|gid| self.denied_gids.contains(*gid))
        {
            return Err(DriverError::fatal(format!(
                "running as gid {gid} is disallowed"
            )));
        }
        // Being who we are already needs no privilege.
        Ok(user.filter(|user| credentials::is_root() || (user.uid, user.gid) != own))
    }

    fn process(&self, config: &TaskConfig, task: &RawExecConfig) -> Result<Process, DriverError> {
        let user = self.user(&config.user)?;
        let mut env = config.env.clone();
        let denied: Vec<&String> = self
            .config
            .denied_envvars
            .iter()
            .chain(&task.denied_envvars)
            .collect();
        env.retain(|name, _| !denied.iter().any(|pattern| matches_glob(pattern, name)));
        if let Some(user) = &user {
            env.insert("HOME".into(), user.home.clone());
            env.insert("USER".into(), user.name.clone());
            env.insert("LOGNAME".into(), user.name.clone());
        }
        let cwd = match task.work_dir.as_str() {
            "" => config.dirs.task.clone(),
            dir if dir.starts_with('/') => PathBuf::from(dir),
            dir => {
                return Err(DriverError::fatal(format!(
                    "work_dir must be an absolute path but got {dir:?}"
                )));
            }
        };
        Ok(Process {
            program: search::on_host(config, &task.command)?,
            args: task.args.clone(),
            env,
            cwd,
            user,
            oom_score_adj: (task.oom_score_adj != 0).then_some(task.oom_score_adj),
            netns: config
                .network
                .as_ref()
                .map(|n| n.path.clone())
                .filter(|path| !path.as_os_str().is_empty()),
            terminal: false,
        })
    }

    fn cgroup(
        &self,
        config: &TaskConfig,
        task: &RawExecConfig,
    ) -> Result<Option<TaskCgroup>, DriverError> {
        let version = cgroup::detect();
        match version {
            Version::V1 if !task.cgroup_v1_override.is_empty() => {
                return Ok(Some(TaskCgroup::adopt(version, &task.cgroup_v1_override)));
            }
            Version::V2 if !task.cgroup_v2_override.is_empty() => {
                let path = BTreeMap::from([(String::new(), task.cgroup_v2_override.clone())]);
                return Ok(Some(TaskCgroup::adopt(version, &path)));
            }
            _ => {}
        }
        if self.config.no_cgroups || !credentials::is_root() {
            return Ok(None);
        }
        let parent = match config.cgroup_parent.as_str() {
            "" => version.default_parent(),
            parent => parent,
        };
        let cpuset = (!config.resources.cores.is_empty()).then(|| {
            config
                .resources
                .cores
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        });
        let name = format!("{}.{}", config.alloc_id, config.name.replace('/', "_"));
        match TaskCgroup::create(
            parent,
            &name,
            &Limits {
                cpuset,
                ..Limits::default()
            },
        ) {
            Ok(group) => Ok(group),
            Err(err) if config.resources.cores.is_empty() => {
                // Without it the task still runs and is still killed as a whole, only less surely.
                tracing::warn!(alloc = %config.alloc_id, task = %config.name, %err, "no cgroup for the task");
                Ok(None)
            }
            Err(err) => Err(DriverError::recoverable(format!(
                "failed to create the task's cgroup: {err}"
            ))),
        }
    }
}

/// `*` matches any run of characters.
pub(crate) fn matches_glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let tail: Vec<&str> = parts.collect();
    let Some((last, middle)) = tail.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[async_trait]
impl Driver for RawExec {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            send_signals: true,
            exec: true,
            fs_isolation: FsIsolation::None,
            network_modes: vec![NetworkMode::Host, NetworkMode::Group],
            must_initiate_network: false,
            mounts: false,
            host_environment: true,
            logs: true,
        }
    }

    async fn fingerprint(&self) -> Fingerprint {
        if !self.config.enabled {
            return Fingerprint::undetected("disabled");
        }
        Fingerprint::healthy(BTreeMap::from([(
            "driver.raw_exec".to_owned(),
            "true".to_owned(),
        )]))
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        decode_into::<RawExecConfig>(&task_schema(), config).map(drop)
    }

    async fn start_task(&self, config: TaskConfig) -> Result<Started, DriverError> {
        let task: RawExecConfig = decode_into(&task_schema(), &config.driver_config)?;
        let process = self.process(&config, &task)?;
        let cgroup = self.cgroup(&config, &task)?;
        self.executor.start(config, process, cgroup).await
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
        self.executor.signal(task_id, signal).await
    }

    async fn exec_task(
        &self,
        task_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, DriverError> {
        self.executor.exec(task_id, command, timeout).await
    }

    async fn exec_task_streaming(
        &self,
        task_id: &str,
        request: ExecRequest,
        io: ExecIo,
    ) -> Result<i32, DriverError> {
        self.executor.exec_streaming(task_id, request, io).await
    }

    fn task_events(&self) -> broadcast::Receiver<DriverEvent> {
        self.events.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs_match_whole_names() {
        assert!(matches_glob("AWS_*", "AWS_KEY"));
        assert!(matches_glob("*_TOKEN", "MY_TOKEN"));
        assert!(matches_glob("A*B*C", "AxxBxxC"));
        assert!(matches_glob("EXACT", "EXACT"));
        assert!(!matches_glob("EXACT", "EXACTLY"));
        assert!(!matches_glob("A*C", "AB"));
    }
}
