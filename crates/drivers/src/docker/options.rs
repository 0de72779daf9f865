//! What a docker task and the docker plugin may be configured with.

use std::collections::BTreeMap;

use caravan_driver::schema::{Field, Kind};
use serde::Deserialize;

use crate::caps;

/// A task's `config`. Durations are nanoseconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DockerConfig {
    pub(crate) image: String,
    pub(crate) args: Vec<String>,
    pub(crate) auth: Option<Auth>,
    pub(crate) auth_soft_fail: bool,
    pub(crate) advertise_ipv6_address: bool,
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) cgroupns: String,
    pub(crate) command: String,
    pub(crate) container_exists_attempts: Option<u32>,
    pub(crate) cpu_hard_limit: bool,
    pub(crate) cpu_cfs_period: i64,
    pub(crate) cpuset_cpus: String,
    pub(crate) devices: Vec<Device>,
    pub(crate) dns_servers: Vec<String>,
    pub(crate) dns_search_domains: Vec<String>,
    pub(crate) dns_options: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) extra_hosts: Vec<String>,
    pub(crate) force_pull: bool,
    pub(crate) group_add: Vec<String>,
    pub(crate) healthchecks: Option<HealthChecks>,
    pub(crate) hostname: String,
    pub(crate) image_pull_timeout: Option<u64>,
    pub(crate) init: bool,
    pub(crate) interactive: bool,
    pub(crate) ipc_mode: String,
    pub(crate) pid_mode: String,
    pub(crate) userns_mode: String,
    pub(crate) uts_mode: String,
    pub(crate) ipv4_address: String,
    pub(crate) ipv6_address: String,
    pub(crate) isolation: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) load: String,
    pub(crate) logging: Option<Logging>,
    pub(crate) mac_address: String,
    pub(crate) memory_hard_limit: i64,
    pub(crate) mount: Vec<MountBlock>,
    pub(crate) mounts: Vec<MountBlock>,
    pub(crate) network_aliases: Vec<String>,
    pub(crate) network_mode: String,
    pub(crate) oom_score_adj: i64,
    pub(crate) pids_limit: i64,
    pub(crate) ports: Vec<String>,
    pub(crate) port_map: BTreeMap<String, u16>,
    pub(crate) privileged: bool,
    pub(crate) readonly_rootfs: bool,
    pub(crate) runtime: String,
    pub(crate) security_opt: Vec<String>,
    pub(crate) shm_size: i64,
    pub(crate) storage_opt: BTreeMap<String, String>,
    pub(crate) sysctl: BTreeMap<String, String>,
    pub(crate) tty: bool,
    pub(crate) ulimit: BTreeMap<String, String>,
    pub(crate) volumes: Vec<String>,
    pub(crate) volume_driver: String,
    pub(crate) work_dir: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Auth {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) email: String,
    pub(crate) server_address: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Device {
    pub(crate) host_path: String,
    pub(crate) container_path: String,
    pub(crate) cgroup_permissions: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HealthChecks {
    pub(crate) disable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Logging {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) driver: String,
    pub(crate) config: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MountBlock {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) target: String,
    pub(crate) source: String,
    pub(crate) readonly: bool,
    pub(crate) bind_options: BindOptions,
    pub(crate) tmpfs_options: TmpfsOptions,
    pub(crate) volume_options: VolumeOptions,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BindOptions {
    pub(crate) propagation: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TmpfsOptions {
    pub(crate) size: i64,
    pub(crate) mode: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeOptions {
    pub(crate) no_copy: bool,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) driver_config: VolumeDriver,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeDriver {
    pub(crate) name: String,
    pub(crate) options: BTreeMap<String, String>,
}

fn text(names: &[&'static str]) -> Vec<Field> {
    names
        .iter()
        .map(|name| Field::optional(name, Kind::String))
        .collect()
}

fn flags(names: &[&'static str]) -> Vec<Field> {
    names
        .iter()
        .map(|name| Field::optional(name, Kind::Bool))
        .collect()
}

fn mount_schema() -> Vec<Field> {
    let mut fields = text(&["type", "target", "source"]);
    fields.extend([
        Field::optional("readonly", Kind::Bool),
        Field::optional("bind_options", Kind::Block(text(&["propagation"]))),
        Field::optional(
            "tmpfs_options",
            Kind::Block(vec![
                Field::optional("size", Kind::Int),
                Field::optional("mode", Kind::Int),
            ]),
        ),
        Field::optional(
            "volume_options",
            Kind::Block(vec![
                Field::optional("no_copy", Kind::Bool),
                Field::string_map("labels"),
                Field::optional(
                    "driver_config",
                    Kind::Block(vec![
                        Field::optional("name", Kind::String),
                        Field::string_map("options"),
                    ]),
                ),
            ]),
        ),
    ]);
    fields
}

fn logging_schema() -> Vec<Field> {
    let mut fields = text(&["type", "driver"]);
    fields.push(Field::string_map("config"));
    fields
}

pub(crate) fn task_schema() -> Vec<Field> {
    let mut fields = vec![Field::required("image", Kind::String)];
    fields.extend(text(&[
        "cgroupns",
        "command",
        "cpuset_cpus",
        "hostname",
        "ipc_mode",
        "pid_mode",
        "userns_mode",
        "uts_mode",
        "ipv4_address",
        "ipv6_address",
        "isolation",
        "load",
        "mac_address",
        "network_mode",
        "runtime",
        "volume_driver",
        "work_dir",
    ]));
    fields.extend(flags(&[
        "auth_soft_fail",
        "advertise_ipv6_address",
        "cpu_hard_limit",
        "force_pull",
        "init",
        "interactive",
        "privileged",
        "readonly_rootfs",
        "tty",
    ]));
    fields.extend(
        [
            "args",
            "cap_add",
            "cap_drop",
            "dns_servers",
            "dns_search_domains",
            "dns_options",
            "entrypoint",
            "extra_hosts",
            "group_add",
            "network_aliases",
            "ports",
            "security_opt",
            "volumes",
        ]
        .map(Field::strings),
    );
    fields.extend(["labels", "storage_opt", "sysctl", "ulimit"].map(Field::string_map));
    fields.extend(
        [
            "container_exists_attempts",
            "cpu_cfs_period",
            "memory_hard_limit",
            "oom_score_adj",
            "pids_limit",
            "shm_size",
        ]
        .map(|name| Field::optional(name, Kind::Int)),
    );
    fields.extend([
        Field::optional(
            "auth",
            Kind::Block(text(&["username", "password", "email", "server_address"])),
        ),
        Field::optional(
            "devices",
            Kind::Blocks(text(&["host_path", "container_path", "cgroup_permissions"])),
        ),
        Field::optional("healthchecks", Kind::Block(flags(&["disable"]))),
        Field::optional("image_pull_timeout", Kind::Duration),
        Field::optional("logging", Kind::Block(logging_schema())),
        Field::optional("mount", Kind::Blocks(mount_schema())),
        Field::optional("mounts", Kind::Blocks(mount_schema())),
        Field::optional("port_map", Kind::Map(Box::new(Kind::Int))),
    ]);
    fields
}

/// The `config` of `plugin "docker"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct PluginConfig {
    pub(crate) endpoint: String,
    pub(crate) auth: PluginAuth,
    pub(crate) tls: Tls,
    pub(crate) allow_caps: Vec<String>,
    pub(crate) allow_privileged: bool,
    pub(crate) allow_runtimes: Vec<String>,
    pub(crate) allowed_modes: AllowedModes,
    pub(crate) container_exists_attempts: u32,
    pub(crate) disable_log_collection: bool,
    pub(crate) extra_labels: Vec<String>,
    pub(crate) gc: Gc,
    pub(crate) image_pull_timeout: u64,
    pub(crate) infra_image_pull_timeout: u64,
    pub(crate) infra_image: String,
    pub(crate) logging: Logging,
    pub(crate) nvidia_runtime: String,
    pub(crate) oom_score_adj: i64,
    pub(crate) pids_limit: i64,
    pub(crate) pull_activity_timeout: u64,
    pub(crate) volumes: Volumes,
    pub(crate) windows_allow_insecure_container_admin: bool,
}

const MINUTE: u64 = 60_000_000_000;

impl Default for PluginConfig {
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Self {
            endpoint: String::new(),
            auth: PluginAuth::default(),
            tls: Tls::default(),
            allow_caps: texts(&caps::DEFAULT),
            allow_privileged: false,
            allow_runtimes: texts(&["runc", "nvidia"]),
            allowed_modes: AllowedModes::default(),
            container_exists_attempts: 5,
            disable_log_collection: false,
            extra_labels: Vec::new(),
            gc: Gc::default(),
            image_pull_timeout: 5 * MINUTE,
            infra_image_pull_timeout: 5 * MINUTE,
            infra_image: format!("registry.k8s.io/pause-{}:3.3", go_arch()),
            logging: Logging {
                kind: "json-file".into(),
                driver: String::new(),
                config: BTreeMap::from([
                    ("max-file".into(), "2".into()),
                    ("max-size".into(), "2m".into()),
                ]),
            },
            nvidia_runtime: "nvidia".into(),
            oom_score_adj: 0,
            pids_limit: 0,
            pull_activity_timeout: 2 * MINUTE,
            volumes: Volumes::default(),
            windows_allow_insecure_container_admin: false,
        }
    }
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PluginAuth {
    pub(crate) config: String,
    pub(crate) helper: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tls {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) ca: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AllowedModes {
    pub(crate) pid: Vec<String>,
    pub(crate) ipc: Vec<String>,
    pub(crate) userns: Vec<String>,
    pub(crate) uts: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Gc {
    pub(crate) image: bool,
    pub(crate) image_delay: u64,
    pub(crate) container: bool,
    pub(crate) dangling_containers: Dangling,
}

impl Default for Gc {
    fn default() -> Self {
        Self {
            image: true,
            image_delay: 3 * MINUTE,
            container: true,
            dangling_containers: Dangling::default(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Dangling {
    pub(crate) enabled: bool,
    pub(crate) dry_run: bool,
    pub(crate) period: u64,
    pub(crate) creation_grace: u64,
}

impl Default for Dangling {
    fn default() -> Self {
        Self {
            enabled: true,
            dry_run: false,
            period: 5 * MINUTE,
            creation_grace: 5 * MINUTE,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Volumes {
    pub(crate) enabled: bool,
    pub(crate) selinuxlabel: String,
}

pub(crate) fn plugin_schema() -> Vec<Field> {
    let mut fields = text(&["endpoint", "infra_image", "nvidia_runtime"]);
    fields.extend(flags(&[
        "allow_privileged",
        "disable_log_collection",
        "windows_allow_insecure_container_admin",
    ]));
    fields.extend(["allow_caps", "allow_runtimes", "extra_labels"].map(Field::strings));
    fields.extend(
        ["container_exists_attempts", "oom_score_adj", "pids_limit"]
            .map(|name| Field::optional(name, Kind::Int)),
    );
    fields.extend(
        [
            "image_pull_timeout",
            "infra_image_pull_timeout",
            "pull_activity_timeout",
        ]
        .map(|name| Field::optional(name, Kind::Duration)),
    );
    let dangling = vec![
        Field::optional("enabled", Kind::Bool),
        Field::optional("dry_run", Kind::Bool),
        Field::optional("period", Kind::Duration),
        Field::optional("creation_grace", Kind::Duration),
    ];
    fields.extend([
        Field::optional("auth", Kind::Block(text(&["config", "helper"]))),
        Field::optional("tls", Kind::Block(text(&["cert", "key", "ca"]))),
        Field::optional(
            "allowed_modes",
            Kind::Block(["pid", "ipc", "userns", "uts"].map(Field::strings).to_vec()),
        ),
        Field::optional(
            "gc",
            Kind::Block(vec![
                Field::optional("image", Kind::Bool),
                Field::optional("image_delay", Kind::Duration),
                Field::optional("container", Kind::Bool),
                Field::optional("dangling_containers", Kind::Block(dangling)),
            ]),
        ),
        Field::optional("logging", Kind::Block(logging_schema())),
        Field::optional(
            "volumes",
            Kind::Block(vec![
                Field::optional("enabled", Kind::Bool),
                Field::optional("selinuxlabel", Kind::String),
            ]),
        ),
    ]);
    fields
}
