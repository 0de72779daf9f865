//! The environment of a task (runtime sheet §D): a pure function of the allocation, the node and the task's
//! directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_driver::DriverNetwork;
use caravan_model::{Allocation, Job, NetworkResource, Node, Task, TaskGroup};

use super::interpolate::{clean_names, replace};

#[cfg(test)]
mod tests;

/// What the task sees as its directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirs {
    pub(crate) alloc: String,
    pub(crate) local: String,
    pub(crate) secrets: String,
}

/// Everything an environment is made of.
pub(crate) struct Source<'a> {
    pub(crate) alloc: &'a Allocation,
    pub(crate) job: &'a Job,
    pub(crate) group: &'a TaskGroup,
    pub(crate) task: &'a Task,
    pub(crate) node: &'a Arc<Node>,
    pub(crate) region: &'a str,
    pub(crate) dirs: Dirs,
    /// The host's environment, where the driver passes it on.
    pub(crate) host: &'a BTreeMap<String, String>,
    /// From hooks, by the order of the hooks.
    pub(crate) hooks: BTreeMap<String, String>,
    pub(crate) templates: BTreeMap<String, String>,
    /// By `secret.<name>.<key>`.
    pub(crate) secrets: BTreeMap<String, String>,
    /// The network a driver made, once the task has started.
    pub(crate) network: Option<&'a DriverNetwork>,
    pub(crate) cgroup_parent: &'a str,
}

/// A task's environment and what else its texts may refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskEnv {
    /// Shared with what the driver keeps.
    pub(crate) vars: Arc<BTreeMap<String, String>>,
    node: NodeValues,
    secrets: BTreeMap<String, String>,
}

/// `node.*`, `attr.*` and `meta.*` of a node, read where it stands: every task has one of these.
#[derive(Clone, Debug, Default)]
struct NodeValues {
    node: Option<Arc<Node>>,
    region: String,
}

impl NodeValues {
    fn get(&self, name: &str) -> Option<String> {
        let node = self.node.as_ref()?;
        let (kind, rest) = name.split_once('.')?;
        match (kind, rest) {
            ("attr", key) => node.attributes.get(key).cloned(),
            ("meta", key) => node.meta.get(key).cloned(),
            ("node", "unique.id") => Some(node.id.to_string()),
            ("node", "unique.name") => Some(node.name.clone()),
            ("node", "datacenter") => Some(node.datacenter.clone()),
            ("node", "region") => Some(self.region.clone()),
            ("node", "class") => Some(node.node_class.clone()),
            ("node", "pool") => Some(node.node_pool.clone()),
            _ => None,
        }
    }

    fn all(&self) -> BTreeMap<String, String> {
        let of = |node: &Arc<Node>| node_values(node, &self.region);
        self.node.as_ref().map(of).unwrap_or_default()
    }
}

impl TaskEnv {
    pub(crate) fn build(source: &Source<'_>) -> Self {
        let node = NodeValues {
            node: Some(Arc::clone(source.node)),
            region: source.region.to_owned(),
        };
        let mut vars = BTreeMap::new();
        nomad_vars(source, &mut vars);
        ports(source, &mut vars);
        meta(source, &mut vars, &node);
        // All others go before the host's own. Both are put together as a whole, which leaves no room in a map that is
        // kept as long as the task.
        let mut all = source.host.clone();
        all.append(&mut vars);
        let mut vars = all;
        let own: Vec<(String, String)> = {
            let lookup = |name: &str| {
                let known = vars.get(name).or_else(|| source.secrets.get(name)).cloned();
                known.or_else(|| node.get(name))
            };
            let each = |(name, value): (&String, &String)| {
                (replace(name, &lookup), replace(value, &lookup))
            };
            source.task.env.iter().map(each).collect()
        };
        vars.extend(own);
        vars.extend(source.hooks.clone());
        vars.extend(source.templates.clone());
        Self {
            vars: Arc::new(clean_names(vars)),
            node,
            secrets: source.secrets.clone(),
        }
    }

    /// An environment that was built before the agent restarted.
    pub(crate) fn of_vars(
        vars: Arc<BTreeMap<String, String>>,
        node: Arc<Node>,
        region: &str,
    ) -> Self {
        let node = NodeValues {
            node: Some(node),
            region: region.to_owned(),
        };
        Self {
            vars,
            node,
            ..Self::default()
        }
    }

    /// The value a reference stands for.
    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        let known = self.vars.get(name).or_else(|| self.secrets.get(name));
        known.cloned().or_else(|| self.node.get(name))
    }

    /// A text with its references replaced.
    pub(crate) fn replace(&self, text: &str) -> String {
        replace(text, &|name| self.lookup(name))
    }

    pub(crate) fn replace_all(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.replace(text)).collect()
    }

    /// Everything a template's `env` can read.
    #[allow(dead_code, reason = "templates read it")]
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.node.all();
        all.extend(self.secrets.clone());
        all.extend(BTreeMap::clone(&self.vars));
        all
    }
}

/// `node.*`, `attr.*` and `meta.*` of the node.
pub(crate) fn node_values(node: &Node, region: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::from([
        ("node.unique.id".to_owned(), node.id.to_string()),
        ("node.unique.name".to_owned(), node.name.clone()),
        ("node.datacenter".to_owned(), node.datacenter.clone()),
        ("node.region".to_owned(), region.to_owned()),
        ("node.class".to_owned(), node.node_class.clone()),
        ("node.pool".to_owned(), node.node_pool.clone()),
    ]);
    values.extend(
        node.attributes
            .iter()
            .map(|(key, value)| (format!("attr.{key}"), value.clone())),
    );
    values.extend(
        node.meta
            .iter()
            .map(|(key, value)| (format!("meta.{key}"), value.clone())),
    );
    values
}

fn nomad_vars(source: &Source<'_>, vars: &mut BTreeMap<String, String>) {
    let Source {
        alloc,
        job,
        group,
        task,
        node,
        ..
    } = source;
    let mut set = |name: &str, value: String| {
        vars.insert(format!("NOMAD_{name}"), value);
    };
    set("ALLOC_DIR", source.dirs.alloc.clone());
    set("TASK_DIR", source.dirs.local.clone());
    set("SECRETS_DIR", source.dirs.secrets.clone());
    set("ALLOC_ID", alloc.id.to_string());
    set("SHORT_ALLOC_ID", alloc.id.short());
    set("ALLOC_NAME", alloc.name.clone());
    if let Some(index) = alloc_index(&alloc.name) {
        set("ALLOC_INDEX", index.to_owned());
    }
    set("TASK_NAME", task.name.clone());
    set("GROUP_NAME", group.name.clone());
    set("JOB_ID", job.id.to_string());
    set("JOB_NAME", job.name.clone());
    if !job.parent_id.is_empty() {
        set("JOB_PARENT_ID", job.parent_id.to_string());
    }
    set("DC", node.datacenter.clone());
    set("REGION", source.region.to_owned());
    set("NAMESPACE", alloc.namespace.to_string());
    if !source.cgroup_parent.is_empty() {
        set("PARENT_CGROUP", source.cgroup_parent.to_owned());
    }
    set(
        "UNIX_ADDR",
        format!("unix://{}/api.sock", source.dirs.secrets),
    );
    let Some(given) = alloc
        .allocated_resources
        .as_ref()
        .and_then(|all| all.tasks.get(&task.name))
    else {
        return;
    };
    set("CPU_LIMIT", given.cpu.cpu_shares.to_string());
    if !given.cpu.reserved_cores.is_empty() {
        let cores: Vec<String> = given
            .cpu
            .reserved_cores
            .iter()
            .map(u16::to_string)
            .collect();
        set("CPU_CORES", cores.join(","));
    }
    set("MEMORY_LIMIT", given.memory.memory_mb.to_string());
    if given.memory.memory_max_mb > 0 {
        set("MEMORY_MAX_LIMIT", given.memory.memory_max_mb.to_string());
    }
}

/// The number in `job.group[number]`.
pub(crate) fn alloc_index(name: &str) -> Option<&str> {
    name.strip_suffix(']')?
        .rsplit_once('[')
        .map(|(_, index)| index)
}

fn meta(source: &Source<'_>, vars: &mut BTreeMap<String, String>, node: &NodeValues) {
    let Source {
        job, group, task, ..
    } = source;
    let mut merged = job.combined_meta(&group.name, &task.name);
    if let Some(parameterized) = &job.parameterized_job {
        for key in &parameterized.meta_optional {
            if !merged.contains_key(key) {
                merged.insert(key.clone(), String::new());
            }
        }
    }
    if merged.is_empty() {
        return;
    }
    let known = vars.clone();
    for (key, value) in merged {
        let value = replace(&value, &|name| {
            known.get(name).cloned().or_else(|| node.get(name))
        });
        vars.insert(format!("NOMAD_META_{}", key.to_uppercase()), value.clone());
        vars.insert(format!("NOMAD_META_{key}"), value);
    }
}

fn ports(source: &Source<'_>, vars: &mut BTreeMap<String, String>) {
    let Some(given) = source.alloc.allocated_resources.as_ref() else {
        return;
    };
    group_ports(source, vars);
    for (name, task) in &given.tasks {
        for network in &task.networks {
            if *name == source.task.name {
                own_ports(network, source.network, vars);
            } else {
                sibling_ports(name, network, vars);
            }
        }
    }
}

fn group_ports(source: &Source<'_>, vars: &mut BTreeMap<String, String>) {
    let Some(given) = source.alloc.allocated_resources.as_ref() else {
        return;
    };
    let bridged = given
        .shared
        .networks
        .first()
        .is_some_and(|network| !network.is_host());
    let status = source
        .alloc
        .network_status
        .as_deref()
        .filter(|status| bridged && !status.address.is_empty());
    // Tasks of drivers that map ports themselves see the inner port.
    let mapped: Vec<&str> = mapped_labels(source.task);
    for port in &given.shared.ports {
        let (label, value) = (&port.label, port.value);
        let inner = if port.to > 0 { port.to } else { value };
        let seen = if bridged || mapped.contains(&label.as_str()) {
            inner
        } else {
            value
        };
        let mut set = |name: &str, text: String| {
            vars.insert(format!("NOMAD_{name}_{label}"), text);
        };
        set("IP", port.host_ip.clone());
        set("PORT", seen.to_string());
        set("ADDR", address(&port.host_ip, value));
        set("HOST_IP", port.host_ip.clone());
        set("HOST_PORT", value.to_string());
        set("HOST_ADDR", address(&port.host_ip, value));
        set("ALLOC_PORT", inner.to_string());
        if let Some(status) = status {
            set("ALLOC_IP", status.address.clone());
            set("ALLOC_ADDR", address(&status.address, inner));
            set("ALLOC_INTERFACE", status.interface_name.clone());
        }
    }
}

fn mapped_labels(task: &Task) -> Vec<&str> {
    let Some(ports) = task
        .config
        .get("ports")
        .and_then(serde_json::Value::as_array)
    else {
        return Vec::new();
    };
    ports.iter().filter_map(serde_json::Value::as_str).collect()
}

fn own_ports(
    network: &NetworkResource,
    driver: Option<&DriverNetwork>,
    vars: &mut BTreeMap<String, String>,
) {
    let family = if network.ip.contains(':') {
        "IPv6"
    } else {
        "IPv4"
    };
    for port in network.ports() {
        let label = &port.label;
        let inner = driver
            .and_then(|driver| driver.port_map.get(label))
            .map(|port| i64::from(*port));
        let mut set = |name: &str, text: String| {
            vars.insert(format!("NOMAD_{name}_{label}"), text);
        };
        set("IP", network.ip.clone());
        set("PORT", inner.unwrap_or(port.value).to_string());
        set("ADDR", address(&network.ip, port.value));
        set("HOST_PORT", port.value.to_string());
        set(family, network.ip.clone());
    }
}

fn sibling_ports(task: &str, network: &NetworkResource, vars: &mut BTreeMap<String, String>) {
    for port in network.ports() {
        let label = &port.label;
        vars.insert(format!("NOMAD_IP_{task}_{label}"), network.ip.clone());
        vars.insert(format!("NOMAD_PORT_{task}_{label}"), port.value.to_string());
        vars.insert(
            format!("NOMAD_ADDR_{task}_{label}"),
            address(&network.ip, port.value),
        );
    }
}

/// `ip:port`, with brackets where IPv6 needs them.
pub(crate) fn address(ip: &str, port: i64) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

/// The agent's environment without what tasks never get. Names and values that are no text are left out.
pub(crate) fn of_host(config: &crate::ClientConfig) -> BTreeMap<String, String> {
    let denied = config.option_list(&["env.denylist", "env.blacklist"]);
    let is_denied = |name: &str| match &denied {
        Some(names) => names.iter().any(|denied| denied == name),
        None => DENIED.contains(&name),
    };
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !is_denied(name))
        .collect()
}

/// Variables of the agent that tasks never get.
const DENIED: &[&str] = &[
    "CONSUL_TOKEN",
    "CONSUL_HTTP_TOKEN",
    "CONSUL_HTTP_TOKEN_FILE",
    "NOMAD_TOKEN",
    "VAULT_TOKEN",
    "CONSUL_LICENSE",
    "NOMAD_LICENSE",
    "VAULT_LICENSE",
    "CONSUL_LICENSE_PATH",
    "NOMAD_LICENSE_PATH",
    "VAULT_LICENSE_PATH",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_METADATA_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
];
