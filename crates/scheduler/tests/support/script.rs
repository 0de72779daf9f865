//! The language of the rules: one command a line, run on a [`World`].

use super::{World, job, node, render};
use caravan_model::*;
use caravan_state::Command;
use std::collections::BTreeMap;

/// A cluster that is told what to do line by line.
pub struct Script {
    world: World,
    jobs: BTreeMap<String, Job>,
    nodes: BTreeMap<String, NodeId>,
}

/// `key=value` words; a value in single quotes may have spaces.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn number(text: &str) -> i64 {
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

impl Script {
    pub fn new() -> Self {
        Self {
            world: World::new(0),
            jobs: BTreeMap::new(),
            nodes: BTreeMap::new(),
        }
    }

    /// Runs one command. What happened, one line each.
    pub fn run(&mut self, line: &str) -> Vec<String> {
        self.world.log.clear();
        let words = words(line);
        let (command, rest) = words.split_first().expect("a command");
        let first = rest.first().map_or("", String::as_str);
        match command.as_str() {
            "nodes" => (0..number(first)).for_each(|at| self.node(&format!("n{at}"), &[])),
            "node" => self.node(first, &rest[1..]),
            "job" => self.job(first, &rest[1..]),
            "stop" => self.world.deregister(first),
            "ready" | "down" | "disconnect" | "drain" | "remove" => self.node_event(command, first),
            "running" | "failed" | "complete" => self.clients(command, first),
            "healthy" => self.world.healthy(first),
            "unhealthy" => self.world.unhealthy(first),
            "promote" => self.world.promote(first),
            "fail" => self.world.fail_deployment(first),
            "evaluate" => {
                let why = rest.get(1).map_or(trigger::JOB_REGISTER, String::as_str);
                self.world.evaluate(first, why);
            }
            "migrate" | "restart" => self.transition(command, first),
            "refuse" => self.world.refuse_once = Some(self.nodes[first]),
            "pass" => self.world.pass(number(first)),
            "unblock" => self.world.unblock(),
            "config" => self.config(rest),
            "show" => return self.show(first),
            "scores" => return self.scores(first),
            other => panic!("no command {other}"),
        }
        self.world.check_nodes();
        std::mem::take(&mut self.world.log)
    }

    fn node(&mut self, name: &str, settings: &[String]) {
        let at = self.nodes.len();
        let mut node = node(at);
        node.name = name.to_owned();
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            set_node(&mut node, key, value);
        }
        node.computed_class = computed_class(&node);
        self.nodes.insert(name.to_owned(), node.id);
        let dynamic = node
            .host_volumes
            .values()
            .filter(|shown| !shown.id.is_empty());
        let volumes = dynamic.map(|shown| host_volume(shown, node.id)).collect();
        self.world.add_node(node);
        self.world.apply(Command::UpsertHostVolumes { volumes });
    }

    fn job(&mut self, id: &str, settings: &[String]) {
        let mut job = self
            .jobs
            .remove(id)
            .unwrap_or_else(|| job(id, job_type::SERVICE, 1));
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            set_job(&mut job, key, value);
        }
        self.jobs.insert(id.to_owned(), job.clone());
        self.world.register(job);
    }

    fn node_event(&mut self, what: &str, name: &str) {
        let id = self.nodes[name];
        match what {
            "ready" => self.world.set_node_status(id, NodeStatus::Ready),
            "down" => self.world.set_node_status(id, NodeStatus::Down),
            "disconnect" => self.world.set_node_status(id, NodeStatus::Disconnected),
            "drain" => self.world.drain(id),
            _ => self.world.apply(Command::DeregisterNodes {
                nodes: vec![id],
                evals: vec![],
            }),
        }
        let jobs: Vec<String> = self.jobs.keys().cloned().collect();
        for job in jobs {
            self.world.evaluate(&job, trigger::NODE_UPDATE);
        }
    }

    /// `web` or `web[1]`: clients say how these do.
    fn clients(&mut self, status: &str, which: &str) {
        let status = match status {
            "running" => ClientStatus::Running,
            "failed" => ClientStatus::Failed,
            _ => ClientStatus::Complete,
        };
        let (id, only) = match which.split_once('[') {
            Some((id, at)) => (id, at.strip_suffix(']').and_then(|at| at.parse().ok())),
            None => (which, None),
        };
        self.world.clients_of(id, status, only);
        if status == ClientStatus::Failed {
            self.world.evaluate(id, trigger::ALLOC_FAILURE);
        }
    }

    fn transition(&mut self, what: &str, which: &str) {
        let (id, at) = which.split_once('[').expect("job[index]");
        let at = at.strip_suffix(']').and_then(|at| at.parse().ok());
        let wish = DesiredTransition {
            migrate: Some(what == "migrate"),
            reschedule: Some(what == "restart"),
            ..DesiredTransition::default()
        };
        let live = self.world.live(id);
        let chosen = live.iter().filter(|alloc| alloc.index() == at);
        let transitions = chosen.map(|alloc| (alloc.id, wish)).collect();
        let now = self.world.now;
        self.world.apply(Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![],
            now,
        });
        self.world.evaluate(id, trigger::NODE_DRAIN);
    }

    fn config(&mut self, settings: &[String]) {
        let mut config = SchedulerConfiguration::initial();
        for setting in settings {
            match setting.as_str() {
                "spread" => config.scheduler_algorithm = scheduler_algorithm::SPREAD.into(),
                "oversubscribe" => config.memory_oversubscription_enabled = true,
                "preempt" => {
                    config.preemption_config.service_scheduler_enabled = true;
                    config.preemption_config.batch_scheduler_enabled = true;
                }
                other => panic!("no setting {other}"),
            }
        }
        self.world.apply(Command::SetSchedulerConfig {
            config: Box::new(config),
            check_index: None,
        });
    }

    /// What of a job runs where.
    fn show(&self, id: &str) -> Vec<String> {
        let state = &self.world.state;
        let shown = |alloc: &std::sync::Arc<Allocation>| {
            let node = state
                .node(&alloc.node_id)
                .map_or("nowhere", |node| &node.name);
            let (name, version) = (&alloc.name, alloc.job_version());
            format!(
                "{name} v{version} {} on {node}",
                alloc.client_status.as_str()
            )
        };
        self.world.live(id).iter().map(shown).collect()
    }

    /// The scores of the allocation of a job that was placed last.
    fn scores(&self, id: &str) -> Vec<String> {
        let live = self.world.live(id);
        let last = live
            .iter()
            .max_by_key(|alloc| (alloc.create_index, alloc.index()));
        let metric = last.and_then(|alloc| alloc.metrics.as_ref());
        metric.map_or(Vec::new(), |metric| {
            render::scores(&self.world.state, metric)
        })
    }
}

/// The volume that a node shows.
fn host_volume(shown: &HostVolumeInfo, node: NodeId) -> HostVolume {
    HostVolume {
        namespace: "default".into(),
        id: shown.id.clone(),
        name: shown.name.clone(),
        node_id: node,
        requested_capabilities: vec![HostVolumeCapability {
            attachment_mode: "file-system".to_owned(),
            access_mode: "single-node-writer".to_owned(),
        }],
        ..HostVolume::default()
    }
}

fn set_node(node: &mut Node, key: &str, value: &str) {
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
            let info = HostVolumeInfo {
                name: value.to_owned(),
                id: AllocId::from_u128(0xd000 + node.id.0.as_u128()).to_string(),
                ..HostVolumeInfo::default()
            };
            node.host_volumes.insert(value.to_owned(), info);
        }
        "gpu" => {
            let (name, memory) = value.split_once(':').expect("name:GiB");
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
                        healthy: true,
                        ..NodeDevice::default()
                    })
                    .into(),
                attributes: [("memory".to_owned(), memory)].into(),
            });
        }
        other => panic!("no setting {other} of nodes"),
    }
}

fn set_job(job: &mut Job, key: &str, value: &str) {
    match key {
        "service" | "batch" | "system" | "sysbatch" => job.r#type = key.to_owned(),
        "priority" => job.priority = number(value),
        "dc" => job.datacenters = value.split(',').map(str::to_owned).collect(),
        "pool" => job.node_pool = value.to_owned(),
        "all_at_once" => job.all_at_once = true,
        "jobconstraint" => job.constraints.push(constraint(value)),
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
        "affinity" => {
            let (rule, weight) = value.rsplit_once(' ').expect("a rule and a weight");
            let rule = constraint(rule);
            group.affinities.push(Affinity {
                l_target: rule.l_target,
                operand: rule.operand,
                r_target: rule.r_target,
                weight: number(weight),
            });
        }
        "spread" => {
            let (attribute, targets) = value.split_once(' ').unwrap_or((value, ""));
            let target = |target: &str| {
                let (value, percent) = target.split_once(':').expect("value:percent");
                SpreadTarget {
                    value: value.to_owned(),
                    percent: percent.parse().expect("a percentage"),
                }
            };
            group.spreads.push(Spread {
                attribute: attribute.to_owned(),
                weight: 0,
                spread_target: targets.split_terminator(',').map(target).collect(),
            });
        }
        "port" => {
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
                ..Port::default()
            };
            let network = &mut group.networks[0];
            if value > 0 {
                network.reserved_ports.push(port);
            } else {
                network.dynamic_ports.push(port);
            }
        }
        "mode" => {
            group.networks = vec![NetworkResource {
                mode: value.to_owned(),
                ..NetworkResource::default()
            }]
        }
        "gpu" => {
            let constraints = value.split_once(' ').map(|(_, rule)| constraint(rule));
            let name = value.split(' ').next().unwrap_or("gpu");
            task.resources.devices.push(RequestedDevice {
                name: name.to_owned(),
                count: 1,
                constraints: constraints.into_iter().collect(),
                ..RequestedDevice::default()
            });
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
            for part in parts {
                sticky |= part == "sticky";
                read_only |= part == "ro";
                per_alloc |= part == "per_alloc";
            }
            let request = VolumeRequest {
                name: source.clone(),
                r#type: volume_type::HOST.to_owned(),
                source: source.clone(),
                read_only,
                per_alloc,
                sticky,
                ..VolumeRequest::default()
            };
            group.volumes.insert(source, request);
        }
        "update" => {
            let mut update = super::rolling(1, 0);
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
