//! Rules that depend on the cluster.

use super::Cluster;
use crate::validate::Faults;
use caravan_model::{Job, Namespace, NamespaceCapabilities, job_type, network_mode};
use std::collections::BTreeSet;

/// What is checked before the job itself.
pub(super) fn before(
    job: &Job,
    cluster: &dyn Cluster,
    namespace: Option<&Namespace>,
    faults: &mut Faults,
) {
    vaults(job, cluster, faults);
    let other_consul = job.task_groups.iter().any(|group| {
        let services = group.all_services().map(|service| service.cluster.as_str());
        let own = group.consul.iter().map(|it| it.cluster.as_str());
        let tasks = group.tasks.iter().filter_map(|task| task.consul.as_ref());
        let mut all = services
            .chain(own)
            .chain(tasks.map(|it| it.cluster.as_str()));
        all.any(|name| !["", "default"].contains(&name))
    });
    faults.add_if(
        other_consul,
        "non-default Consul cluster requires Nomad Enterprise",
    );
    let id = job.id.as_str();
    match namespace {
        None => faults.add(format!(
            "job {id:?} is in nonexistent namespace {:?}",
            job.namespace.as_str()
        )),
        Some(namespace) => {
            if let Some(capabilities) = &namespace.capabilities {
                namespace_capabilities(job, capabilities, faults);
            }
        }
    }
    faults.add_if(
        !cluster.has_node_pool(&job.node_pool),
        format!("job {id:?} is in nonexistent node pool {:?}", job.node_pool),
    );
    faults.add_if(
        job.multiregion.is_some(),
        "Multiregion jobs are unlicensed.",
    );
}

/// What of Vault is not there; only where it is, what a job wants of it is looked at.
fn vaults(job: &Job, cluster: &dyn Cluster, faults: &mut Faults) {
    let missing = vault_clusters(job)
        .into_iter()
        .find(|it| !cluster.has_vault(it));
    if let Some(vault) = missing {
        faults.add(format!("Vault {vault:?} not enabled but used in the job"));
        return;
    }
    let tasks = job.task_groups.iter().flat_map(|group| &group.tasks);
    let namespaces: BTreeSet<&str> = tasks
        .filter_map(|task| task.vault.as_ref())
        .map(|vault| vault.namespace.as_str())
        .filter(|namespace| !namespace.is_empty())
        .collect();
    faults.add_if(
        !namespaces.is_empty(),
        format!(
            "multiple Vault namespaces requires Nomad Enterprise, Namespaces: {}",
            namespaces.into_iter().collect::<Vec<_>>().join(", ")
        ),
    );
}

fn vault_clusters(job: &Job) -> BTreeSet<&str> {
    let tasks = job.task_groups.iter().flat_map(|group| &group.tasks);
    let blocks = tasks.filter_map(|task| task.vault.as_ref());
    blocks
        .map(|vault| match vault.cluster.as_str() {
            "" => "default",
            name => name,
        })
        .collect()
}

fn namespace_capabilities(job: &Job, allowed: &NamespaceCapabilities, faults: &mut Faults) {
    let used = |names: BTreeSet<&str>, enabled: &[String], disabled: &[String]| -> Vec<String> {
        let refused = names.into_iter().filter(|name| {
            let is = |list: &[String]| list.iter().any(|it| it == name);
            is(disabled) || !enabled.is_empty() && !is(enabled)
        });
        refused.map(str::to_owned).collect()
    };
    let tasks = job.task_groups.iter().flat_map(|group| &group.tasks);
    let drivers = tasks.map(|task| task.driver.as_str()).collect();
    let networks = job.task_groups.iter().flat_map(|group| &group.networks);
    let modes = networks.map(|network| match network.mode.as_str() {
        "" => network_mode::HOST,
        mode => mode,
    });
    let drivers = used(
        drivers,
        &allowed.enabled_task_drivers,
        &allowed.disabled_task_drivers,
    );
    let modes = used(
        modes.collect(),
        &allowed.enabled_network_modes,
        &allowed.disabled_network_modes,
    );
    for (names, what) in [(drivers, "task driver"), (modes, "group network mode")] {
        let namespace = job.namespace.as_str();
        match names.as_slice() {
            [] => {}
            [name] => faults.add(format!(
                "used {what} {name:?} is not allowed in namespace {namespace:?}"
            )),
            names => {
                let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                faults.add(format!(
                    "used {what}s {} are not allowed in namespace {namespace:?}",
                    names.join(", ")
                ));
            }
        }
    }
}

/// What only the servers themselves give jobs, and limits that operators set.
pub(super) fn limits(job: &Job, cluster: &dyn Cluster, faults: &mut Faults) {
    faults.add_if(job.r#type == job_type::CORE, "job type cannot be core");
    faults.add_if(
        !job.payload.is_empty(),
        "job can't be submitted with a payload, only dispatched",
    );
    let most = cluster.max_priority();
    faults.add_if(
        !(1..=most).contains(&job.priority),
        format!("job priority must be between [1, {most}]"),
    );
    let total = job
        .task_groups
        .iter()
        .fold(0i64, |sum, group| sum.saturating_add(group.count));
    if let Some(most) = cluster.max_count() {
        faults.add_if(
            total > most,
            format!("total count was greater than configured job_max_count: {total} > {most}"),
        );
    }
}

/// Blocks that are kept and shown, but that nothing here carries out.
pub(super) fn enterprise(job: &Job, faults: &mut Faults) {
    let tasks = || job.task_groups.iter().flat_map(|group| &group.tasks);
    let numa = |it: &caravan_model::Numa| !["", "none"].contains(&it.affinity.as_str());
    faults.add_if(
        tasks().any(|task| task.resources.numa.as_ref().is_some_and(numa)),
        "numa scheduling requires Nomad Enterprise",
    );
    faults.add_if(
        tasks().any(|task| task.schedule.is_some()),
        "task schedules requires Nomad Enterprise",
    );
}

pub(super) fn memory_warnings(job: &Job, cluster: &dyn Cluster) -> Vec<String> {
    if cluster.oversubscribes_memory() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for group in &job.task_groups {
        for task in group
            .tasks
            .iter()
            .filter(|task| task.resources.memory_max_mb != 0)
        {
            out.push(format!(
                "Memory oversubscription is not enabled; Task \"{}.{}\" memory_max value will be ignored. Update the \
                 Scheduler Configuration to allow oversubscription.",
                group.name, task.name
            ));
        }
    }
    out
}
