//! Networks and ports of a group and its tasks.

use super::Faults;
use caravan_model::{NetworkResource, Port, TaskGroup};
use std::collections::BTreeMap;

const MOST_PORT: i64 = 65_535;

/// Who has which label, and which number on which host network.
#[derive(Default)]
struct Taken {
    labels: BTreeMap<String, String>,
    numbers: BTreeMap<(String, i64), String>,
}

pub(super) fn validate(group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    let mut taken = Taken::default();
    for network in &group.networks {
        for port in network.ports() {
            label(port, "taskgroup network", &mut taken, &mut faults);
        }
        for port in &network.reserved_ports {
            number(port, "taskgroup network", &mut taken, &mut faults);
        }
        for port in network.ports() {
            mapping(network, port, &mut faults);
        }
        cni(network, &mut faults);
    }
    for task in &group.tasks {
        for network in &task.resources.networks {
            for port in network.ports() {
                label(port, &task.name, &mut taken, &mut faults);
            }
            for port in &network.reserved_ports {
                number(port, &task.name, &mut taken, &mut faults);
            }
        }
    }
    faults
}

fn label(port: &Port, owner: &str, taken: &mut Taken, faults: &mut Faults) {
    match taken.labels.get(&port.label) {
        Some(first) => faults.add(format!(
            "Port label {} already in use by {first}",
            port.label
        )),
        None => {
            taken.labels.insert(port.label.clone(), owner.to_owned());
        }
    }
}

fn number(port: &Port, owner: &str, taken: &mut Taken, faults: &mut Faults) {
    if port.value > MOST_PORT {
        faults.add(format!(
            "Port {} ({}) cannot be greater than {MOST_PORT}",
            port.label, port.value
        ));
        return;
    }
    if port.ignore_collision {
        return;
    }
    let network = match port.host_network.as_str() {
        "" => "default",
        name => name,
    };
    let key = (network.to_owned(), port.value);
    match taken.numbers.get(&key) {
        Some(first) => {
            faults.add(format!(
                "Static port {} already reserved by {first}",
                port.value
            ));
        }
        None => {
            taken.numbers.insert(key, format!("{owner}:{}", port.label));
        }
    }
}

fn mapping(network: &NetworkResource, port: &Port, faults: &mut Faults) {
    faults.add_if(
        port.to < -1,
        format!(
            "Port {:?} cannot be mapped to negative value {}",
            port.label, port.to
        ),
    );
    faults.add_if(
        port.to > MOST_PORT,
        format!(
            "Port {:?} cannot be mapped to a port ({}) greater than {MOST_PORT}",
            port.label, port.to
        ),
    );
    faults.add_if(
        port.ignore_collision && !network.is_host(),
        format!(
            "Port {:?} collision may not be ignored on non-host network mode {:?}",
            port.label, network.mode
        ),
    );
}

fn cni(network: &NetworkResource, faults: &mut Faults) {
    let Some(cni) = &network.cni else { return };
    for (key, value) in &cni.args {
        faults.add_if(
            key.contains(';'),
            format!("invalid ';' character in CNI arg key {key:?}"),
        );
        faults.add_if(
            value.contains(';'),
            format!("invalid ';' character in CNI arg value {value:?}"),
        );
    }
}
