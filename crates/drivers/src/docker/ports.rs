//! Which ports of the container are published where.

use std::collections::BTreeMap;

use bollard::models::PortBinding;
use caravan_driver::{DriverError, PortMapping, TaskConfig};

use super::options::DockerConfig;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Published {
    /// `80/tcp` and the like.
    pub(crate) bindings: BTreeMap<String, Vec<PortBinding>>,
    /// Label to container port, for services and variables.
    pub(crate) port_map: BTreeMap<String, u16>,
}

impl Published {
    fn add(&mut self, host_ip: &str, host_port: u16, inner: u16) {
        for protocol in ["tcp", "udp"] {
            let binding = PortBinding {
                host_ip: Some(host_ip.to_owned()),
                host_port: Some(host_port.to_string()),
            };
            self.bindings
                .entry(format!("{inner}/{protocol}"))
                .or_default()
                .push(binding);
        }
    }
}

/// The group's ports named in `ports`, or all ports of the task's own network through `port_map`.
pub(crate) fn publish(config: &TaskConfig, task: &DockerConfig) -> Result<Published, DriverError> {
    let mut published = Published::default();
    if !task.ports.is_empty() {
        for label in &task.ports {
            let port = config
                .ports
                .iter()
                .find(|port| port.label == *label)
                .ok_or_else(|| {
                    DriverError::fatal(format!("Port {label:?} not found, check network block"))
                })?;
            published.port_map.insert(label.clone(), port.inner());
            published.add(&port.host_ip, port.value, port.inner());
        }
        return Ok(published);
    }
    let Some(network) = &config.task_network else {
        if task.port_map.is_empty() {
            return Ok(published);
        }
        return Err(DriverError::fatal(if config.ports.is_empty() {
            "Trying to map ports but no network interface is available"
        } else {
            "'port_map' cannot map group network ports, use 'ports' instead"
        }));
    };
    for port in &network.ports {
        let inner = inner(task, port);
        let host_ip = if port.host_ip.is_empty() {
            &network.ip
        } else {
            &port.host_ip
        };
        published.port_map.insert(port.label.clone(), inner);
        published.add(host_ip, port.value, inner);
    }
    Ok(published)
}

fn inner(task: &DockerConfig, port: &PortMapping) -> u16 {
    task.port_map
        .get(&port.label)
        .copied()
        .unwrap_or(port.value)
}

#[cfg(test)]
mod tests {
    use caravan_driver::TaskNetwork;

    use super::*;

    fn port(label: &str, value: u16, to: u16) -> PortMapping {
        PortMapping {
            label: label.into(),
            host_ip: "10.0.0.5".into(),
            value,
            to,
            ignore_collision: false,
        }
    }

    #[test]
    fn a_task_network_publishes_all_ports_and_maps_some() {
        let config = TaskConfig {
            task_network: Some(TaskNetwork {
                ip: "10.0.0.5".into(),
                ports: vec![port("db", 23456, 0), port("admin", 20001, 0)],
                ..TaskNetwork::default()
            }),
            ..TaskConfig::default()
        };
        let task = DockerConfig {
            port_map: BTreeMap::from([("db".into(), 6379)]),
            ..DockerConfig::default()
        };
        let published = publish(&config, &task).expect("valid");
        assert_eq!(published.port_map["db"], 6379);
        assert_eq!(published.port_map["admin"], 20001);
        assert_eq!(
            published.bindings["6379/tcp"][0].host_port.as_deref(),
            Some("23456")
        );
        assert!(published.bindings.contains_key("20001/udp"));
    }

    #[test]
    fn group_ports_are_published_by_label() {
        let config = TaskConfig {
            ports: vec![port("http", 23456, 80)],
            ..TaskConfig::default()
        };
        let task = |label: &str| DockerConfig {
            ports: vec![label.into()],
            ..DockerConfig::default()
        };
        let published = publish(&config, &task("http")).expect("valid");
        assert_eq!(
            published.bindings["80/tcp"][0].host_ip.as_deref(),
            Some("10.0.0.5")
        );
        let err = publish(&config, &task("nope"))
            .expect_err("unknown")
            .to_string();
        assert_eq!(err, "Port \"nope\" not found, check network block");
    }

    #[test]
    fn a_port_map_needs_a_task_network() {
        let task = DockerConfig {
            port_map: BTreeMap::from([("db".into(), 6379)]),
            ..DockerConfig::default()
        };
        let err = publish(&TaskConfig::default(), &task)
            .expect_err("none")
            .to_string();
        assert_eq!(
            err,
            "Trying to map ports but no network interface is available"
        );
        let grouped = TaskConfig {
            ports: vec![port("db", 1, 0)],
            ..TaskConfig::default()
        };
        let err = publish(&grouped, &task).expect_err("group").to_string();
        assert_eq!(
            err,
            "'port_map' cannot map group network ports, use 'ports' instead"
        );
    }
}
