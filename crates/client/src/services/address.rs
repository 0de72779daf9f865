//! Where a service or check is reached (runtime sheet §O).

use caravan_driver::DriverNetwork;
use caravan_model::{AllocNetworkStatus, Allocation, NetworkResource, Node, address_mode};

/// Everything addresses are looked up in.
pub(super) struct Place<'a> {
    pub(super) alloc: &'a Allocation,
    pub(super) node: &'a Node,
    /// None for services of the group.
    pub(super) task: Option<&'a str>,
    pub(super) driver: Option<&'a DriverNetwork>,
    pub(super) network: Option<&'a AllocNetworkStatus>,
}

struct Mapping {
    host_ip: String,
    value: i64,
    to: i64,
}

impl Place<'_> {
    /// Address and port of a service with this mode, port label and own address.
    pub(super) fn resolve(
        &self,
        mode: &str,
        label: &str,
        own: &str,
    ) -> Result<(String, i64), String> {
        match mode {
            "" | address_mode::AUTO => self.auto(label, own),
            address_mode::HOST if !own.is_empty() => {
                Err("cannot use custom advertise address with \"host\" address mode".into())
            }
            address_mode::HOST => self.host(label),
            address_mode::DRIVER => self.driver(label),
            address_mode::ALLOC | address_mode::ALLOC_IPV6 => {
                self.alloc(label, mode == address_mode::ALLOC_IPV6)
            }
            other => Err(format!("invalid address mode {other:?}")),
        }
    }

    fn auto(&self, label: &str, own: &str) -> Result<(String, i64), String> {
        if !own.is_empty() {
            return Ok((own.to_owned(), self.host(label)?.1));
        }
        match self.driver {
            Some(driver) if driver.auto_advertise && !driver.ip.is_empty() => self.driver(label),
            _ => self.host(label),
        }
    }

    fn host(&self, label: &str) -> Result<(String, i64), String> {
        if label.is_empty() {
            return Ok((self.any_ip(), 0));
        }
        if let Some(found) = self.mapping(label) {
            let ip = if found.host_ip.is_empty() {
                self.any_ip()
            } else {
                found.host_ip
            };
            return Ok((ip, found.value));
        }
        label
            .parse()
            .map(|port| (self.any_ip(), port))
            .map_err(|_| not_found(label))
    }

    fn driver(&self, label: &str) -> Result<(String, i64), String> {
        let network = self.driver.filter(|network| !network.ip.is_empty());
        let network =
            network.ok_or("cannot use address_mode=\"driver\": no driver network exists")?;
        if label.is_empty() {
            return Ok((network.ip.clone(), 0));
        }
        if let Some(port) = network.port_map.get(label) {
            return Ok((network.ip.clone(), i64::from(*port)));
        }
        self.inner(label).map(|port| (network.ip.clone(), port))
    }

    fn alloc(&self, label: &str, v6: bool) -> Result<(String, i64), String> {
        let status = self.network.filter(|status| !status.address.is_empty());
        let status = status
            .ok_or("cannot use address_mode=\"alloc\": no allocation network status reported")?;
        let address = if v6 {
            &status.address_ipv6
        } else {
            &status.address
        };
        if label.is_empty() {
            return Ok((address.clone(), 0));
        }
        self.inner(label).map(|port| (address.clone(), port))
    }

    /// The port inside the namespace.
    fn inner(&self, label: &str) -> Result<i64, String> {
        match self.mapping(label) {
            Some(found) if found.to > 0 => Ok(found.to),
            Some(found) => Ok(found.value),
            None => label.parse().map_err(|_| not_found(label)),
        }
    }

    fn mapping(&self, label: &str) -> Option<Mapping> {
        let given = self.alloc.allocated_resources.as_ref()?;
        if let Some(port) = given.port(label) {
            return Some(Mapping {
                host_ip: port.host_ip.clone(),
                value: port.value,
                to: port.to,
            });
        }
        let of_task = self.task.and_then(|task| given.tasks.get(task));
        let networks = of_task
            .map_or(&[][..], |task| &task.networks)
            .iter()
            .chain(&given.shared.networks);
        networks
            .into_iter()
            .find_map(|network| in_network(network, label))
    }

    fn any_ip(&self) -> String {
        let given = self.alloc.allocated_resources.as_ref();
        let of_task = given
            .and_then(|given| given.tasks.get(self.task?))
            .and_then(|task| task.networks.first());
        let shared = given.and_then(|given| given.shared.networks.first());
        let ip = of_task
            .or(shared)
            .map(|network| network.ip.clone())
            .filter(|ip| !ip.is_empty());
        ip.unwrap_or_else(|| {
            self.node
                .attributes
                .get("unique.network.ip-address")
                .cloned()
                .unwrap_or_default()
        })
    }
}

fn in_network(network: &NetworkResource, label: &str) -> Option<Mapping> {
    let port = network.ports().find(|port| port.label == label)?;
    Some(Mapping {
        host_ip: network.ip.clone(),
        value: port.value,
        to: port.to,
    })
}

fn not_found(label: &str) -> String {
    format!("invalid port {label:?}: port label not found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::{AllocatedPort, AllocatedResources, AllocatedSharedResources};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn alloc() -> Allocation {
        let port = AllocatedPort {
            label: "http".into(),
            value: 23456,
            to: 8080,
            host_ip: "10.0.0.5".into(),
            ..AllocatedPort::default()
        };
        let shared = AllocatedSharedResources {
            ports: vec![port],
            ..AllocatedSharedResources::default()
        };
        let given = AllocatedResources {
            shared,
            ..AllocatedResources::default()
        };
        Allocation {
            allocated_resources: Some(Arc::new(given)),
            ..Allocation::default()
        }
    }

    #[test]
    fn each_mode_finds_its_address() {
        let (alloc, node) = (alloc(), Node::default());
        let driver = DriverNetwork {
            ip: "172.17.0.2".into(),
            port_map: BTreeMap::new(),
            auto_advertise: true,
        };
        let status = AllocNetworkStatus {
            address: "172.26.64.7".into(),
            ..AllocNetworkStatus::default()
        };
        let full = Place {
            alloc: &alloc,
            node: &node,
            task: None,
            driver: Some(&driver),
            network: Some(&status),
        };
        let bare = Place {
            alloc: &alloc,
            node: &node,
            task: None,
            driver: None,
            network: None,
        };
        let is = |found: Result<(String, i64), String>, ip: &str, port: i64| {
            assert_eq!(found, Ok((ip.to_owned(), port)))
        };
        is(bare.resolve("auto", "http", ""), "10.0.0.5", 23456);
        is(full.resolve("auto", "http", ""), "172.17.0.2", 8080);
        is(
            bare.resolve("auto", "http", "example.com"),
            "example.com",
            23456,
        );
        is(full.resolve("alloc", "http", ""), "172.26.64.7", 8080);
        is(full.resolve("alloc", "9000", ""), "172.26.64.7", 9000);
        let error = bare.resolve("host", "nope", "").unwrap_err();
        assert_eq!(error, "invalid port \"nope\": port label not found");
        assert!(
            bare.resolve("driver", "http", "")
                .unwrap_err()
                .contains("no driver network exists")
        );
    }
}
