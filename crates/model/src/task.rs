//! A task: one process or container, and everything prepared for it.

use crate::{
    Affinity, Constraint, Consul, Duration, Object, Resources, RestartPolicy, ScalingPolicy,
    Service, StringMap, VolumeMount, shape,
};
use serde::{Deserialize, Serialize};

/// What happens to a task when something of its changes.
pub mod change_mode {
    /// Nothing.
    pub const NOOP: &str = "noop";
    /// The task restarts.
    pub const RESTART: &str = "restart";
    /// The task gets a signal.
    pub const SIGNAL: &str = "signal";
    /// A script runs in the task (templates only).
    pub const SCRIPT: &str = "script";
}

/// When a task of a lifecycle runs.
pub mod lifecycle_hook {
    /// Before the main tasks.
    pub const PRESTART: &str = "prestart";
    /// Once the main tasks run.
    pub const POSTSTART: &str = "poststart";
    /// After the main tasks have stopped.
    pub const POSTSTOP: &str = "poststop";
}

/// One process or container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Task {
    pub name: String,
    pub driver: String,
    /// Empty means the driver's default user.
    pub user: String,
    /// The driver's options, as written.
    #[serde(with = "shape::nullable")]
    pub config: Object,
    #[serde(with = "shape::nullable")]
    pub env: StringMap,
    #[serde(with = "shape::nullable")]
    pub services: Vec<Service>,
    pub vault: Option<Vault>,
    #[serde(with = "shape::nullable")]
    pub secrets: Vec<Secret>,
    pub consul: Option<Consul>,
    #[serde(with = "shape::nullable")]
    pub templates: Vec<Template>,
    #[serde(with = "shape::nullable")]
    pub constraints: Vec<Constraint>,
    #[serde(with = "shape::nullable")]
    pub affinities: Vec<Affinity>,
    #[serde(deserialize_with = "shape::null_default")]
    pub resources: Resources,
    /// The group's, with the task's own members laid over.
    #[serde(deserialize_with = "shape::null_default")]
    pub restart_policy: RestartPolicy,
    pub dispatch_payload: Option<DispatchPayload>,
    /// Absent for main tasks.
    pub lifecycle: Option<Lifecycle>,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    /// Between the kill signal and the kill; capped by the client.
    pub kill_timeout: Duration,
    #[serde(deserialize_with = "shape::null_default")]
    pub log_config: LogConfig,
    #[serde(with = "shape::nullable")]
    pub artifacts: Vec<Artifact>,
    /// When it ends, the other tasks of the group are stopped.
    pub leader: bool,
    /// Between leaving the catalogue and the kill signal.
    pub shutdown_delay: Duration,
    #[serde(with = "shape::nullable")]
    pub volume_mounts: Vec<VolumeMount>,
    #[serde(with = "shape::nullable")]
    pub scaling_policies: Vec<ScalingPolicy>,
    /// Empty means the driver's default.
    pub kill_signal: String,
    /// Set for injected tasks, such as `connect-proxy:web`.
    pub kind: String,
    #[serde(rename = "CSIPluginConfig")]
    pub csi_plugin_config: Option<CsiPluginConfig>,
    /// The default identity; every registered task has one.
    pub identity: Option<Identity>,
    /// Further identities.
    #[serde(with = "shape::nullable")]
    pub identities: Vec<Identity>,
    #[serde(with = "shape::nullable")]
    pub actions: Vec<Action>,
    pub schedule: Option<Schedule>,
}

impl Task {
    /// Whether it starts before the main tasks.
    #[must_use]
    pub fn is_prestart(&self) -> bool {
        self.has_hook(lifecycle_hook::PRESTART)
    }

    /// Whether it starts once the main tasks run.
    #[must_use]
    pub fn is_poststart(&self) -> bool {
        self.has_hook(lifecycle_hook::POSTSTART)
    }

    /// Whether it runs after the main tasks have stopped.
    #[must_use]
    pub fn is_poststop(&self) -> bool {
        self.has_hook(lifecycle_hook::POSTSTOP)
    }

    /// Whether it is a main task.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.lifecycle.is_none()
    }

    /// Whether it runs beside the main tasks for as long as they do.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        self.lifecycle.as_ref().is_some_and(|l| l.sidecar)
    }

    fn has_hook(&self, hook: &str) -> bool {
        self.lifecycle.as_ref().is_some_and(|l| l.hook == hook)
    }
}

/// Rotation of a task's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// Files kept per stream.
    pub max_files: i64,
    #[serde(rename = "MaxFileSizeMB")]
    pub max_file_size_mb: i64,
    /// Output is not collected.
    pub disabled: bool,
}

/// When a task runs relative to the main tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Lifecycle {
    /// One of [`lifecycle_hook`].
    pub hook: String,
    /// Keeps running beside the main tasks.
    pub sidecar: bool,
}

/// Where a dispatched job's payload is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DispatchPayload {
    /// Below the task's local directory.
    pub file: String,
}

/// Something fetched before the task starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Artifact {
    pub getter_source: String,
    #[serde(with = "shape::nullable")]
    pub getter_options: StringMap,
    #[serde(with = "shape::nullable")]
    pub getter_headers: StringMap,
    /// `any`, `file` or `dir`.
    pub getter_mode: String,
    /// Certificates are not verified.
    pub getter_insecure: bool,
    /// Below the task's directory.
    pub relative_dest: String,
    /// The task's user becomes the owner.
    pub chown: bool,
}

/// A file rendered from live data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Template {
    /// Read inside the task's directory; else `embedded_tmpl`.
    pub source_path: String,
    pub dest_path: String,
    pub embedded_tmpl: String,
    /// One of [`change_mode`].
    pub change_mode: String,
    pub change_signal: String,
    pub change_script: Option<ChangeScript>,
    /// Rendered at the start only.
    pub once: bool,
    /// Changes are acted on after a random wait up to this.
    pub splay: Duration,
    /// Octal text, such as `0644`.
    pub perms: String,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub left_delim: String,
    pub right_delim: String,
    /// The rendered lines are environment variables.
    pub envvars: bool,
    /// Deprecated.
    pub vault_grace: Duration,
    pub wait: Option<WaitConfig>,
    pub err_missing_key: bool,
}

/// A script run in the task when a template changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ChangeScript {
    pub command: String,
    #[serde(with = "shape::nullable")]
    pub args: Vec<String>,
    pub timeout: Duration,
    /// A failing script kills the task.
    pub fail_on_error: bool,
    pub run_on_first_render: bool,
}

/// How long a template waits for its data to settle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WaitConfig {
    pub min: Option<Duration>,
    pub max: Option<Duration>,
}

/// A secrets-manager token for the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Vault {
    pub role: String,
    pub namespace: String,
    pub cluster: String,
    /// The token is in the environment.
    pub env: bool,
    /// The token is not written to the secrets directory.
    pub disable_file: bool,
    /// One of [`change_mode`], not `script`.
    pub change_mode: String,
    pub change_signal: String,
    /// The token is not renewed.
    pub allow_token_expiration: bool,
}

/// A secret that is fetched before the task starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Secret {
    pub name: String,
    /// `nomad`, `vault` or a plugin.
    pub provider: String,
    pub path: String,
    #[serde(with = "shape::nullable")]
    pub config: Object,
    /// Given to a plugin.
    #[serde(with = "shape::nullable")]
    pub env: StringMap,
}

/// A signed identity of a task or service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Identity {
    /// `default` for the one every task has.
    pub name: String,
    #[serde(with = "shape::nullable")]
    pub audience: Vec<String>,
    pub change_mode: String,
    pub change_signal: String,
    pub env: bool,
    pub file: bool,
    /// Below the task's directory; empty means the secrets directory.
    pub filepath: String,
    /// Set for identities of services.
    pub service_name: String,
    /// Zero: does not expire.
    #[serde(rename = "TTL")]
    pub ttl: Duration,
    #[serde(with = "shape::nullable")]
    pub extra_claims: Vec<String>,
}

impl Identity {
    /// The name of the identity that every task has.
    pub const DEFAULT_NAME: &'static str = "default";
    /// The audience of the identity that every task has.
    pub const DEFAULT_AUDIENCE: &'static str = "nomadproject.io";
    /// How the names begin of those that services log in with at Consul.
    pub const CONSUL_SERVICE: &'static str = "consul-service_";
}

/// A command that may be run in the task on request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Action {
    pub name: String,
    pub command: String,
    #[serde(with = "shape::nullable")]
    pub args: Vec<String>,
}

/// When the task runs, instead of always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Schedule {
    pub cron: Option<ScheduleCron>,
}

/// The times at which a scheduled task starts and pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ScheduleCron {
    pub start: String,
    pub end: String,
    pub timezone: String,
}

/// The task serves a container storage plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CsiPluginConfig {
    #[serde(rename = "ID")]
    pub id: String,
    /// `controller`, `node` or `monolith`.
    pub r#type: String,
    pub mount_dir: String,
    pub stage_publish_base_dir: String,
    pub health_timeout: Duration,
}
