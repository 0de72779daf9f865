//! The interface that tasks are reached at, and its addresses.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use caravan_model::{
    HostNetwork, NetworkResource, Node, NodeNetworkAddress, NodeNetworkResource, network_mode,
};

use super::{resources, set};
use crate::config::ClientConfig;

const DEFAULT_SPEED: i64 = 1000;

struct Interface {
    name: String,
    mac: String,
    addresses: Vec<IpAddr>,
}

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let interfaces = interfaces();
    let wanted = if !config.network_interface.is_empty() {
        config.network_interface.clone()
    } else if config.dev {
        "lo".to_owned()
    } else {
        default_route().unwrap_or_else(|| "lo".into())
    };
    let Some(found) = interfaces.iter().find(|interface| interface.name == wanted) else {
        tracing::warn!(
            interface = wanted,
            "the network interface of the node is not there"
        );
        return;
    };
    let disallow = config
        .options
        .get("fingerprint.network.disallow_link_local")
        .is_some_and(|value| value == "true");
    let routed = |address: &&IpAddr| !is_link_local(address);
    let mut usable: Vec<IpAddr> = found.addresses.iter().filter(routed).copied().collect();
    if usable.is_empty() && !disallow {
        usable.clone_from(&found.addresses);
    }
    if let Some(first) = usable.first() {
        set(node, "unique.network.ip-address", first.to_string());
    }
    let speed = speed(config, &found.name);
    for address in &usable {
        resources(node).networks.push(legacy(found, address, speed));
    }
    let own: Vec<NodeNetworkAddress> = usable
        .iter()
        .map(|address| described(address, "default", ""))
        .collect();
    let mut by_device: BTreeMap<String, Vec<NodeNetworkAddress>> =
        BTreeMap::from([(found.name.clone(), own)]);
    for network in &config.host_networks {
        aliases(network, &interfaces, &mut by_device);
    }
    for (device, addresses) in by_device {
        let mac = interfaces
            .iter()
            .find(|interface| interface.name == device)
            .map(|it| it.mac.clone());
        resources(node).node_networks.push(NodeNetworkResource {
            mode: network_mode::HOST.into(),
            mac_address: mac.unwrap_or_default(),
            speed: if device == found.name { speed } else { 0 },
            device,
            addresses,
        });
    }
}

fn legacy(interface: &Interface, address: &IpAddr, speed: i64) -> NetworkResource {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    NetworkResource {
        mode: network_mode::HOST.into(),
        device: interface.name.clone(),
        cidr: format!("{address}/{bits}"),
        ip: address.to_string(),
        m_bits: speed,
        ..NetworkResource::default()
    }
}

fn described(address: &IpAddr, alias: &str, reserved: &str) -> NodeNetworkAddress {
    NodeNetworkAddress {
        family: if address.is_ipv4() { "ipv4" } else { "ipv6" }.into(),
        alias: alias.into(),
        address: address.to_string(),
        reserved_ports: reserved.into(),
        gateway: String::new(),
    }
}

fn aliases(
    network: &HostNetwork,
    interfaces: &[Interface],
    found: &mut BTreeMap<String, Vec<NodeNetworkAddress>>,
) {
    for interface in interfaces {
        if !network.interface.is_empty() && network.interface != interface.name {
            continue;
        }
        let matching =
            |address: &&IpAddr| network.cidr.is_empty() || contains(&network.cidr, address);
        for address in interface.addresses.iter().filter(matching) {
            let described = described(address, &network.name, &network.reserved_ports);
            found
                .entry(interface.name.clone())
                .or_default()
                .push(described);
        }
    }
}

/// Whether an address lies in `a.b.c.d/n`.
pub(crate) fn contains(cidr: &str, address: &IpAddr) -> bool {
    let (base, bits) = cidr.split_once('/').unwrap_or((cidr, ""));
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    let (base, own, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(own)) => {
            (u128::from(base.to_bits()), u128::from(own.to_bits()), 32)
        }
        (IpAddr::V6(base), IpAddr::V6(own)) => (base.to_bits(), own.to_bits(), 128),
        _ => return false,
    };
    let bits: u32 = bits.parse().unwrap_or(width).min(width);
    bits == 0 || base >> (width - bits) == own >> (width - bits)
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let name = entry.interface_name.clone();
        let interface = found.entry(name.clone()).or_insert_with(|| {
            let mac =
                fs::read_to_string(format!("/sys/class/net/{name}/address")).unwrap_or_default();
            let mac = Some(mac.trim().to_owned()).filter(|mac| mac != "00:00:00:00:00:00");
            Interface {
                name,
                mac: mac.unwrap_or_default(),
                addresses: Vec::new(),
            }
        });
        let Some(address) = entry.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            interface.addresses.push(IpAddr::V4(v4.ip()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            interface.addresses.push(IpAddr::V6(v6.ip()));
        }
    }
    let mut found: Vec<Interface> = found.into_values().collect();
    found
        .iter_mut()
        .for_each(|interface| interface.addresses.sort());
    found
}

fn default_route() -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    let mut lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .find(|fields| fields.get(1) == Some(&"00000000"))
        .map(|fields| fields[0].to_owned())
}

fn speed(config: &ClientConfig, name: &str) -> i64 {
    if config.network_speed > 0 {
        return config.network_speed;
    }
    let text = fs::read_to_string(format!("/sys/class/net/{name}/speed")).unwrap_or_default();
    text.trim()
        .parse()
        .ok()
        .filter(|speed| *speed > 0)
        .unwrap_or(DEFAULT_SPEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks() {
        let is = |cidr: &str, address: &str| contains(cidr, &address.parse().unwrap());
        assert!(is("10.1.0.0/16", "10.1.2.3") && !is("10.1.0.0/16", "10.2.2.3"));
        assert!(is("0.0.0.0/0", "1.2.3.4") && !is("0.0.0.0/0", "::1"));
        assert!(is("fd00::/8", "fd12::1") && !is("nonsense", "1.2.3.4"));
    }
}
