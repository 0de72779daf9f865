//! `raw_exec`: a command of the host, without isolation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind as Type, decode_into};
use caravan_driver::{
    Capabilities, DriverError, EventSender, Fingerprint, FsIsolation, NetworkMode, TaskConfig,
};
use caravan_host::cgroup::{self, Limits, TaskCgroup, Version};
use caravan_host::{Process, credentials};
use serde::Deserialize;
use serde_json::Value;

use crate::process_driver::{Kind, Plan};
use crate::users::{self, DeniedIds};
use crate::{groups, search};

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
        Field::optional("enabled", Type::Bool),
        Field::optional("no_cgroups", Type::Bool),
        Field::optional("denied_host_uids", Type::String),
        Field::optional("denied_host_gids", Type::String),
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
        Field::required("command", Type::String),
        Field::strings("args"),
        Field::optional("work_dir", Type::String),
        Field::optional("cgroup_v2_override", Type::String),
        Field::string_map("cgroup_v1_override"),
        Field::optional("oom_score_adj", Type::Int),
        Field::strings("denied_envvars"),
    ]
}

#[derive(Debug)]
pub(crate) struct RawExec {
    config: PluginConfig,
    denied: DeniedIds,
}

impl RawExec {
    pub(crate) fn new(config: &Value) -> Result<Self, DriverError> {
        let config: PluginConfig = decode_into(&plugin_schema(), config)?;
        Ok(Self {
            denied: DeniedIds::parse(&config.denied_host_uids, &config.denied_host_gids)?,
            config,
        })
    }

    fn process(&self, config: &TaskConfig, task: &RawExecConfig) -> Result<Process, DriverError> {
        let user = self.denied.user(&config.user)?;
        let mut env = config.env.clone();
        let denied: Vec<&String> = self
            .config
            .denied_envvars
            .iter()
            .chain(&task.denied_envvars)
            .collect();
        if !denied.is_empty() {
            let kept = |name: &str| !denied.iter().any(|pattern| matches_glob(pattern, name));
            Arc::make_mut(&mut env).retain(|name, _| kept(name));
        }
        if let Some(user) = &user {
            users::set_environment(Arc::make_mut(&mut env), user);
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
            netns: search::network_namespace(config),
            ..Process::default()
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
        match groups::create(
            config,
            &Limits {
                cpuset: groups::cpuset(config),
                ..Limits::default()
            },
        ) {
            Err(err) if config.resources.cores.is_empty() => {
                // Without it the task still runs and is still killed as a whole, only less surely.
                tracing::warn!(alloc = %config.alloc_id, task = %config.name, %err, "no cgroup for the task");
                Ok(None)
            }
            other => other,
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
impl Kind for RawExec {
    const NAME: &'static str = "raw_exec";

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

    async fn plan(&self, config: &TaskConfig, _: &EventSender) -> Result<Plan, DriverError> {
        let task: RawExecConfig = decode_into(&task_schema(), &config.driver_config)?;
        let process = self.process(config, &task)?;
        Ok(Plan {
            process,
            cgroup: self.cgroup(config, &task)?,
            network: None,
        })
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
