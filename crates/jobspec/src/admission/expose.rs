//! Checks that reach a service of the mesh from outside of it: each gets a path through the service's proxy, and a
//! port of its own where it names none.

use super::connect::put_port;
use crate::validate::Faults;
use caravan_model::{ExposePath, Job, Service, ServiceCheck, Task, TaskGroup, network_mode};
use sha1::{Digest, Sha1};

/// Adds what is missing, or tells why it cannot be.
pub(super) fn inject(job: &mut Job, faults: &mut Faults) -> Result<(), String> {
    for group in &mut job.task_groups {
        for at in 0..group.services.len() {
            for check in 0..group.services[at].checks.len() {
                if !group.services[at].checks[check].expose {
                    continue;
                }
                if !has_proxy(&group.services[at]) {
                    faults.add(format!(
                        "exposed service check {} requires use of sidecar_proxy",
                        place(group, at, check)
                    ));
                    continue;
                }
                expose(group, at, check)
                    .map_err(|why| format!("error in job mutator expose-check: {why}"))?;
            }
        }
        for task in &group.tasks {
            of_task(&group.name, task, faults);
        }
    }
    Ok(())
}

fn has_proxy(service: &Service) -> bool {
    let connect = service.connect.as_ref();
    service.is_consul() && connect.is_some_and(|it| it.sidecar_service.is_some())
}

/// Only services of groups have proxies.
fn of_task(group: &str, task: &Task, faults: &mut Faults) {
    for service in &task.services {
        for check in service.checks.iter().filter(|check| check.expose) {
            faults.add(format!(
                "exposed service check {group}[{}]->{}->{} is not a task-group service",
                task.name, service.name, check.name
            ));
        }
    }
}

fn place(group: &TaskGroup, at: usize, check: usize) -> String {
    let service = &group.services[at];
    let check = &service.checks[check].name;
    format!("{}->{}->{check}", group.name, service.name)
}

fn expose(group: &mut TaskGroup, at: usize, check: usize) -> Result<(), String> {
    let service = &group.services[at];
    let exposed = &service.checks[check];
    // Other kinds of checks, and other networks, are refused elsewhere.
    if !["http", "grpc"].contains(&exposed.r#type.as_str()) || !is_bridged(group) {
        return Ok(());
    }
    let Some(local) = local_port(group, service) else {
        return Err(format!(
            "unable to determine local service port for service check {}",
            place(group, at, check)
        ));
    };
    let listener_port = match exposed.port_label.as_str() {
        "" => own_label(service, exposed),
        label => label.to_owned(),
    };
    let path = ExposePath {
        path: exposed.path.clone(),
        protocol: exposed.protocol.clone(),
        local_path_port: local,
        listener_port: listener_port.clone(),
    };
    if exposed.port_label.is_empty() {
        put_port(group, &listener_port);
    }
    let service = &mut group.services[at];
    service.checks[check].port_label = listener_port;
    let sidecar = service
        .connect
        .as_mut()
        .and_then(|it| it.sidecar_service.as_mut());
    if let Some(sidecar) = sidecar {
        let proxy = sidecar.proxy.get_or_insert_default();
        let paths = &mut proxy.expose.get_or_insert_default().paths;
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_bridged(group: &TaskGroup) -> bool {
    matches!(group.networks.as_slice(), [network]
        if network.mode == network_mode::BRIDGE || network.mode.starts_with(network_mode::CNI_PREFIX))
}

/// The port that the service listens on in its own network.
fn local_port(group: &TaskGroup, service: &Service) -> Option<i64> {
    let label = &service.port_label;
    let named = group.networks.iter().flat_map(|network| network.ports());
    let named = named.filter(|port| port.label == *label);
    named
        .flat_map(|port| [port.to, port.value])
        .chain(label.parse())
        .find(|port| *port > 0)
}

/// A label for the port of a check that names none: the same one whenever the same check is sent.
fn own_label(service: &Service, check: &ServiceCheck) -> String {
    let mut hash = Sha1::new();
    for part in [&check.name, &check.r#type, &check.path, &check.protocol] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    let digits: String = hash[..3].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("svc_{}_ck_{digits}", service.name)
}
