//! Services of groups and tasks.

use super::{Faults, check, connect};
use caravan_model::{Service, Task, TaskGroup, address_mode, on_update, service_provider};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of services that the external catalogue knows; empty is a plain one.
const CONSUL_KINDS: [&str; 7] = [
    "",
    "connect-proxy",
    "mesh-gateway",
    "terminating-gateway",
    "ingress-gateway",
    "api-gateway",
    "connect-enabled",
];

/// Services of a group and of its tasks together.
pub(super) fn validate_group(group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    let mut providers = BTreeSet::new();
    let mut known = BTreeSet::new();
    let mut twice = BTreeSet::new();
    let mut owned = Vec::new();
    for (at, service) in group.services.iter().enumerate() {
        let own = validate(service, true);
        if !own.is_empty() {
            let before = format!("Service[{at}] {} validation failed: ", service.name);
            faults.nest(&before, own);
            continue;
        }
        owned.push((None, service));
        faults.add_if(
            service.address_mode == address_mode::DRIVER,
            wrong_place(service, "task"),
        );
        faults.add_if(
            !service.task_name.is_empty() && group.lookup_task(&service.task_name).is_none(),
            format!(
                "Service[{at}] {} refers to non-existent task {}",
                service.name, service.task_name
            ),
        );
        for check in &service.checks {
            let task = check.task_name.as_str();
            faults.add_if(
                !task.is_empty() && group.lookup_task(task).is_none(),
                format!(
                    "Check {} invalid: refers to non-existent task {task}",
                    check.name
                ),
            );
        }
    }
    let tasks = group.tasks.iter().flat_map(|task| {
        task.services
            .iter()
            .map(|it| (Some(task.name.as_str()), it))
    });
    for (owner, service) in owned.into_iter().chain(tasks) {
        let (name, port) = (service.name.as_str(), service.port_label.as_str());
        if !known.insert((owner, name, port)) {
            let port = if port.is_empty() {
                String::new()
            } else {
                format!(":{port}")
            };
            let owner = owner.unwrap_or("group");
            twice.insert(format!("{owner}->{name}{port}"));
        }
        providers.insert(service.provider.as_str());
    }
    faults.add_if(
        !twice.is_empty(),
        format!(
            "Services are not unique: [{}]",
            twice.into_iter().collect::<Vec<_>>().join(" ")
        ),
    );
    faults.add_if(
        providers.len() > 1,
        "Multiple service providers used: task group services must use the same provider",
    );
    faults
}

/// Script checks of a group's services need a task to run in.
pub(super) fn script_checks(group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    for service in &group.services {
        let scripts = service
            .checks
            .iter()
            .filter(|check| check.r#type == "script");
        for check in scripts {
            let task = match check.task_name.as_str() {
                "" => &service.task_name,
                _ => &check.task_name,
            };
            let who = format!(
                "Service [{}]->{} or Check {}",
                group.name, service.name, check.name
            );
            faults.add_if(
                task.is_empty(),
                format!("{who} must specify task parameter"),
            );
        }
    }
    faults
}

/// Services of one task.
pub(super) fn validate_task<'a>(group: &'a TaskGroup, task: &'a Task) -> Faults {
    let mut faults = Faults::default();
    let mut known = BTreeSet::new();
    let mut unknown_ports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let labels: BTreeSet<&str> = task
        .resources
        .networks
        .iter()
        .chain(&group.networks)
        .flat_map(|network| network.ports().map(|port| port.label.as_str()))
        .collect();
    for (at, service) in task.services.iter().enumerate() {
        let before = format!("service[{at}] {:+?} validation failed: ", service.name);
        faults.nest(&before, validate(service, false));
        faults.add_if(
            !known.insert((service.name.as_str(), service.port_label.as_str())),
            format!("service {:?} is duplicate", service.name),
        );
        faults.add_if(
            [address_mode::ALLOC, address_mode::ALLOC_IPV6]
                .contains(&service.address_mode.as_str()),
            wrong_place(service, "group"),
        );
        let mut refer = |port: &'a str| {
            if !labels.contains(port) {
                unknown_ports.entry(port).or_default().insert(&service.name);
            }
        };
        let port = service.port_label.as_str();
        if !port.is_empty() && !is_advertised(service) {
            refer(port);
        }
        faults.add_if(
            service.connect.is_some(),
            format!(
                "service {:?} cannot have \"connect\" block, only services defined in a \"group\" block can",
                service.name
            ),
        );
        let mut checks = BTreeSet::new();
        for check in &service.checks {
            faults.add_if(
                !checks.insert(&check.name),
                format!("check {:?} is duplicate", check.name),
            );
            if !check.needs_port() {
                continue;
            }
            match check::port_of(service, check) {
                Ok(Some(label)) => refer(label),
                Ok(None) => {}
                Err(why) => faults.add(why),
            }
        }
    }
    for (port, services) in unknown_ports {
        let services: Vec<&str> = services.into_iter().collect();
        faults.add(format!(
            "port label {port:?} referenced by services {} does not exist",
            services.join(", ")
        ));
    }
    faults
}

/// The service's way of announcing its address is only there for services of the other block.
fn wrong_place(service: &Service, other: &str) -> String {
    format!(
        "service {:?} cannot use address_mode={:?}, only services defined in a {other:?} block can use this mode",
        service.name, service.address_mode
    )
}

/// Whether the service's port is a number that is announced as it is, not a port of the task.
fn is_advertised(service: &Service) -> bool {
    let mode = service.address_mode.as_str();
    let own = [address_mode::DRIVER, address_mode::ALLOC].contains(&mode);
    (own || !service.address.is_empty()) && service.port_label.parse::<i64>().is_ok()
}

fn validate(service: &Service, of_group: bool) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(
        !is_host_name(&without_references(&service.name)),
        format!(
            "Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be \
             no longer than 63 characters: {:?}",
            service.name
        ),
    );
    match service.address_mode.as_str() {
        "" | address_mode::AUTO => {}
        address_mode::HOST
        | address_mode::DRIVER
        | address_mode::ALLOC
        | address_mode::ALLOC_IPV6 => faults.add_if(
            !service.address.is_empty(),
            "Service address_mode must be \"auto\" if address is set",
        ),
        other => faults.add(format!(
            "Service address_mode must be {:?}, {:?}, or {:?}; not {other:?}",
            address_mode::AUTO,
            address_mode::HOST,
            address_mode::DRIVER
        )),
    }
    match service.on_update.as_str() {
        "" | on_update::REQUIRE_HEALTHY | on_update::IGNORE_WARNINGS | on_update::IGNORE => {}
        other => faults.add(format!(
            "Service on_update must be {:?}, {:?}, or {:?}; not {other:?}",
            on_update::REQUIRE_HEALTHY,
            on_update::IGNORE_WARNINGS,
            on_update::IGNORE
        )),
    }
    match service.provider.as_str() {
        service_provider::NOMAD => {
            check::checks(service, &mut faults);
            faults.add_if(
                service.connect.is_some(),
                "Service with provider nomad cannot include Connect blocks",
            );
        }
        "" | service_provider::CONSUL => {
            check::checks(service, &mut faults);
            faults.add_if(
                !CONSUL_KINDS.contains(&service.kind.as_str()),
                format!(
                    "Service {} kind must be one of consul service kind or empty",
                    service.name
                ),
            );
            if let Some(it) = &service.connect {
                connect::validate(service, it, of_group, &mut faults);
            }
        }
        other => faults.add(format!(
            "Service provider must be {:?}, or {:?}; not {other:?}",
            service_provider::CONSUL,
            service_provider::NOMAD
        )),
    }
    faults
}

/// A name with every `${…}` replaced by a letter.
fn without_references(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else {
            break;
        };
        out += &rest[..start];
        out.push('x');
        rest = &rest[start + end + 1..];
    }
    out + rest
}

fn is_host_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}
