//! Ports of a node: which are taken, and which a group or task gets (scheduler sheet §10.3).

use crate::feasible::target::interpolate;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{Held, PortsInUse};
use std::collections::{BTreeMap, BTreeSet};

const DEFAULT_MIN: i64 = 20_000;
const DEFAULT_MAX: i64 = 32_000;
const RANDOM_TRIES: usize = 20;
const HIGHEST: i64 = 65_535;

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
    let range = |part: &str| {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: i64 = first.trim().parse().ok()?;
        let last: i64 = last.trim().parse().ok()?;
        Some(first..=last.min(HIGHEST))
    };
    text.split(',').filter_map(range).flatten()
}

/// The ports of a node that nobody can be given: those it keeps from tasks, and those that allocations hold.
pub(crate) struct Taken<'a> {
    reserved: PortsInUse,
    held: Option<&'a PortsInUse>,
}

impl<'a> Taken<'a> {
    pub(crate) fn new(node: &Node, held: Option<&'a PortsInUse>) -> Self {
        Self {
            reserved: reserved(node),
            held,
        }
    }

    fn is_taken(&self, ip: &str, port: i64) -> bool {
        self.reserved.is_taken(ip, port) || self.held.is_some_and(|held| held.is_taken(ip, port))
    }
}

/// The ports that the node keeps from tasks.
pub(crate) fn reserved(node: &Node) -> PortsInUse {
    let mut used = PortsInUse::default();
    let all = node
        .reserved_resources
        .as_ref()
        .map_or("", |reserved| &reserved.networks.reserved_host_ports);
    if !all.is_empty() {
        for address in &addresses(node) {
            for port in port_list(all) {
                used.take(&address.ip, port, false);
            }
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
    used: &Taken<'_>,
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
        if port.to == -1 {
            port.to = port.value;
        }
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
    used: &'a Taken<'a>,
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
///
/// `taken` are the ports and `bandwidth` the megabits a second by device that the allocation was given before.
pub(crate) fn offer_task(
    node: &Node,
    held: Option<&Held>,
    used: &Taken<'_>,
    ask: &NetworkResource,
    taken: &mut BTreeSet<(String, i64)>,
    bandwidth: &mut BTreeMap<String, i64>,
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
        let of_others = held.and_then(|held| held.bandwidth.get(&network.device));
        let mine = bandwidth.get(&network.device);
        let in_use: i64 = of_others.into_iter().chain(mine).sum();
        if network.m_bits > 0 && in_use + ask.m_bits > network.m_bits {
            why = "bandwidth exceeded".to_owned();
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
                *bandwidth.entry(network.device.clone()).or_default() += ask.m_bits;
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
