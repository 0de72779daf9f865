//! What `exec` and `java` share: a root of its own for the task, privileges, namespaces. `in_image` is the root of an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caravan_driver::schema::{Field, Kind as Type};
use caravan_driver::{
    Capabilities, DriverError, Fingerprint, FsIsolation, NetworkMode, TaskConfig,
};
use caravan_host::cgroup::{self, Limits, TaskCgroup, Version};
use caravan_host::{HostMount, HostPath, Isolation, Process, credentials};
use serde::Deserialize;

use crate::caps::{self, plain};
use crate::users::{self, DeniedIds};
use crate::{groups, search};

mod in_image;

/// What the root of a task holds of the host when the agent's configuration names nothing else.
const DEFAULT_ROOT: [&str; 9] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/usr",
];
const DEFAULT_USER: &str = "nobody";
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct PluginConfig {
    no_pivot_root: bool,
    default_pid_mode: String,
    default_ipc_mode: String,
    allow_caps: Vec<String>,
    denied_host_uids: String,
    denied_host_gids: String,
    /// Processes and threads of one task; 0: a share of what the kernel can have.
    pids_limit: u64,
    seccomp: bool,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            no_pivot_root: false,
            default_pid_mode: "private".into(),
            default_ipc_mode: "private".into(),
            allow_caps: caps::DEFAULT.map(str::to_owned).to_vec(),
            denied_host_uids: String::new(),
            denied_host_gids: String::new(),
            pids_limit: 0,
            seccomp: true,
        }
    }
}

pub(crate) fn plugin_schema() -> Vec<Field> {
    vec![
        Field::optional("no_pivot_root", Type::Bool),
        Field::optional("default_pid_mode", Type::String),
        Field::optional("default_ipc_mode", Type::String),
        Field::strings("allow_caps"),
        Field::optional("denied_host_uids", Type::String),
        Field::optional("denied_host_gids", Type::String),
        Field::optional("pids_limit", Type::Int),
        Field::optional("seccomp", Type::Bool),
    ]
}

/// The options that every isolated task has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IsolationConfig {
    pub(crate) pid_mode: String,
    pub(crate) ipc_mode: String,
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) work_dir: String,
}

pub(crate) fn isolation_schema() -> Vec<Field> {
    vec![
        Field::optional("pid_mode", Type::String),
        Field::optional("ipc_mode", Type::String),
        Field::strings("cap_add"),
        Field::strings("cap_drop"),
        Field::optional("work_dir", Type::String),
    ]
}

#[derive(Debug)]
pub(crate) struct Isolated {
    plugin: PluginConfig,
    denied: DeniedIds,
    /// Host path to path in the task's root.
    root: BTreeMap<PathBuf, PathBuf>,
}

impl Isolated {
    pub(crate) fn new(
        plugin: PluginConfig,
        chroot_env: &BTreeMap<String, String>,
    ) -> Result<Self, DriverError> {
        for (name, mode) in [
            ("default_pid_mode", &plugin.default_pid_mode),
            ("default_ipc_mode", &plugin.default_ipc_mode),
        ] {
            check_mode(name, mode)?;
        }
        let denied = DeniedIds::parse(&plugin.denied_host_uids, &plugin.denied_host_gids)?;
        let root = if chroot_env.is_empty() {
            DEFAULT_ROOT
                .iter()
                .map(|path| (PathBuf::from(path), PathBuf::from(path)))
                .collect()
        } else {
            chroot_env
                .iter()
                .map(|(host, inside)| (PathBuf::from(host), PathBuf::from(inside)))
                .collect()
        };
        Ok(Self {
            plugin,
            denied,
            root,
        })
    }

    pub(crate) fn capabilities(send_signals: bool, exec: bool) -> Capabilities {
        Capabilities {
            send_signals,
            exec,
            fs_isolation: FsIsolation::Chroot,
            network_modes: vec![NetworkMode::Host, NetworkMode::Group],
            must_initiate_network: false,
            mounts: true,
            host_environment: true,
            logs: true,
        }
    }

    /// What stands in the way on this host.
    pub(crate) fn obstacle() -> Option<Fingerprint> {
        if !credentials::is_root() {
            return Some(Fingerprint::undetected("Driver must run as root"));
        }
        (cgroup::detect() == Version::Off)
            .then(|| Fingerprint::unhealthy("Cgroups must be mounted"))
    }

    /// The process in its own root. `command` is searched there.
    pub(crate) fn process(
        &self,
        config: &TaskConfig,
        task: &IsolationConfig,
        command: &str,
        args: Vec<String>,
    ) -> Result<Process, DriverError> {
        let name = if config.user.is_empty() {
            DEFAULT_USER
        } else {
            &config.user
        };
        let user = self.denied.user(name)?;
        let mut env = config.env.clone();
        if let Some(user) = user.as_ref().filter(|_| !config.user.is_empty()) {
            users::set_environment(Arc::make_mut(&mut env), user);
        }
        if !env.contains_key("PATH") {
            Arc::make_mut(&mut env).insert("PATH".into(), DEFAULT_PATH.into());
        }
        let cwd = directory([task.work_dir.as_str()])?;
        Ok(Process {
            program: self.find(config, command)?,
            args,
            env,
            cwd: cwd.into(),
            isolation: Some(self.isolation(
                config,
                task,
                user.as_ref().is_none_or(|user| user.uid == 0),
            )?),
            user,
            netns: search::network_namespace(config),
            ..Process::default()
        })
    }

    fn isolation(
        &self,
        config: &TaskConfig,
        task: &IsolationConfig,
        root: bool,
    ) -> Result<Isolation, DriverError> {
        let private = |name: &str, mode: &str, default: &str| {
            let mode = if mode.is_empty() { default } else { mode };
            check_mode(name, mode).map(|()| mode == "private")
        };
        let host_path = |(source, target): (&PathBuf, &PathBuf)| HostPath {
            source: source.clone(),
            target: target.clone(),
        };
        let devices = config.devices.iter();
        let devices = devices.map(|device| (&device.host_path, &device.task_path));
        Ok(Isolation {
            root: config.dirs.task.clone(),
            overlay: None,
            host: self.root.iter().map(host_path).collect(),
            mounts: mounts(config),
            devices: devices.map(host_path).collect(),
            hidden: vec!["/private".into()],
            pid_namespace: private("pid_mode", &task.pid_mode, &self.plugin.default_pid_mode)?,
            ipc_namespace: private("ipc_mode", &task.ipc_mode, &self.plugin.default_ipc_mode)?,
            capabilities: self.kept_caps(task, root)?,
            hostname: config
                .network
                .as_ref()
                .map(|n| n.hostname.clone())
                .unwrap_or_default(),
            unfiltered: !self.plugin.seccomp,
        })
    }

    /// The task's cgroup with its limits.
    pub(crate) fn cgroup(&self, config: &TaskConfig) -> Result<Option<TaskCgroup>, DriverError> {
        let pids = match self.plugin.pids_limit {
            0 => caravan_host::procs::task_share(),
            limit => Some(limit),
        };
        groups::create(
            config,
            &Limits {
                pids,
                ..groups::enforced(config)
            },
        )
    }

    /// The operator's list less `cap_drop`; a root task without wishes has all of it, others what they add.
    fn kept_caps(&self, task: &IsolationConfig, root: bool) -> Result<Vec<String>, DriverError> {
        let allowed: Vec<String> = self
            .plugin
            .allow_caps
            .iter()
            .map(|cap| plain(cap))
            .collect();
        let refused: Vec<String> = task
            .cap_add
            .iter()
            .map(|cap| plain(cap))
            .filter(|cap| !allowed.contains(cap) && cap != "all")
            .collect();
        if !refused.is_empty() {
            return Err(DriverError::fatal(format!(
                "driver does not allow the following capabilities: {}",
                refused.join(", ")
            )));
        }
        let dropped: Vec<String> = task.cap_drop.iter().map(|cap| plain(cap)).collect();
        let mut kept = if root || task.cap_add.iter().any(|cap| plain(cap) == "all") {
            allowed
        } else {
            Vec::new()
        };
        if dropped.iter().any(|cap| cap == "all") {
            kept.clear();
        }
        kept.extend(task.cap_add.iter().map(|cap| plain(cap)));
        kept.retain(|cap| !dropped.contains(cap));
        Ok(kept)
    }

    /// The path of the command inside the root: local directory, root, mounts, then the usual places.
    fn find(&self, config: &TaskConfig, command: &str) -> Result<PathBuf, DriverError> {
        let tail = command.trim_start_matches('/');
        let mut candidates = Vec::new();
        if command.starts_with('/') {
            candidates.push(PathBuf::from(command));
        }
        candidates.push(Path::new("/local").join(tail));
        candidates.push(Path::new("/").join(tail));
        candidates.extend(config.mounts.iter().map(|mount| mount.task_path.join(tail)));
        candidates.extend(DEFAULT_PATH.split(':').map(|dir| Path::new(dir).join(tail)));
        for candidate in candidates {
            if let Some(host) = self.on_host(config, &candidate)
                && host.is_file()
            {
                search::make_executable(&config.dirs.task, &host);
                return Ok(candidate);
            }
        }
        Err(search::not_found(command))
    }

    /// Where a path of the root lies on the host; `None` for one that would leave it.
    fn on_host(&self, config: &TaskConfig, inside: &Path) -> Option<PathBuf> {
        if inside
            .components()
            .any(|part| part == std::path::Component::ParentDir)
        {
            return None;
        }
        let own = config.dirs.task.join(inside.strip_prefix("/").ok()?);
        if own.exists() {
            return Some(own);
        }
        if let Ok(rest) = inside.strip_prefix("/alloc") {
            return Some(config.dirs.shared.join(rest));
        }
        let mounts = config
            .mounts
            .iter()
            .map(|mount| (&mount.host_path, &mount.task_path));
        mounts
            .chain(self.root.iter())
            .find_map(|(host, target)| Some(host.join(inside.strip_prefix(target).ok()?)))
    }
}

/// The first directory that is said, or the root of the task's world.
fn directory<'a>(said: impl IntoIterator<Item = &'a str>) -> Result<&'a str, DriverError> {
    let dir = said.into_iter().find(|dir| !dir.is_empty()).unwrap_or("/");
    if dir.starts_with('/') {
        Ok(dir)
    } else {
        Err(DriverError::fatal(format!(
            "work_dir must be an absolute path but got {dir:?}"
        )))
    }
}

/// What is mounted in the task's world: the directory of the allocation, what the job asks for, and the network's names.
fn mounts(config: &TaskConfig) -> Vec<HostMount> {
    let mut mounts = vec![HostMount {
        source: config.dirs.shared.clone(),
        target: "/alloc".into(),
        ..HostMount::default()
    }];
    mounts.extend(config.mounts.iter().map(|mount| HostMount {
        source: mount.host_path.clone(),
        target: mount.task_path.clone(),
        readonly: mount.readonly,
        ..HostMount::default()
    }));
    let hosts = config.network.as_ref().map(|network| &network.hosts_file);
    if let Some(hosts) = hosts.filter(|file| !file.as_os_str().is_empty()) {
        mounts.push(HostMount {
            source: hosts.clone(),
            target: "/etc/hosts".into(),
            readonly: true,
            ..HostMount::default()
        });
    }
    mounts
}

fn check_mode(name: &str, mode: &str) -> Result<(), DriverError> {
    match mode {
        "private" | "host" => Ok(()),
        other => Err(DriverError::fatal(format!(
            "{name} must be \"private\" or \"host\", got {other:?}"
        ))),
    }
}
