//! From a task to the engine's description of a container.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkingConfig,
};
use caravan_driver::{DriverError, TaskConfig};

use super::limits::{cpu_quota, cpu_shares, memory, pids_limit, ulimits};
use super::mounts::{self, Mounts};
use super::options::{DockerConfig, PluginConfig};
use super::ports::{self, Published};
use super::privileges::{check_privileges, dropped_caps, security_opt};
use super::sources::Sources;

pub(crate) const LABEL_ALLOC: &str = "com.hashicorp.nomad.alloc_id";
pub(crate) const LABEL_NODE: &str = "com.hashicorp.nomad.node_id";
/// The container that owns an allocation's network namespace, in `NetworkIsolation::labels`.
pub(crate) const SANDBOX: &str = "docker_sandbox_container_id";

/// Whether a mode names the namespace of another container.
pub(super) fn is_anothers(mode: &str) -> bool {
    mode.starts_with("container:")
}

/// `<task>-<alloc id>`.
pub(crate) fn container_name(config: &TaskConfig) -> String {
    format!("{}-{}", config.name.replace('/', "_"), config.alloc_id)
}

pub(crate) fn body(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
    image_id: &str,
    published: &Published,
    sources: &Sources,
) -> Result<ContainerCreateBody, DriverError> {
    let network_mode = network_mode(config, task);
    let shares_network = is_anothers(&network_mode);
    let mut exposed: Vec<String> = Vec::new();
    if !shares_network {
        exposed = published.bindings.keys().cloned().collect();
    }
    Ok(ContainerCreateBody {
        hostname: some(&task.hostname).filter(|_| !shares_network),
        user: some(&config.user),
        exposed_ports: Some(exposed),
        tty: Some(task.tty),
        open_stdin: Some(task.interactive),
        env: Some(
            config
                .env
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        cmd: command(task)?,
        entrypoint: Some(task.entrypoint.clone()).filter(|list| !list.is_empty()),
        healthcheck: task
            .healthchecks
            .as_ref()
            .filter(|h| h.disable)
            .map(|_| HealthConfig {
                test: Some(vec!["NONE".into()]),
                ..HealthConfig::default()
            }),
        image: Some(image_id.to_owned()),
        working_dir: some(&task.work_dir),
        labels: Some(labels(config, task, plugin)),
        networking_config: networking(task, &network_mode),
        host_config: Some(host_config(
            config,
            task,
            plugin,
            published,
            network_mode,
            mounts::mounts(config, task, plugin, sources)?,
        )?),
        ..ContainerCreateBody::default()
    })
}

fn command(task: &DockerConfig) -> Result<Option<Vec<String>>, DriverError> {
    if task.command.is_empty() {
        return Ok(Some(task.args.clone()).filter(|args| !args.is_empty()));
    }
    if task.args.is_empty() && task.command.trim().contains(' ') && !task.command.starts_with('/') {
        return Err(DriverError::fatal(format!(
            "command {:?} holds arguments; put them into args = [...]",
            task.command
        )));
    }
    Ok(Some(
        std::iter::once(task.command.clone())
            .chain(task.args.iter().cloned())
            .collect(),
    ))
}

fn network_mode(config: &TaskConfig, task: &DockerConfig) -> String {
    if !task.network_mode.is_empty() {
        return task.network_mode.clone();
    }
    match &config.network {
        Some(network) => match (network.mode.as_str(), network.labels.get(SANDBOX)) {
            (_, Some(container)) => format!("container:{container}"),
            ("host", _) => "host".into(),
            ("none", _) => "none".into(),
            _ => "default".into(),
        },
        None => "default".into(),
    }
}

/// Whether the container is in the network of another one, of its allocation's or one that the job names.
pub(super) fn shares_network(config: &TaskConfig, task: &DockerConfig) -> bool {
    is_anothers(&network_mode(config, task))
}

fn labels(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
) -> HashMap<String, String> {
    let known = [
        ("job_name", &config.job_name),
        ("job_id", &config.job_id),
        ("parent_job_id", &config.parent_job_id),
        ("task_group_name", &config.group_name),
        ("task_name", &config.name),
        ("namespace", &config.namespace),
        ("node_name", &config.node_name),
        ("node_id", &config.node_id),
    ];
    let mut labels: HashMap<String, String> = task.labels.clone().into_iter().collect();
    for (name, value) in known {
        let wanted = plugin
            .extra_labels
            .iter()
            .any(|pattern| crate::raw_exec::matches_glob(pattern, name));
        if wanted && !value.is_empty() {
            labels.insert(format!("com.hashicorp.nomad.{name}"), value.clone());
        }
    }
    labels.insert(LABEL_ALLOC.into(), config.alloc_id.clone());
    // Without it one agent could not tell its forgotten containers from those of another.
    labels.insert(LABEL_NODE.into(), config.node_id.clone());
    labels
}

fn networking(task: &DockerConfig, network_mode: &str) -> Option<NetworkingConfig> {
    let special = ["", "default", "bridge", "host", "none"].contains(&network_mode);
    let none = |text: &str| text.is_empty();
    if ["", "default", "bridge"].contains(&network_mode) && !none(&task.mac_address) {
        // All that the engine's own network takes; engines before 25 pass it over.
        let endpoint = EndpointSettings {
            mac_address: Some(task.mac_address.clone()),
            ..EndpointSettings::default()
        };
        return Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([("bridge".to_owned(), endpoint)])),
        });
    }
    let asked = !none(&task.ipv4_address)
        || !none(&task.ipv6_address)
        || !none(&task.mac_address)
        || !task.network_aliases.is_empty();
    if special || is_anothers(network_mode) || !asked {
        return None;
    }
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: some(&task.ipv4_address),
            ipv6_address: some(&task.ipv6_address),
            ..EndpointIpamConfig::default()
        }),
        mac_address: some(&task.mac_address),
        aliases: Some(task.network_aliases.clone()),
        ..EndpointSettings::default()
    };
    Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network_mode.to_owned(), endpoint)])),
    })
}

fn host_config(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
    published: &Published,
    network_mode: String,
    mounts: Mounts,
) -> Result<HostConfig, DriverError> {
    check_privileges(config, task, plugin)?;
    let shares_network = is_anothers(&network_mode);
    let (memory, memory_reservation) = memory(config, task)?;
    let list = |items: &[String]| list_of(items.to_vec());
    // The engine refuses them for a container in another one's network.
    let own_dns = |list: Option<Vec<String>>| list.filter(|_| !shares_network);
    let dns = config.dns.as_ref();
    let bindings = (!shares_network).then(|| {
        published
            .bindings
            .iter()
            .map(|(port, to)| (port.clone(), Some(to.clone())))
            .collect()
    });
    let (cpu_period, cpu_quota) = cpu_quota(config, task)?;
    Ok(HostConfig {
        binds: Some(mounts.binds),
        mounts: list_of(mounts.mounts),
        memory: Some(memory),
        memory_reservation: Some(memory_reservation),
        // The same as the limit: no swap.
        memory_swap: Some(memory),
        cpu_shares: Some(cpu_shares(config)),
        cpu_period,
        cpu_quota,
        cpuset_cpus: some(&cores(config)),
        pids_limit: pids_limit(task, plugin)?,
        oom_score_adj: Some(if task.oom_score_adj == 0 {
            plugin.oom_score_adj
        } else {
            task.oom_score_adj
        }),
        log_config: Some(log_config(task, plugin)),
        network_mode: Some(network_mode),
        port_bindings: bindings,
        volume_driver: some(&task.volume_driver),
        privileged: Some(task.privileged),
        cap_add: list(&task.cap_add),
        cap_drop: list_of(dropped_caps(task, plugin)),
        devices: Some(devices(config, task)),
        ulimits: list_of(ulimits(task)?),
        sysctls: Some(task.sysctl.clone().into_iter().collect()),
        storage_opt: Some(task.storage_opt.clone().into_iter().collect()),
        security_opt: list_of(security_opt(task)?),
        dns: own_dns(list(dns.map_or(&task.dns_servers, |dns| &dns.servers))),
        dns_search: own_dns(list(
            dns.map_or(&task.dns_search_domains, |dns| &dns.searches),
        )),
        dns_options: own_dns(list(dns.map_or(&task.dns_options, |dns| &dns.options))),
        extra_hosts: list(&task.extra_hosts).filter(|_| !shares_network),
        group_add: list(&task.group_add),
        cgroupns_mode: cgroup_namespace(task)?,
        init: task.init.then_some(true),
        ipc_mode: some(&task.ipc_mode),
        pid_mode: some(&task.pid_mode),
        userns_mode: some(&task.userns_mode),
        uts_mode: some(&task.uts_mode),
        readonly_rootfs: Some(task.readonly_rootfs),
        runtime: some(&task.runtime),
        shm_size: Some(task.shm_size).filter(|size| *size > 0),
        ..HostConfig::default()
    })
}

/// The cores that are the task's own, `0,2,3`.
fn cores(config: &TaskConfig) -> String {
    let cores = config.resources.cores.iter();
    cores.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn cgroup_namespace(
    task: &DockerConfig,
) -> Result<Option<HostConfigCgroupnsModeEnum>, DriverError> {
    match task.cgroupns.as_str() {
        "" => Ok(None),
        "host" => Ok(Some(HostConfigCgroupnsModeEnum::HOST)),
        "private" => Ok(Some(HostConfigCgroupnsModeEnum::PRIVATE)),
        other => Err(DriverError::fatal(format!("invalid cgroupns: {other:?}"))),
    }
}

/// What is empty is not said to the engine.
fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn list_of<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|items| !items.is_empty())
}

fn log_config(task: &DockerConfig, plugin: &PluginConfig) -> HostConfigLogConfig {
    let logging = task.logging.as_ref().unwrap_or(&plugin.logging);
    let kind = if logging.kind.is_empty() {
        &logging.driver
    } else {
        &logging.kind
    };
    let (kind, config) = if kind.is_empty() {
        (
            &plugin.logging.kind,
            if logging.config.is_empty() {
                &plugin.logging.config
            } else {
                &logging.config
            },
        )
    } else {
        (kind, &logging.config)
    };
    HostConfigLogConfig {
        typ: Some(kind.clone()),
        config: Some(config.clone().into_iter().collect()),
    }
}

/// Who takes the container's output.
pub(crate) fn logging_driver(task: &DockerConfig, plugin: &PluginConfig) -> String {
    log_config(task, plugin).typ.unwrap_or_default()
}

/// Whether the engine can give back what this logging driver took.
pub(crate) fn is_readable(logging_driver: &str) -> bool {
    ["json-file", "local", "journald"].contains(&logging_driver)
}

fn devices(config: &TaskConfig, task: &DockerConfig) -> Vec<DeviceMapping> {
    let or = |text: &str, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text.to_owned()
        }
    };
    let asked = task.devices.iter().map(|device| DeviceMapping {
        path_on_host: Some(device.host_path.clone()),
        path_in_container: Some(or(&device.container_path, &device.host_path)),
        cgroup_permissions: Some(or(&device.cgroup_permissions, "rwm")),
    });
    let given = config.devices.iter().map(|device| DeviceMapping {
        path_on_host: Some(device.host_path.display().to_string()),
        path_in_container: Some(device.task_path.display().to_string()),
        cgroup_permissions: Some(or(&device.permissions, "rwm")),
    });
    asked.chain(given).collect()
}

/// Everything that can be checked without the engine.
pub(crate) fn prepare(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
) -> Result<Published, DriverError> {
    if task.image.is_empty() {
        return Err(DriverError::fatal("image name required for docker driver"));
    }
    let published = ports::publish(config, task)?;
    body(config, task, plugin, "", &published, &Sources::default())?;
    Ok(published)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: i64 = 1 << 20;

    fn config() -> TaskConfig {
        let mut config = TaskConfig {
            name: "a/b".into(),
            alloc_id: "id".into(),
            ..TaskConfig::default()
        };
        config.resources.memory_mb = 100;
        config.resources.cpu_mhz = 500;
        config
    }

    fn host(task: &DockerConfig) -> Result<HostConfig, String> {
        body(
            &config(),
            task,
            &PluginConfig::default(),
            "sha256:1",
            &Published::default(),
            &Sources::default(),
        )
        .map(|body| body.host_config.expect("present"))
        .map_err(|err| err.to_string())
    }

    #[test]
    fn limits_follow_the_task() {
        let plain = host(&DockerConfig::default()).expect("valid");
        assert_eq!(
            (plain.memory, plain.memory_reservation),
            (Some(100 * MB), Some(0))
        );
        assert_eq!(
            (plain.memory_swap, plain.cpu_shares),
            (Some(100 * MB), Some(500))
        );
        assert_eq!(plain.cap_drop, Some(vec!["NET_RAW".to_owned()]));
        let hard = host(&DockerConfig {
            memory_hard_limit: 200,
            ..DockerConfig::default()
        })
        .expect("valid");
        assert_eq!(
            (hard.memory, hard.memory_reservation),
            (Some(200 * MB), Some(100 * MB))
        );
        let err = host(&DockerConfig {
            memory_hard_limit: 50,
            ..DockerConfig::default()
        })
        .expect_err("too little");
        assert_eq!(
            err,
            "task memory requirements exceed driver hard limit of 50 MB"
        );
    }

    #[test]
    fn the_hosts_own_namespaces_and_privileges_are_refused() {
        let task = DockerConfig {
            privileged: true,
            ..DockerConfig::default()
        };
        assert_eq!(
            host(&task).expect_err("refused"),
            "Docker privileged mode is disabled on this Nomad agent"
        );
        for (name, task) in [
            (
                "pid_mode",
                DockerConfig {
                    pid_mode: "host".into(),
                    ..DockerConfig::default()
                },
            ),
            (
                "ipc_mode",
                DockerConfig {
                    ipc_mode: "host".into(),
                    ..DockerConfig::default()
                },
            ),
            (
                "userns_mode",
                DockerConfig {
                    userns_mode: "host".into(),
                    ..DockerConfig::default()
                },
            ),
            (
                "uts_mode",
                DockerConfig {
                    uts_mode: "host".into(),
                    ..DockerConfig::default()
                },
            ),
            (
                "caps allow-listed",
                DockerConfig {
                    cap_add: vec!["CAP_SYS_ADMIN".into()],
                    ..DockerConfig::default()
                },
            ),
            (
                "runtime",
                DockerConfig {
                    runtime: "other".into(),
                    ..DockerConfig::default()
                },
            ),
        ] {
            let err = host(&task).expect_err(name);
            assert!(err.contains(name), "{err}");
        }
    }

    #[test]
    fn addresses_are_of_the_network_that_the_container_is_in() {
        let task = DockerConfig {
            mac_address: "02:42:ac:11:00:99".into(),
            ipv4_address: "10.1.2.3".into(),
            ..DockerConfig::default()
        };
        let endpoint = |mode: &str| {
            let all = networking(&task, mode)?.endpoints_config?;
            all.into_iter().next()
        };
        for mode in ["default", "bridge"] {
            let (name, found) = endpoint(mode).expect(mode);
            assert_eq!((name.as_str(), found.ipam_config), ("bridge", None));
            assert_eq!(found.mac_address.as_deref(), Some("02:42:ac:11:00:99"));
        }
        let (name, found) = endpoint("mine").expect("one");
        assert_eq!(name, "mine");
        let given = found.ipam_config.and_then(|config| config.ipv4_address);
        assert_eq!(given.as_deref(), Some("10.1.2.3"));
        for mode in ["host", "none", "container:x"] {
            assert_eq!(endpoint(mode), None, "{mode}");
        }
    }

    #[test]
    fn a_container_is_named_after_task_and_allocation() {
        assert_eq!(container_name(&config()), "a_b-id");
    }
}
