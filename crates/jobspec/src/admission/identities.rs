//! Identities that the cluster gives tasks and services which log in at Vault or Consul and declare none for that.

use caravan_model::{Identity, Job, Service};

use super::Cluster;

/// The cluster that is meant where none is named.
const DEFAULT: &str = "default";

/// Adds what is missing; what a task or service declares itself stays as it is.
pub(super) fn add(job: &mut Job, cluster: &dyn Cluster) {
    for group in &mut job.task_groups {
        let of_group = group.consul.as_ref().map(|consul| consul.cluster.clone());
        for service in &mut group.services {
            add_to_service(service, "", cluster);
        }
        for task in &mut group.tasks {
            for service in &mut task.services {
                add_to_service(service, &task.name, cluster);
            }
            let of_task = task.consul.as_ref().map(|consul| consul.cluster.clone());
            let consul = of_task.or_else(|| of_group.clone());
            let vault = task.vault.as_ref().map(|vault| vault.cluster.clone());
            let wanted = [
                vault.map(|name| ("vault", or_default(name))),
                consul.map(|name| ("consul", or_default(name))),
            ];
            for (system, name) in wanted.into_iter().flatten() {
                let given = match system {
                    "vault" => cluster.vault_identity(&name),
                    _ => cluster.consul_identity(&name),
                };
                let full = format!("{system}_{name}");
                let declared = task.identities.iter().any(|one| one.name == full);
                if let (Some(identity), false) = (given, declared) {
                    task.identities.push(Identity {
                        name: full,
                        ..identity
                    });
                }
            }
        }
    }
}

/// `task`: whose service it is; empty for one of the group.
fn add_to_service(service: &mut Service, task: &str, cluster: &dyn Cluster) {
    if !service.is_consul() {
        return;
    }
    if service.identity.is_none() {
        service.identity = cluster.consul_service_identity(&or_default(service.cluster.clone()));
    }
    let Some(identity) = &mut service.identity else {
        return;
    };
    if identity.name.is_empty() {
        let parts = [task, &service.name, &service.port_label];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        identity.name = format!("{}{}", Identity::CONSUL_SERVICE, parts.join("-"));
    }
    identity.service_name.clone_from(&service.name);
}

fn or_default(name: String) -> String {
    if name.is_empty() {
        DEFAULT.to_owned()
    } else {
        name
    }
}
