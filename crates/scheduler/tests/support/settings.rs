//! What the language of the rules says of nodes and jobs: `key=value` settings.

use super::rolling;
use caravan_model::*;

pub fn number(text: &str) -> i64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}

/// `left operand right`, where the left side has no spaces.
fn constraint(text: &str) -> Constraint {
    let mut parts = text.splitn(3, ' ').map(str::to_owned);
    let (left, operand) = (parts.next(), parts.next());
    let alone = matches!(left.as_deref(), Some(operand::DISTINCT_HOSTS));
    if alone {
        return Constraint {
            operand: left.unwrap_or_default(),
            r_target: operand.unwrap_or_default(),
            ..Constraint::default()
        };
    }
    Constraint {
        l_target: left.unwrap_or_default(),
        operand: operand.unwrap_or_default(),
        r_target: parts.next().unwrap_or_default(),
    }
}

/// The volume that a node shows, as `dynamic=name[:access mode…][:elsewhere]` says; one that is `elsewhere`
/// is in another namespace.
pub fn host_volume(shown: &HostVolumeInfo, node: NodeId, settings: &[String]) -> HostVolume {
    let said = settings.iter().find_map(|setting| {
        let (name, rest) = setting.strip_prefix("dynamic=")?.split_once(':')?;
        (name == shown.name).then_some(rest)
    });
    let mut volume = HostVolume {
        namespace: "default".into(),
        id: shown.id.clone(),
        name: shown.name.clone(),
        node_id: node,
        ..HostVolume::default()
    };
    let mut modes = Vec::new();
    for word in said.into_iter().flat_map(|said| said.split(':')) {
        match word {
            "elsewhere" => volume.namespace = "elsewhere".into(),
            mode => modes.push(mode),
        }
    }
    if modes.is_empty() {
        modes.push("single-node-writer");
    }
    let capability = |mode: &str| HostVolumeCapability {
        attachment_mode: "file-system".to_owned(),
        access_mode: mode.to_owned(),
    };
    volume.requested_capabilities = modes.into_iter().map(capability).collect();
    volume
}

pub fn set_node(node: &mut Node, key: &str, value: &str) {
    if let Some(key) = key.strip_prefix("attr.") {
        node.attributes.insert(key.to_owned(), value.to_owned());
        return;
    }
    if let Some(key) = key.strip_prefix("meta.") {
        node.meta.insert(key.to_owned(), value.to_owned());
        return;
    }
    let resources = node
        .node_resources
        .as_mut()
        .expect("test nodes have resources");
    match key {
        "dc" => node.datacenter = value.to_owned(),
        "pool" => node.node_pool = value.to_owned(),
        "class" => node.node_class = value.to_owned(),
        "cpu" => resources.cpu.cpu_shares = number(value),
        "mem" => resources.memory.memory_mb = number(value),
        "disk" => resources.disk.disk_mb = number(value),
        "max" => node.node_max_allocs = number(value),
        "driver" => {
            let info = DriverInfo {
                detected: true,
                healthy: value == "healthy",
                ..DriverInfo::default()
            };
            node.drivers.insert("mock".to_owned(), info);
        }
        "nodriver" => drop(node.attributes.remove("driver.mock")),
        "mode" => resources.networks[0].mode = value.to_owned(),
        "reserved" => {
            let reserved = node.reserved_resources.get_or_insert_default();
            reserved.networks.reserved_host_ports = value.to_owned();
        }
        "keeps" => {
            let (cpu, memory) = value.split_once(',').expect("cpu,memory");
            let reserved = node.reserved_resources.get_or_insert_default();
            reserved.cpu.cpu_shares = number(cpu);
            reserved.memory.memory_mb = number(memory);
        }
        "keepscores" => {
            let reserved = node.reserved_resources.get_or_insert_default();
            reserved.cpu.reserved_cpu_cores = value
                .split(',')
                .map(|core| core.parse().expect("a core"))
                .collect();
        }
        "ports" => {
            let (min, max) = value.split_once('-').expect("min-max");
            (resources.min_dynamic_port, resources.max_dynamic_port) = (number(min), number(max));
        }
        "mbits" => resources.networks[0].m_bits = number(value),
        "alias" => resources.node_networks[0]
            .addresses
            .push(NodeNetworkAddress {
                alias: value.to_owned(),
                address: format!("192.168.0.{}", node.name.trim_start_matches('n')),
                ..NodeNetworkAddress::default()
            }),
        "volume" => {
            let (name, read_only) = value
                .split_once(':')
                .map_or((value, false), |(n, _)| (n, true));
            let info = HostVolumeInfo {
                name: name.to_owned(),
                read_only,
                ..HostVolumeInfo::default()
            };
            node.host_volumes.insert(name.to_owned(), info);
        }
        "dynamic" => {
            let name = value.split(':').next().unwrap_or_default();
            let info = HostVolumeInfo {
                name: name.to_owned(),
                id: AllocId::from_u128(0xd000 + node.id.0.as_u128()).to_string(),
                ..HostVolumeInfo::default()
            };
            node.host_volumes.insert(name.to_owned(), info);
        }
        "gpu" => {
            let (name, memory) = value.split_once(':').expect("name:GiB");
            let (memory, ill) = memory
                .split_once(':')
                .map_or((memory, false), |(memory, _)| (memory, true));
            let memory = Attribute {
                int: Some(number(memory)),
                unit: "GiB".to_owned(),
                ..Attribute::default()
            };
            resources.devices.push(NodeDeviceResource {
                vendor: "nvidia".to_owned(),
                r#type: "gpu".to_owned(),
                name: name.to_owned(),
                instances: ["a", "b"]
                    .map(|id| NodeDevice {
                        id: format!("{name}-{id}"),
                        healthy: !ill,
                        ..NodeDevice::default()
                    })
                    .into(),
                attributes: [("memory".to_owned(), memory)].into(),
            });
        }
        other => panic!("no setting {other} of nodes"),
    }
}

fn affinity(text: &str) -> Affinity {
    let (rule, weight) = text.rsplit_once(' ').expect("a rule and a weight");
    let rule = constraint(rule);
    Affinity {
        l_target: rule.l_target,
        operand: rule.operand,
        r_target: rule.r_target,
        weight: number(weight),
    }
}

/// `attribute [value:percent,…] [weight]`.
fn spread(text: &str) -> Spread {
    let mut words = text.split(' ');
    let mut spread = Spread {
        attribute: words.next().unwrap_or_default().to_owned(),
        ..Spread::default()
    };
    for word in words {
        if !word.contains(':') {
            spread.weight = number(word);
            continue;
        }
        for target in word.split(',') {
            let (value, percent) = target.split_once(':').expect("value:percent");
            spread.spread_target.push(SpreadTarget {
                value: value.to_owned(),
                percent: percent.parse().expect("a percentage"),
            });
        }
    }
    spread
}

pub fn set_job(job: &mut Job, key: &str, value: &str) {
    match key {
        "service" | "batch" | "system" | "sysbatch" => job.r#type = key.to_owned(),
        "priority" => job.priority = number(value),
        "dc" => job.datacenters = value.split(',').map(str::to_owned).collect(),
        "pool" => job.node_pool = value.to_owned(),
        "all_at_once" => job.all_at_once = true,
        "jobconstraint" => job.constraints.push(constraint(value)),
        "jobaffinity" => job.affinities.push(affinity(value)),
        "jobspread" => job.spreads.push(spread(value)),
        "jobmeta" => drop(job.meta.insert("k".to_owned(), value.to_owned())),
        "group" => {
            let mut group = job.task_groups[0].clone();
            group.name = value.to_owned();
            job.task_groups.push(group);
        }
        "nogroup" => job.task_groups.retain(|group| group.name != value),
        _ => set_group(&mut job.task_groups[0], key, value),
    }
}

fn set_group(group: &mut TaskGroup, key: &str, value: &str) {
    let task = &mut group.tasks[0];
    match key {
        "count" => group.count = number(value),
        "cpu" => task.resources.cpu = number(value),
        "mem" => task.resources.memory_mb = number(value),
        "memmax" => task.resources.memory_max_mb = number(value),
        "cores" => (task.resources.cores, task.resources.cpu) = (number(value), 0),
        "driver" => task.driver = value.to_owned(),
        "user" => task.user = value.to_owned(),
        "kill" => task.kill_timeout = Duration::from_secs(number(value)),
        "disk" => group.ephemeral_disk.size_mb = number(value),
        "sticky" => group.ephemeral_disk.sticky = true,
        "constraint" => group.constraints.push(constraint(value)),
        "affinity" => group.affinities.push(affinity(value)),
        "spread" => group.spreads.push(spread(value)),
        "port" | "sharedport" => {
            let shared = key == "sharedport";
            let (label, value) = value
                .split_once(':')
                .map_or((value, 0), |(l, v)| (l, number(v)));
            if group.networks.is_empty() {
                group.networks.push(NetworkResource::default());
            }
            let (label, host_network) = label.split_once('@').unwrap_or((label, ""));
            let port = Port {
                label: label.to_owned(),
                value,
                to: -1,
                host_network: host_network.to_owned(),
                ignore_collision: shared,
            };
            let network = &mut group.networks[0];
            if value > 0 {
                network.reserved_ports.push(port);
            } else {
                network.dynamic_ports.push(port);
            }
        }
        "taskport" => {
            let (label, number) = value
                .split_once(':')
                .map_or((value, 0), |(l, v)| (l, number(v)));
            let port = Port {
                label: label.to_owned(),
                value: number,
                ..Port::default()
            };
            let mut network = NetworkResource {
                m_bits: 10,
                ..NetworkResource::default()
            };
            if number > 0 {
                network.reserved_ports.push(port);
            } else {
                network.dynamic_ports.push(port);
            }
            task.resources.networks.push(network);
        }
        // `name:hook:cpu:memory`, a hook with `+` is a sidecar.
        "task" => {
            let parts: Vec<&str> = value.split(':').collect();
            let [name, hook, cpu, memory] = parts[..] else {
                panic!("a task is name:hook:cpu:memory")
            };
            let mut task = task.clone();
            task.name = name.to_owned();
            (task.resources.cpu, task.resources.memory_mb) = (number(cpu), number(memory));
            task.lifecycle = (hook != "main").then(|| Lifecycle {
                hook: hook.trim_end_matches('+').to_owned(),
                sidecar: hook.ends_with('+'),
            });
            group.tasks.push(task);
        }
        "notask" => group.tasks.retain(|task| task.name != value),
        "secret" => task.secrets.push(Secret {
            provider: value.to_owned(),
            ..Secret::default()
        }),
        "secretsmb" => task.resources.secrets_mb = number(value),
        "env" => drop(task.env.insert("K".to_owned(), value.to_owned())),
        "groupmeta" => drop(group.meta.insert("k".to_owned(), value.to_owned())),
        "maxrun" => group.max_run_duration = Some(Duration::from_secs(number(value))),
        "restart" => group.restart_policy.attempts = number(value),
        "logs" => task.log_config.max_files = number(value),
        "leader" => task.leader = true,
        "shutdown" => task.shutdown_delay = Duration::from_secs(number(value)),
        "service" => group.services.push(Service {
            name: value.to_owned(),
            ..Service::default()
        }),
        "mount" => task.volume_mounts.push(VolumeMount {
            volume: value.to_owned(),
            ..VolumeMount::default()
        }),
        "artifact" => task.artifacts.push(Artifact {
            getter_source: value.to_owned(),
            ..Artifact::default()
        }),
        "template" => task.templates.push(Template {
            embedded_tmpl: value.to_owned(),
            ..Template::default()
        }),
        "mode" => {
            group.networks = vec![NetworkResource {
                mode: value.to_owned(),
                ..NetworkResource::default()
            }]
        }
        "gpu" => {
            let constraints = value.split_once(' ').map(|(_, rule)| constraint(rule));
            let name = value.split(' ').next().unwrap_or("gpu");
            let (name, count) = name.split_once('*').unwrap_or((name, "1"));
            task.resources.devices.push(RequestedDevice {
                name: name.to_owned(),
                count: number(count).unsigned_abs(),
                constraints: constraints.into_iter().collect(),
                ..RequestedDevice::default()
            });
        }
        "gpuaffinity" => {
            let asked = task.resources.devices.last_mut().expect("a device");
            asked.affinities.push(affinity(value));
        }
        "csi" => {
            let request = VolumeRequest {
                name: value.to_owned(),
                r#type: volume_type::CSI.to_owned(),
                source: value.to_owned(),
                ..VolumeRequest::default()
            };
            group.volumes.insert(value.to_owned(), request);
        }
        "volume" => {
            let mut parts = value.split(':');
            let source = parts.next().unwrap_or_default().to_owned();
            let (mut read_only, mut per_alloc, mut sticky) = (false, false, false);
            let mut access_mode = "";
            for part in parts {
                match part {
                    "sticky" => sticky = true,
                    "ro" => read_only = true,
                    "per_alloc" => per_alloc = true,
                    mode => access_mode = mode,
                }
            }
            let request = VolumeRequest {
                name: source.clone(),
                r#type: volume_type::HOST.to_owned(),
                source: source.clone(),
                read_only,
                per_alloc,
                sticky,
                access_mode: access_mode.to_owned(),
                ..VolumeRequest::default()
            };
            group.volumes.insert(source, request);
        }
        "update" => {
            let mut update = rolling(1, 0);
            for part in value.split(',') {
                match part.split_once(':').unwrap_or((part, "")) {
                    ("max_parallel", n) => update.max_parallel = number(n),
                    ("canary", n) => update.canary = number(n),
                    ("auto_promote", _) => update.auto_promote = true,
                    ("auto_revert", _) => update.auto_revert = true,
                    (other, _) => panic!("no setting {other} of updates"),
                }
            }
            group.update = Some(update);
        }
        "migrate" => {
            group.migrate = Some(MigrateStrategy {
                max_parallel: number(value),
                ..MigrateStrategy::default()
            })
        }
        "reschedule" => group.reschedule_policy = Some(policy(value)),
        "disconnect" => {
            let mut strategy = DisconnectStrategy::default();
            for part in value.split(',') {
                match part.split_once(':').unwrap_or((part, "")) {
                    ("lost_after", n) => strategy.lost_after = Duration::from_secs(number(n)),
                    ("stop_after", n) => {
                        strategy.stop_on_client_after = Some(Duration::from_secs(number(n)))
                    }
                    ("replace", yes) => strategy.replace = Some(yes == "yes"),
                    ("reconcile", how) => strategy.reconcile = how.to_owned(),
                    (other, _) => panic!("no setting {other} of disconnection"),
                }
            }
            group.disconnect = Some(strategy);
        }
        other => panic!("no setting {other} of jobs"),
    }
}

/// `unlimited,delay:30,function:constant,max:60` or `attempts:2,interval:600,delay:5`.
fn policy(text: &str) -> ReschedulePolicy {
    let mut policy = ReschedulePolicy {
        delay_function: delay_function::CONSTANT.into(),
        ..ReschedulePolicy::default()
    };
    for part in text.split(',') {
        match part.split_once(':').unwrap_or((part, "")) {
            ("unlimited", _) => policy.unlimited = true,
            ("attempts", n) => policy.attempts = number(n),
            ("interval", n) => policy.interval = Duration::from_secs(number(n)),
            ("delay", n) => policy.delay = Duration::from_secs(number(n)),
            ("max", n) => policy.max_delay = Duration::from_secs(number(n)),
            ("function", name) => policy.delay_function = name.to_owned(),
            (other, _) => panic!("no setting {other} of rescheduling"),
        }
    }
    policy
}
