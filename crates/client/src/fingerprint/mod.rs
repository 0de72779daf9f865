//! What the machine has: each finding in its own file, all of them laid on the node before it registers.

use std::collections::BTreeMap;

use caravan_model::{
    Eligibility, HostVolumeInfo, Node, NodeCpuResources, NodeDiskResources, NodeId,
    NodeMemoryResources, NodeReservedCpuResources, NodeReservedNetworkResources,
    NodeReservedResources, NodeResources, NodeStatus,
};

use crate::config::ClientConfig;

mod arch;
mod bridge;
mod cgroup;
mod cni;
mod cpu;
pub(crate) mod driver;
mod host;
mod memory;
pub(crate) mod neighbours;
mod network;
mod nomad;
pub(crate) use memory::meminfo;
mod signal;
pub(crate) mod storage;
mod survey;
pub(crate) use survey::Survey;

/// Writes what it sees into the node.
type Look = fn(&ClientConfig, &mut Node);

/// Looks once at what the machine tells at once; the rest is a [`Survey`].
pub(crate) fn node(
    config: &ClientConfig,
    id: NodeId,
    secret: String,
    meta: BTreeMap<String, String>,
) -> Node {
    let mut node = bare(config, id, secret, meta);
    let looks: [(&str, Look); 11] = [
        ("arch", arch::look),
        ("bridge", bridge::look),
        ("cgroup", cgroup::look),
        ("cni", cni::look),
        ("cpu", cpu::look),
        ("host", host::look),
        ("memory", memory::look),
        ("network", network::look),
        ("nomad", nomad::look),
        ("signal", signal::look),
        ("storage", storage::look),
    ];
    let listed = Listed::of(config);
    for (name, look) in looks {
        if listed.has(name) {
            look(config, &mut node);
        }
    }
    node.computed_class = caravan_model::computed_class(&node);
    node
}

/// Which fingerprints the configuration allows.
struct Listed {
    allowed: Option<Vec<String>>,
    denied: Vec<String>,
}

impl Listed {
    fn of(config: &ClientConfig) -> Self {
        let denied = config.option_list(&["fingerprint.denylist", "fingerprint.blacklist"]);
        Self {
            allowed: config.option_list(&["fingerprint.allowlist", "fingerprint.whitelist"]),
            denied: denied.unwrap_or_default(),
        }
    }

    fn has(&self, name: &str) -> bool {
        let listed = |names: &Vec<String>| names.iter().any(|listed| listed == name);
        self.allowed.as_ref().is_none_or(listed) && !listed(&self.denied)
    }
}

fn bare(config: &ClientConfig, id: NodeId, secret: String, meta: BTreeMap<String, String>) -> Node {
    let reserved = &config.reserved;
    let volumes = config
        .host_volumes
        .iter()
        .map(|volume| (volume.name.clone(), HostVolumeInfo::clone(volume)));
    let parent = if config.cgroup_parent.is_empty() {
        "nomad.slice"
    } else {
        &config.cgroup_parent
    };
    Node {
        id,
        secret_id: secret,
        name: config.name.clone(),
        datacenter: config.datacenter.clone(),
        node_class: config.node_class.clone(),
        node_pool: config.node_pool.clone(),
        node_max_allocs: config.node_max_allocs,
        http_addr: config.http_address.clone(),
        tls_enabled: config.tls_enabled,
        cgroup_parent: parent.to_owned(),
        gc_volumes_on_node_gc: config.gc_volumes_on_node_gc,
        meta,
        host_volumes: volumes.collect(),
        host_networks: config
            .host_networks
            .iter()
            .map(|net| (net.name.clone(), net.clone()))
            .collect(),
        scheduling_eligibility: if config.default_ineligible {
            Eligibility::Ineligible
        } else {
            Eligibility::Eligible
        },
        status: NodeStatus::Initializing,
        node_resources: Some(NodeResources {
            cpu: NodeCpuResources::default(),
            min_dynamic_port: config.min_dynamic_port,
            max_dynamic_port: config.max_dynamic_port,
            ..NodeResources::default()
        }),
        reserved_resources: Some(NodeReservedResources {
            cpu: NodeReservedCpuResources {
                cpu_shares: reserved.cpu,
                reserved_cpu_cores: reserved.cores.clone(),
            },
            memory: NodeMemoryResources {
                memory_mb: reserved.memory_mb,
            },
            disk: NodeDiskResources {
                disk_mb: reserved.disk_mb,
            },
            networks: NodeReservedNetworkResources {
                reserved_host_ports: reserved.ports.clone(),
            },
        }),
        ..Node::default()
    }
}

/// Sets an attribute.
fn set(node: &mut Node, name: &str, value: impl Into<String>) {
    node.attributes.insert(name.to_owned(), value.into());
}

/// The resources that every finding adds to.
fn resources(node: &mut Node) -> &mut NodeResources {
    node.node_resources.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_the_essentials_and_configuration_wins() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = ClientConfig::new("golden", dir.path());
        std::fs::create_dir_all(&config.alloc_dir).unwrap();
        (
            config.cpu_total_compute,
            config.memory_total_mb,
            config.disk_total_mb,
        ) = (4000, 4096, 20000);
        config.network_interface = "lo".into();
        let node = node(&config, NodeId::from_u128(1), "s".into(), BTreeMap::new());
        let resources = node.node_resources.as_ref().unwrap();
        assert_eq!(resources.cpu.cpu_shares, 4000);
        assert_eq!(resources.memory.memory_mb, 4096);
        assert_eq!(resources.disk.disk_mb, 20000);
        assert_eq!(node.attributes["cpu.totalcompute"], "4000");
        assert_eq!(node.attributes["kernel.name"], "linux");
        assert_eq!(node.attributes["unique.network.ip-address"], "127.0.0.1");
        for name in [
            "cpu.arch",
            "cpu.numcores",
            "os.signals",
            "os.name",
            "kernel.version",
            "nomad.version",
        ] {
            assert!(
                node.attributes
                    .get(name)
                    .is_some_and(|value| !value.is_empty()),
                "{name}"
            );
        }
        assert!(node.computed_class.starts_with("v1:"));
    }
}
