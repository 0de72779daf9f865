//! Ports of a node: which are taken, and which a group or task gets (scheduler sheet §10.3).

use crate::feasible::target::interpolate;
use crate::rng::Rng;
use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};

const DEFAULT_MIN: i64 = 20_000;
const DEFAULT_MAX: i64 = 32_000;
const RANDOM_TRIES: usize = 20;
const HIGHEST: i64 = 65_535;

/// The ports taken on a node's addresses, each with how often.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortsInUse {
    by_address: BTreeMap<String, BTreeMap<i64, u32>>,
    /// Those that allow others beside them.
    shared: BTreeSet<(String, i64)>,
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    alias: String,
    ip: String,
}

fn addresses(node: &Node) -> Vec<Address> {
    let Some(resources) = &node.node_resources else {
        return Vec::new();
    };
    let mut found: Vec<Address> = resources
        .node_networks
        .iter()
        .filter(|network| network.mode.is_empty() || network.mode == network_mode::HOST)
        .flat_map(|network| &network.addresses)
        .map(|address| Address {
            alias: address.alias.clone(),
            ip: address.address.clone(),
        })
        .collect();
    // Nodes that only have the older list of networks.
    if found.is_empty() {
        found = resources
            .networks
            .iter()
            .filter(|network| network.is_host())
            .map(|network| Address {
                alias: "default".to_owned(),
                ip: ip_of(network),
            })
            .filter(|address| !address.ip.is_empty())
            .collect();
    }
    found
}

fn ip_of(network: &NetworkResource) -> String {
    if !network.ip.is_empty() {
        return network.ip.clone();
    }
    network.cidr.split('/').next().unwrap_or("").to_owned()
}

/// Reads `22,8000-8010`.
fn port_list(text: &str) -> impl Iterator<Item = i64> {
    text.split(',').flat_map(|part| {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse(), last.trim().parse::<i64>()) {
            (Ok(first), Ok(last)) => first..=last.min(HIGHEST),
            _ => 1..=0,
        }
    })
}

impl PortsInUse {
    /// The ports that the node keeps from tasks.
    pub(crate) fn reserved(node: &Node) -> Self {
        let mut used = Self::default();
        let addresses = addresses(node);
        let all = node
            .reserved_resources
            .as_ref()
            .map_or("", |reserved| &reserved.networks.reserved_host_ports);
        for address in &addresses {
            for port in port_list(all) {
                used.take(&address.ip, port, false);
            }
        }
        let networks = node
            .node_resources
            .iter()
            .flat_map(|resources| &resources.node_networks);
        for address in networks.flat_map(|network| &network.addresses) {
            for port in port_list(&address.reserved_ports) {
                used.take(&address.address, port, false);
            }
        }
        used
    }

    fn take(&mut self, ip: &str, port: i64, shared: bool) {
        let ports = self.by_address.entry(ip.to_owned()).or_default();
        *ports.entry(port).or_default() += 1;
        if shared {
            self.shared.insert((ip.to_owned(), port));
        }
    }

    fn free(&mut self, ip: &str, port: i64) {
        let Some(ports) = self.by_address.get_mut(ip) else {
            return;
        };
        if let Some(count) = ports.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                ports.remove(&port);
            }
        }
    }

    fn is_taken(&self, ip: &str, port: i64) -> bool {
        self.by_address
            .get(ip)
            .is_some_and(|ports| ports.contains_key(&port))
    }

    /// Takes the ports of an allocation; whether one of them was taken already.
    pub(crate) fn add(&mut self, alloc: &Allocation) -> bool {
        let mut collided = false;
        for (ip, port, shared) in ports_of(alloc) {
            collided |=
                self.is_taken(&ip, port) && !shared && !self.shared.contains(&(ip.clone(), port));
            self.take(&ip, port, shared);
        }
        collided
    }

    /// Gives the ports of an allocation back.
    pub(crate) fn remove(&mut self, alloc: &Allocation) {
        for (ip, port, _) in ports_of(alloc) {
            self.free(&ip, port);
        }
    }
}

/// The ports that an allocation holds: its shared ports, else those of its networks.
fn ports_of(alloc: &Allocation) -> Vec<(String, i64, bool)> {
    let Some(resources) = &alloc.allocated_resources else {
        return Vec::new();
    };
    let shared = &resources.shared;
    if !shared.ports.is_empty() {
        let port = |port: &AllocatedPort| (port.host_ip.clone(), port.value, port.ignore_collision);
        return shared.ports.iter().map(port).collect();
    }
    let of_tasks = resources
        .tasks
        .values()
        .filter_map(|task| task.networks.first());
    let networks = shared.networks.iter().chain(of_tasks);
    networks
        .flat_map(|network| {
            network
                .ports()
                .map(|port| (network.ip.clone(), port.value, false))
        })
        .collect()
}

/// Whether an allocation holds any port.
pub(crate) fn holds_any(alloc: &Allocation) -> bool {
    alloc.allocated_resources.as_ref().is_some_and(|resources| {
        !resources.shared.ports.is_empty()
            || !resources.shared.networks.is_empty()
            || resources
                .tasks
                .values()
                .any(|task| !task.networks.is_empty())
    })
}

fn range(node: &Node) -> (i64, i64) {
    let Some(resources) = &node.node_resources else {
        return (DEFAULT_MIN, DEFAULT_MAX);
    };
    let or = |value: i64, default| if value > 0 { value } else { default };
    (
        or(resources.min_dynamic_port, DEFAULT_MIN),
        or(resources.max_dynamic_port, DEFAULT_MAX),
    )
}

/// What a group's network gets on a node.
pub(crate) struct GroupOffer {
    pub(crate) network: NetworkResource,
    pub(crate) ports: Vec<AllocatedPort>,
}

/// Gives a group its network.
pub(crate) fn offer_group(
    node: &Node,
    used: &PortsInUse,
    ask: &NetworkResource,
    rng: &mut Rng,
) -> Result<GroupOffer, String> {
    let mut offer = Offering {
        node,
        used,
        addresses: addresses(node),
        offered: BTreeSet::new(),
        rng,
    };
    let mut network = ask.clone();
    let mut ports = Vec::new();
    for port in &mut network.reserved_ports {
        let alias = alias_of(node, port)?;
        let ip = offer.fixed(&alias, port)?;
        ports.push(allocated(port, ip));
    }
    let wanted: BTreeSet<i64> = ask.reserved_ports.iter().map(|port| port.value).collect();
    for port in &mut network.dynamic_ports {
        let alias = alias_of(node, port)?;
        let (ip, value) = offer.dynamic(&alias, &wanted)?;
        port.value = value;
        if port.to == -1 {
            port.to = value;
        }
        ports.push(allocated(port, ip));
    }
    if let Some(first) = offer.addresses.first() {
        network.ip.clone_from(&first.ip);
    }
    Ok(GroupOffer { network, ports })
}

fn alias_of(node: &Node, port: &mut Port) -> Result<String, String> {
    if port.host_network.is_empty() {
        port.host_network = "default".to_owned();
    }
    let alias = interpolate(&port.host_network, node)
        .ok_or_else(|| format!("invalid host network \"{}\"", port.host_network))?;
    port.host_network.clone_from(&alias);
    Ok(alias)
}

fn allocated(port: &Port, ip: String) -> AllocatedPort {
    AllocatedPort {
        label: port.label.clone(),
        value: port.value,
        to: port.to,
        host_ip: ip,
        ignore_collision: port.ignore_collision,
    }
}

struct Offering<'a> {
    node: &'a Node,
    used: &'a PortsInUse,
    addresses: Vec<Address>,
    offered: BTreeSet<(String, i64)>,
    rng: &'a mut Rng,
}

impl Offering<'_> {
    fn with_alias(&self, alias: &str) -> Vec<String> {
        let mine = self.addresses.iter().filter(|address| {
            address.alias == alias || (address.alias.is_empty() && alias == "default")
        });
        mine.map(|address| address.ip.clone()).collect()
    }

    fn is_free(&self, ip: &str, port: i64) -> bool {
        !self.used.is_taken(ip, port) && !self.offered.contains(&(ip.to_owned(), port))
    }

    fn fixed(&mut self, alias: &str, port: &Port) -> Result<String, String> {
        let mut why = format!("no addresses available for {alias} network");
        for ip in self.with_alias(alias) {
            if !(0..=HIGHEST).contains(&port.value) {
                return Err(format!("invalid port {} (out of range)", port.value));
            }
            if !self.is_free(&ip, port.value) && !port.ignore_collision {
                why = format!("reserved port collision {}={}", port.label, port.value);
                continue;
            }
            self.offered.insert((ip.clone(), port.value));
            return Ok(ip);
        }
        Err(why)
    }

    fn dynamic(&mut self, alias: &str, wanted: &BTreeSet<i64>) -> Result<(String, i64), String> {
        let mut why = format!("no addresses available for {alias} network");
        for ip in self.with_alias(alias) {
            match self.free_port(&ip, wanted) {
                Some(port) => {
                    self.offered.insert((ip.clone(), port));
                    return Ok((ip, port));
                }
                None => why = "dynamic port selection failed".to_owned(),
            }
        }
        Err(why)
    }

    fn free_port(&mut self, ip: &str, wanted: &BTreeSet<i64>) -> Option<i64> {
        let (min, max) = range(self.node);
        let width = u64::try_from(max - min).unwrap_or(0);
        for _ in 0..RANDOM_TRIES {
            let port = min + i64::try_from(self.rng.below(width)).unwrap_or(0);
            if self.is_free(ip, port) && !wanted.contains(&port) {
                return Some(port);
            }
        }
        let free: Vec<i64> = (min..=max)
            .filter(|port| self.is_free(ip, *port) && !wanted.contains(port))
            .collect();
        let at = usize::try_from(self.rng.below(free.len() as u64)).unwrap_or(0);
        free.get(at).copied()
    }
}

/// Gives a task its network, as old jobs ask for it.
pub(crate) fn offer_task(
    node: &Node,
    used: &PortsInUse,
    ask: &NetworkResource,
    taken: &mut BTreeSet<(String, i64)>,
    rng: &mut Rng,
) -> Result<NetworkResource, String> {
    let networks = node
        .node_resources
        .as_ref()
        .map_or(&[][..], |has| &has.networks[..]);
    let mut why = "no networks available".to_owned();
    for network in networks.iter().filter(|network| network.is_host()) {
        let ip = ip_of(network);
        if ip.is_empty() {
            continue;
        }
        let mut offering = Offering {
            node,
            used,
            addresses: Vec::new(),
            offered: taken.clone(),
            rng: &mut *rng,
        };
        match offering.on_address(&ip, ask) {
            Ok(mut given) => {
                given.device.clone_from(&network.device);
                *taken = offering.offered;
                return Ok(given);
            }
            Err(error) => why = error,
        }
    }
    Err(why)
}

impl Offering<'_> {
    fn on_address(&mut self, ip: &str, ask: &NetworkResource) -> Result<NetworkResource, String> {
        let mut given = ask.clone();
        given.ip = ip.to_owned();
        for port in &given.reserved_ports {
            if !(0..=HIGHEST).contains(&port.value) {
                return Err(format!("invalid port {} (out of range)", port.value));
            }
            if !self.is_free(ip, port.value) {
                return Err(format!(
                    "reserved port collision {}={}",
                    port.label, port.value
                ));
            }
            self.offered.insert((ip.to_owned(), port.value));
        }
        let wanted: BTreeSet<i64> = ask.reserved_ports.iter().map(|port| port.value).collect();
        for port in &mut given.dynamic_ports {
            let value = self
                .free_port(ip, &wanted)
                .ok_or("dynamic port selection failed")?;
            self.offered.insert((ip.to_owned(), value));
            port.value = value;
            if port.to == -1 {
                port.to = value;
            }
        }
        Ok(given)
    }
}
