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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a group with one network and one task must be replaced after this change of it.
    fn replaces(change: impl FnOnce(&mut TaskGroup)) -> bool {
        let task = Task {
            name: "t".to_owned(),
            ..Task::default()
        };
        let group = TaskGroup {
            name: "g".to_owned(),
            networks: vec![NetworkResource {
                dynamic_ports: vec![Port::default()],
                reserved_ports: vec![Port::default()],
                ..NetworkResource::default()
            }],
            services: vec![Service::default()],
            tasks: vec![task],
            ..TaskGroup::default()
        };
        let old = Job {
            task_groups: vec![group],
            ..Job::default()
        };
        let mut new = old.clone();
        change(&mut new.task_groups[0]);
        is_destructive(&old, &new, "g")
    }

    #[test]
    fn a_network_is_what_an_allocation_was_given() {
        let network = |change: fn(&mut NetworkResource)| {
            let of_task = replaces(|group| {
                let mut network = NetworkResource::default();
                change(&mut network);
                group.tasks[0].resources.networks = vec![network];
            });
            assert!(of_task, "a task that had none");
            replaces(|group| change(&mut group.networks[0]))
        };
        assert!(network(|network| network.mode = "bridge".to_owned()));
        assert!(network(|network| network.m_bits = 5));
        assert!(network(|network| network.hostname = "h".to_owned()));
        assert!(network(|network| network.dns = Some(DnsConfig::default())));
        assert!(network(|network| network.cni = Some(CniConfig::default())));
        assert!(network(|network| network.dynamic_ports.clear()));
        assert!(network(|network| {
            network.reserved_ports.push(Port::default());
        }));
        assert!(!network(|network| network.ip = "10.0.0.1".to_owned()));
        assert!(!network(|network| network.device = "eth0".to_owned()));
        assert!(replaces(|group| group.networks.clear()));
    }

    #[test]
    fn a_port_is_its_label_its_target_its_network_and_its_number_if_it_has_one() {
        let port = |change: fn(&mut Port)| {
            let fixed = replaces(|group| change(&mut group.networks[0].reserved_ports[0]));
            let dynamic = replaces(|group| change(&mut group.networks[0].dynamic_ports[0]));
            (fixed, dynamic)
        };
        assert_eq!(port(|port| port.label = "http".to_owned()), (true, true));
        assert_eq!(port(|port| port.to = 80), (true, true));
        assert_eq!(
            port(|port| port.host_network = "private".to_owned()),
            (true, true)
        );
        assert_eq!(port(|port| port.value = 8080), (true, false));
    }

    #[test]
    fn rendering_templates_anew_at_restarts_is_decided_at_the_start() {
        assert!(replaces(
            |group| group.restart_policy.render_templates = true
        ));
        assert!(replaces(|group| {
            group.tasks[0].restart_policy.render_templates = true;
        }));
        assert!(!replaces(|group| group.restart_policy.attempts = 7));
    }

    #[test]
    fn sidecars_are_made_from_what_their_service_says() {
        let connect = || Connect {
            sidecar_service: Some(SidecarService::default()),
            ..Connect::default()
        };
        let changed = |change: fn(&mut Service)| {
            let mut with = service_with(connect());
            change(&mut with);
            service_connect_differs(&service_with(connect()), &with)
        };
        fn service_with(connect: Connect) -> Service {
            Service {
                connect: Some(connect),
                ..Service::default()
            }
        }
        assert!(changed(|service| service.connect = None));
        assert!(changed(|service| service.port_label = "http".to_owned()));
        assert!(changed(|service| service.cluster = "other".to_owned()));
        assert!(changed(|service| {
            service.connect.get_or_insert_default().native = true;
        }));
        assert!(changed(|service| {
            service.connect.get_or_insert_default().sidecar_service = None;
        }));
        assert!(!changed(|service| service.tags = vec!["a".to_owned()]));
        assert!(replaces(|group| group.services[0].connect = Some(connect())));
        assert!(
            !replaces(|group| group.services.clear()),
            "a service that goes away is only told"
        );
    }
}
