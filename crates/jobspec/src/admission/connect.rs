//! Tasks and ports that services of a mesh need, put beside them.

use super::gateway;
use crate::validate::Faults;
use caravan_model::{
    Connect, Constraint, Duration, Identity, Job, Lifecycle, LogConfig, Object, Port, Resources,
    RestartPolicy, Service, SidecarTask, Task, TaskGroup, lifecycle_hook, network_mode, operand,
};
use serde_json::json;

/// Adds what is missing, or tells why it cannot be.
pub(super) fn inject(job: &mut Job, faults: &mut Faults) -> Result<(), String> {
    let mut found = Faults::default();
    for group in &mut job.task_groups {
        for at in 0..group.services.len() {
            let service = group.services[at].clone();
            if let Some(connect) = service.connect.as_ref().filter(|_| service.is_consul()) {
                inject_service(group, at, &service, connect, &mut found)
                    .map_err(|why| format!("error in job mutator connect: {why}"))?;
            }
        }
        if let Some(why) = upstreams_problem(group) {
            found.add(why);
        }
    }
    // What stands in the way of the first service mostly does of the others.
    if let Some(first) = found.texts().into_iter().next() {
        faults.add(first);
    }
    Ok(())
}

fn inject_service(
    group: &mut TaskGroup,
    at: usize,
    service: &Service,
    connect: &Connect,
    faults: &mut Faults,
) -> Result<(), String> {
    if let Some(sidecar) = &connect.sidecar_service {
        if let Some(why) = network_problem(group, false) {
            faults.add(why);
            return Ok(());
        }
        let label = format!("connect-proxy-{}", service.name);
        put_task(
            group,
            service,
            "connect-proxy",
            connect.sidecar_task.as_ref(),
        );
        if sidecar.port.is_empty() {
            put_port(group, &label);
            let own = group.services[at].connect.as_mut();
            if let Some(own) = own.and_then(|it| it.sidecar_service.as_mut()) {
                own.port = label;
            }
        } else if sidecar.port == label {
            put_port(group, &label);
        }
    }
    if let Some(it) = &connect.gateway {
        if let Some(why) = network_problem(group, true) {
            faults.add(why);
            return Ok(());
        }
        let kind = match (&it.ingress, &it.terminating) {
            (Some(_), _) => "connect-ingress",
            (None, Some(_)) => "connect-terminating",
            (None, None) => "connect-mesh",
        };
        put_task(group, service, kind, connect.sidecar_task.as_ref());
        gateway::listen(group, at, faults);
    }
    match connect.native && connect.sidecar_service.is_none() {
        true => name_native_task(group, at),
        false => Ok(()),
    }
}

/// A service that speaks the mesh's protocol itself belongs to a task: the one that it names, or the only one.
fn name_native_task(group: &mut TaskGroup, at: usize) -> Result<(), String> {
    let service = &mut group.services[at];
    let place = format!("{}->{}", group.name, service.name);
    let task = match (service.task_name.as_str(), group.tasks.as_mut_slice()) {
        ("", [only]) => only,
        ("", _) => {
            return Err(format!(
                "task for Consul Connect Native service {place} is ambiguous and must be set"
            ));
        }
        (name, tasks) => tasks
            .iter_mut()
            .find(|task| task.name == name)
            .ok_or_else(|| format!("native task named by {place} does not exist"))?,
    };
    task.kind = format!("connect-native:{}", service.name);
    service.task_name.clone_from(&task.name);
    Ok(())
}

fn network_problem(group: &TaskGroup, gateway: bool) -> Option<String> {
    let name = &group.name;
    let what = if gateway { "gateway" } else { "sidecar" };
    let [network] = group.networks.as_slice() else {
        return Some(format!(
            "connect {what}: must have exactly one network for Consul Connect: group {name:?} has {} networks",
            group.networks.len()
        ));
    };
    let fits = network.mode == network_mode::BRIDGE
        || network.mode.starts_with(network_mode::CNI_PREFIX)
        || gateway && network.is_host();
    (!fits).then(|| {
        format!(
            "Consul Connect {what} requires bridge or CNI network, found {:?} in group {name:?}",
            network.mode
        )
    })
}

/// Adds a dynamic port to the group's network, if there is none of this label.
pub(super) fn put_port(group: &mut TaskGroup, label: &str) {
    let Some(network) = group.networks.first_mut() else {
        return;
    };
    if network.ports().all(|port| port.label != label) {
        network.dynamic_ports.push(Port {
            label: label.to_owned(),
            to: -1,
            host_network: "default".to_owned(),
            ..Port::default()
        });
    }
}

fn put_task(group: &mut TaskGroup, service: &Service, kind: &str, given: Option<&SidecarTask>) {
    let kind_text = format!("{kind}:{}", service.name);
    let restart = group.restart_policy.clone();
    let drivers: Vec<&str> = group
        .tasks
        .iter()
        .filter(|task| !is_injected(&task.kind))
        .map(|task| &*task.driver)
        .collect();
    let podman = !drivers.is_empty() && drivers.iter().all(|driver| *driver == "podman");
    let mut task = proxy_task(service, kind, podman, restart);
    if kind != "connect-proxy" && gateway::is_on_host(group) {
        let mode = json!(network_mode::HOST);
        task.config.insert("network_mode".to_owned(), mode);
    }
    if let Some(given) = given {
        overlay(&mut task, given);
    }
    match group.tasks.iter_mut().find(|it| it.kind == kind_text) {
        Some(known) => *known = task,
        None => group.tasks.push(task),
    }
}

/// Whether a task of this kind was made here: what it is must not decide what it becomes.
fn is_injected(kind: &str) -> bool {
    let kind = kind.split(':').next().unwrap_or_default();
    [
        "connect-proxy",
        "connect-ingress",
        "connect-terminating",
        "connect-mesh",
    ]
    .contains(&kind)
}

fn proxy_task(service: &Service, kind: &str, podman: bool, restart_policy: RestartPolicy) -> Task {
    let is_proxy = kind == "connect-proxy";
    let image = match is_proxy {
        true => "${meta.connect.sidecar_image}",
        false => "${meta.connect.gateway_image}",
    };
    let mut config = Object::new();
    config.insert("image".to_owned(), json!(image));
    config.insert(
        "args".to_owned(),
        json!([
            "-c",
            "${NOMAD_SECRETS_DIR}/envoy_bootstrap.json",
            "-l",
            "${meta.connect.log_level}",
            "--concurrency",
            "${meta.connect.proxy_concurrency}",
            "--disable-hot-restart"
        ]),
    );
    let at_least = |attribute: &str, operand: &str, value: &str| Constraint {
        l_target: format!("${{attr.consul.{attribute}}}"),
        r_target: value.to_owned(),
        operand: operand.to_owned(),
    };
    Task {
        name: format!("{kind}-{}", service.name),
        kind: format!("{kind}:{}", service.name),
        driver: if podman { "podman" } else { "docker" }.to_owned(),
        config,
        shutdown_delay: Duration::from_secs(5),
        kill_timeout: Duration::from_secs(5),
        log_config: LogConfig {
            max_files: 2,
            max_file_size_mb: 2,
            disabled: false,
        },
        resources: Resources {
            cpu: 250,
            memory_mb: 128,
            ..Resources::default()
        },
        lifecycle: is_proxy.then(|| Lifecycle {
            hook: lifecycle_hook::PRESTART.to_owned(),
            sidecar: true,
        }),
        constraints: vec![
            at_least("version", operand::SEMVER, ">= 1.8.0"),
            at_least("grpc", operand::GREATER, "0"),
        ],
        restart_policy,
        identity: Some(Identity {
            name: Identity::DEFAULT_NAME.to_owned(),
            audience: vec![Identity::DEFAULT_AUDIENCE.to_owned()],
            ..Identity::default()
        }),
        ..Task::default()
    }
}

/// What the user says of the task wins.
fn overlay(task: &mut Task, given: &SidecarTask) {
    // exhaustive
    let SidecarTask {
        name,
        driver,
        user,
        config,
        env,
        resources,
        meta,
        kill_timeout,
        log_config,
        shutdown_delay,
        kill_signal,
        volume_mounts,
        identities,
    } = given;
    for (own, given) in [
        (&mut task.name, name),
        (&mut task.driver, driver),
        (&mut task.user, user),
        (&mut task.kill_signal, kill_signal),
    ] {
        if !given.is_empty() {
            own.clone_from(given);
        }
    }
    let config = config
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    task.config.extend(config);
    task.env.extend(env.clone());
    task.meta.extend(meta.clone());
    if let Some(resources) = resources {
        task.resources.clone_from(resources);
    }
    if let Some(kill_timeout) = kill_timeout {
        task.kill_timeout = *kill_timeout;
    }
    if let Some(logs) = log_config {
        task.log_config.clone_from(logs);
    }
    if let Some(delay) = shutdown_delay {
        task.shutdown_delay = *delay;
    }
    task.volume_mounts.extend(volume_mounts.iter().cloned());
    task.identities.extend(identities.iter().cloned());
}

/// Two upstreams of a group cannot listen on one address, and a transparent proxy is the only one of its group.
fn upstreams_problem(group: &TaskGroup) -> Option<String> {
    let mut taken = std::collections::BTreeMap::new();
    let mut transparent = false;
    for service in &group.services {
        let connect = service.connect.as_ref();
        let Some(proxy) = connect.and_then(|it| it.sidecar_service.as_ref()?.proxy.as_ref()) else {
            continue;
        };
        for upstream in &proxy.upstreams {
            if !upstream.local_bind_socket_path.is_empty() {
                continue;
            }
            let address = format!(
                "{}:{}",
                upstream.local_bind_address, upstream.local_bind_port
            );
            if let Some(first) = taken.get(&address) {
                return Some(format!(
                    "Consul Connect services {:?} and {first:?} in group {:?} using same address for upstreams \
                     ({address})",
                    service.name, group.name
                ));
            }
            taken.insert(address, &service.name);
        }
        if let Some(proxy) = &proxy.transparent_proxy {
            transparent = true;
            let mut ports = proxy.exclude_inbound_ports.iter();
            if let Some(port) = ports.find(|port| !is_port(group, port)) {
                return Some(format!(
                    "Consul Connect transparent proxy port {port:?} must be numeric or one of network.port labels"
                ));
            }
        }
    }
    let in_mesh = group.services.iter().filter(|it| it.connect.is_some());
    (transparent && in_mesh.count() > 1).then(|| {
        "Consul Connect transparent proxy requires there is only one connect block".to_owned()
    })
}

/// Whether a text is a number of a port, or the label of one of the group's.
fn is_port(group: &TaskGroup, text: &str) -> bool {
    let mut ports = group.networks.iter().flat_map(|network| network.ports());
    text.parse::<u64>().is_ok() || ports.any(|port| port.label == text)
}
