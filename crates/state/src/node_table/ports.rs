//! The ports that are taken on a node's addresses.

use caravan_model::AllocatedResources;
use std::collections::BTreeMap;

/// The ports taken on a node's addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortsInUse {
    by_address: BTreeMap<String, BTreeMap<i64, Holders>>,
}

/// How many hold a port, and how many of them bear others beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holders {
    all: u32,
    sharing: u32,
}

impl PortsInUse {
    /// Whether none is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Whether somebody holds the port.
    #[must_use]
    pub fn is_taken(&self, ip: &str, port: i64) -> bool {
        self.by_address
            .get(ip)
            .is_some_and(|ports| ports.contains_key(&port))
    }

    /// Takes a port. Whether that collides: it is held, and neither side bears that.
    pub fn take(&mut self, ip: &str, port: i64, shares: bool) -> bool {
        if !self.by_address.contains_key(ip) {
            self.by_address.insert(ip.to_owned(), BTreeMap::new());
        }
        let Some(ports) = self.by_address.get_mut(ip) else {
            return false;
        };
        let holders = ports.entry(port).or_default();
        let collides = holders.all > 0 && holders.sharing == 0 && !shares;
        holders.all += 1;
        holders.sharing += u32::from(shares);
        collides
    }

    /// Gives a port back.
    pub fn free(&mut self, ip: &str, port: i64, shares: bool) {
        let Some(ports) = self.by_address.get_mut(ip) else {
            return;
        };
        if let Some(holders) = ports.get_mut(&port) {
            holders.all = holders.all.saturating_sub(1);
            holders.sharing = holders.sharing.saturating_sub(u32::from(shares));
            if holders.all == 0 {
                ports.remove(&port);
            }
        }
        if ports.is_empty() {
            self.by_address.remove(ip);
        }
    }
}

/// The ports that an allocation holds: its shared ports, else those of its networks. Address, number, and whether
/// it bears others beside it.
pub fn ports_of(resources: &AllocatedResources) -> impl Iterator<Item = (&str, i64, bool)> {
    let shared = &resources.shared;
    let modern = shared
        .ports
        .iter()
        .map(|port| (port.host_ip.as_str(), port.value, port.ignore_collision));
    let of_tasks = resources
        .tasks
        .values()
        .filter_map(|task| task.networks.first());
    let old = shared
        .networks
        .iter()
        .chain(of_tasks)
        .filter(|_| shared.ports.is_empty());
    let old = old.flat_map(|network| {
        network
            .ports()
            .map(|port| (network.ip.as_str(), port.value, false))
    });
    modern.chain(old)
}
