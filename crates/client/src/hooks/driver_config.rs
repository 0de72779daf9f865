//! Puts together what the driver is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_driver::{
    DnsConfig, DriverNetwork, LogConfig, PortMapping, TaskConfig, TaskNetwork, TaskResources,
};
use caravan_model::{AllocatedTaskResources, NetworkResource, Port, Task};
use serde_json::Value;

use super::{Context, Draft};
use crate::task::env::TaskEnv;
use crate::task::interpolate::replace_in;

pub(super) fn build(context: &Context, env: &TaskEnv, draft: Draft) -> TaskConfig {
    let Context {
        alloc,
        job,
        group,
        task,
        shared,
        ..
    } = context;
    let node = shared.node();
    let config = Value::Object(task.config.clone());
    let given = alloc
        .allocated_resources
        .as_ref()
        .and_then(|all| all.tasks.get(&task.name));
    let short = &uuid::Uuid::new_v4().simple().to_string()[..8];
    TaskConfig {
        task_id: format!("{}/{}/{short}", alloc.id, task.name),
        alloc_id: alloc.id.to_string(),
        name: task.name.clone(),
        job_id: job.id.to_string(),
        job_name: job.name.clone(),
        parent_job_id: job.parent_id.to_string(),
        group_name: group.name.clone(),
        namespace: alloc.namespace.to_string(),
        node_id: node.id.to_string(),
        node_name: node.name.clone(),
        env: Arc::clone(&env.vars),
        user: task.user.clone(),
        resources: resources(context, given),
        ports: group_ports(context),
        task_network: given
            .and_then(|given| given.networks.first())
            .map(task_network),
        dirs: context.dirs.clone(),
        logs: LogConfig {
            disabled: task.log_config.disabled,
            dir: context.dir.logs(),
            max_files: positive(task.log_config.max_files, 10),
            max_file_size_mb: u64::from(positive(task.log_config.max_file_size_mb, 10)),
        },
        driver_config: replace_in(&config, &|name| env.lookup(name)),
        dns: dns(context, env),
        network: context.network.clone(),
        mounts: draft.mounts,
        devices: Vec::new(),
        kill_signal: task.kill_signal.clone(),
        cgroup_parent: shared.config.cgroup_parent.clone(),
    }
}

fn positive(value: i64, otherwise: u32) -> u32 {
    u32::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .unwrap_or(otherwise)
}

fn resources(context: &Context, given: Option<&AllocatedTaskResources>) -> TaskResources {
    let node = context.shared.node();
    let total = node
        .node_resources
        .as_ref()
        .map_or(0, |all| all.cpu.cpu_shares);
    let cores = node
        .node_resources
        .as_ref()
        .map_or(0, |all| all.cpu.total_cpu_cores);
    let Some(given) = given else {
        return TaskResources::default();
    };
    let share = if total > 0 {
        given.cpu.cpu_shares as f64 / total as f64
    } else {
        0.0
    };
    TaskResources {
        cpu_mhz: given.cpu.cpu_shares,
        cores: given.cpu.reserved_cores.clone(),
        memory_mb: given.memory.memory_mb,
        memory_max_mb: given.memory.memory_max_mb,
        percent_ticks: share.clamp(0.0, 1.0),
        node_cpu_mhz: u64::try_from(total).unwrap_or(0),
        core_mhz: if cores > 0 {
            total as f64 / f64::from(cores)
        } else {
            0.0
        },
        devices: given
            .devices
            .iter()
            .flat_map(|device| device.device_ids.clone())
            .collect(),
    }
}

fn port(value: i64) -> u16 {
    u16::try_from(value).unwrap_or(0)
}

fn group_ports(context: &Context) -> Vec<PortMapping> {
    let Some(given) = &context.alloc.allocated_resources else {
        return Vec::new();
    };
    let mapping = |given: &caravan_model::AllocatedPort| PortMapping {
        label: given.label.clone(),
        host_ip: given.host_ip.clone(),
        value: port(given.value),
        to: port(given.to),
        ignore_collision: given.ignore_collision,
    };
    given.shared.ports.iter().map(mapping).collect()
}

fn task_network(network: &NetworkResource) -> TaskNetwork {
    let mapping = |given: &Port| PortMapping {
        label: given.label.clone(),
        host_ip: network.ip.clone(),
        value: port(given.value),
        to: port(given.to),
        ignore_collision: given.ignore_collision,
    };
    TaskNetwork {
        ip: network.ip.clone(),
        device: network.device.clone(),
        mbits: network.m_bits,
        ports: network.ports().map(mapping).collect(),
    }
}

pub(super) fn dns(context: &Context, env: &TaskEnv) -> Option<DnsConfig> {
    let given = context.alloc.allocated_resources.as_ref()?;
    let dns = given.shared.networks.first()?.dns.as_ref()?;
    Some(DnsConfig {
        servers: env.replace_all(&dns.servers),
        searches: env.replace_all(&dns.searches),
        options: env.replace_all(&dns.options),
    })
}

/// The ports inside the task's network that a `port_map` names, known before the task starts.
pub(super) fn mapped_ports(task: &Task) -> Option<DriverNetwork> {
    let map = task.config.get("port_map")?;
    let maps: Vec<&serde_json::Map<String, Value>> = match map {
        Value::Object(map) => vec![map],
        Value::Array(maps) => maps.iter().filter_map(Value::as_object).collect(),
        _ => return None,
    };
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let each = maps.into_iter().flatten();
    let port_map: BTreeMap<String, u16> = each
        .filter_map(|(label, value)| Some((label.clone(), u16::try_from(number(value)?).ok()?)))
        .collect();
    Some(DriverNetwork {
        port_map,
        ..DriverNetwork::default()
    })
}
