//! Whether a changed group can be told to its running allocations, or they must be replaced (scheduler sheet §13).
//!
//! Every field is named: one that is added to the model does not compile here before somebody has decided.

mod task;

use caravan_model::*;
use std::collections::BTreeMap;

/// Whether allocations of `old` must be replaced to run `new`.
pub(crate) fn is_destructive(old_job: &Job, new_job: &Job, group: &str) -> bool {
    let (Some(old), Some(new)) = (
        old_job.lookup_task_group(group),
        new_job.lookup_task_group(group),
    ) else {
        return true;
    };
    if std::ptr::eq(old, new) {
        return false;
    }
    group_differs(old, new)
        || new
            .tasks
            .iter()
            .any(|task| match old.lookup_task(&task.name) {
                Some(before) => {
                    task::differs(before, task)
                        || old_job.combined_meta(group, &task.name)
                            != new_job.combined_meta(group, &task.name)
                }
                None => true,
            })
}

fn group_differs(old: &TaskGroup, new: &TaskGroup) -> bool {
    // exhaustive
    let TaskGroup {
        name: _,
        count: _,
        update: _,
        migrate: _,
        constraints: _,
        scaling: _,
        restart_policy,
        disconnect: _,
        tasks,
        ephemeral_disk,
        // Compared with each task's.
        meta: _,
        reschedule_policy: _,
        affinities: _,
        spreads: _,
        networks,
        // Where its services are registered, which is told anew.
        consul: _,
        services: _,
        volumes,
        shutdown_delay: _,
        max_run_duration: _,
        stop_after_client_disconnect: _,
        max_client_disconnect: _,
        prevent_reschedule_on_lost: _,
    } = new;
    tasks.len() != old.tasks.len()
        || *ephemeral_disk != old.ephemeral_disk
        || networks_differ(&old.networks, networks)
        || *volumes != old.volumes
        || restart_policy.render_templates != old.restart_policy.render_templates
        || connect_differs(old, new)
}

/// Whether networks differ in what an allocation was given; numbers of dynamic ports do not count.
pub(super) fn networks_differ(old: &[NetworkResource], new: &[NetworkResource]) -> bool {
    old.len() != new.len()
        || old
            .iter()
            .zip(new)
            .any(|(old, new)| network_differs(old, new))
}

fn network_differs(old: &NetworkResource, new: &NetworkResource) -> bool {
    // exhaustive
    let NetworkResource {
        mode,
        device: _,
        cidr: _,
        ip: _,
        hostname,
        m_bits,
        dns,
        reserved_ports,
        dynamic_ports,
        cni,
    } = new;
    *mode != old.mode
        || *hostname != old.hostname
        || *m_bits != old.m_bits
        || *dns != old.dns
        || *cni != old.cni
        || ports(reserved_ports, true) != ports(&old.reserved_ports, true)
        || ports(dynamic_ports, false) != ports(&old.dynamic_ports, false)
}

type PortKey<'a> = (&'a str, i64, i64, &'a str);

/// In their order, for that is how allocations were given them.
fn ports(ports: &[Port], numbered: bool) -> Vec<PortKey<'_>> {
    let key = |port: &'_ Port| -> (i64, i64) { (if numbered { port.value } else { 0 }, port.to) };
    ports
        .iter()
        .map(|port| {
            let (value, to) = key(port);
            (port.label.as_str(), value, to, port.host_network.as_str())
        })
        .collect()
}

/// Whether services in a mesh differ in what their sidecars were made from.
fn connect_differs(old: &TaskGroup, new: &TaskGroup) -> bool {
    let named = |group: &'_ TaskGroup| -> BTreeMap<String, Service> {
        group
            .services
            .iter()
            .map(|service| (service.name.clone(), service.clone()))
            .collect()
    };
    let before = named(old);
    named(new).into_iter().any(|(name, new)| {
        before
            .get(&name)
            .is_some_and(|old| service_connect_differs(old, &new))
    })
}

fn service_connect_differs(old: &Service, new: &Service) -> bool {
    let (a, b) = match (&old.connect, &new.connect) {
        (None, None) => return false,
        (Some(a), Some(b)) => (a, b),
        _ => return true,
    };
    // exhaustive
    let Connect {
        native,
        sidecar_service,
        sidecar_task,
        gateway,
    } = b;
    let port = |sidecar: &Option<SidecarService>| sidecar.as_ref().map(|s| s.port.clone());
    *native != a.native
        || *gateway != a.gateway
        || *sidecar_task != a.sidecar_task
        || port(sidecar_service) != port(&a.sidecar_service)
        || old.port_label != new.port_label
        || old.cluster != new.cluster
}
