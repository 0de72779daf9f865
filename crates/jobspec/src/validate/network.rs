//! Networks and ports of a group and its tasks.

use super::Faults;
use caravan_model::{NetworkResource, Port, TaskGroup};
use std::collections::{BTreeMap, BTreeSet};

const MOST_PORT: i64 = 65_535;

/// Which labels the group has, and who has which number on which host network.
#[derive(Default)]
struct Taken {
    labels: BTreeSet<String>,
    numbers: BTreeMap<(String, i64), String>,
    cni_arguments: BTreeSet<String>,
}

pub(super) fn validate(group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    let mut taken = Taken::default();
    for network in &group.networks {
        for port in network.ports() {
            in_use(port, &taken, &mut faults);
            taken.labels.insert(port.label.clone());
            number(port, "taskgroup network", &mut taken, &mut faults);
            mapping(network, port, &mut faults);
        }
        cni(network, &mut taken, &mut faults);
        let hostname = network.hostname.as_str();
        faults.add_if(
            !hostname.contains("${") && !is_domain_name(hostname),
            "Hostname is not a valid DNS name",
        );
    }
    for task in &group.tasks {
        for network in &task.resources.networks {
            for port in network.ports() {
                in_use(port, &taken, &mut faults);
                number(port, &task.name, &mut taken, &mut faults);
            }
        }
    }
    faults
}

/// Labels of the group's ports are everybody's; tasks with networks of their own may have the same ones.
fn in_use(port: &Port, taken: &Taken, faults: &mut Faults) {
    faults.add_if(
        taken.labels.contains(&port.label),
        format!(
            "Port label {} already in use by taskgroup network",
            port.label
        ),
    );
}

fn number(port: &Port, owner: &str, taken: &mut Taken, faults: &mut Faults) {
    if port.value == 0 {
        return;
    }
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

fn cni(network: &NetworkResource, taken: &mut Taken, faults: &mut Faults) {
    let Some(cni) = &network.cni else { return };
    for (key, value) in &cni.args {
        faults.add_if(
            !taken.cni_arguments.insert(key.clone()),
            format!("duplicate CNI arg {key:?}"),
        );
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

/// Whether a name server could be asked for this name, or it is empty: which letters are in it does not count.
fn is_domain_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| (1..=63).contains(&label.len());
    matches!(name, "" | ".") || labels.len() < 255 && labels.split('.').all(fits)
}

#[cfg(test)]
mod tests {
    use super::is_domain_name;

    #[test]
    fn domain_names() {
        for good in ["", ".", "web", "not_a_host name", "a.b.example.", "${x}"] {
            assert!(is_domain_name(good), "{good}");
        }
        let long = format!("{}.x", "a".repeat(64));
        let deep = "a.".repeat(128);
        for bad in ["a..b", ".a", "a..", &long, &deep] {
            assert!(!is_domain_name(bad), "{bad}");
        }
    }
}
