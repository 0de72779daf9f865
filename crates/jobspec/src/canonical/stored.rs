//! What a server adds to the stored form of a job. Nothing here depends on the cluster.

use crate::functions::quote;
use caravan_model::{
    Identity, Job, NetworkResource, Port, Service, Task, TaskGroup, UpdateStrategy, payload_rule,
    volume_type,
};

/// Completes a stored job: names of services and checks, the default identity, what old clients left out.
pub fn complete(job: &mut Job) {
    if job.datacenters.is_empty() {
        job.datacenters = vec!["*".to_owned()];
    }
    // The groups have the whole strategy; the job keeps what its old readers look at.
    job.update = match job.update.max_parallel > 0 {
        true => UpdateStrategy {
            stagger: job.update.stagger,
            max_parallel: job.update.max_parallel,
            ..UpdateStrategy::default()
        },
        false => UpdateStrategy::default(),
    };
    if let Some(config) = &mut job.parameterized_job
        && config.payload.is_empty()
    {
        config.payload = payload_rule::OPTIONAL.to_owned();
    }
    let (job_name, namespace) = (job.name.clone(), job.namespace.to_string());
    for group in &mut job.task_groups {
        complete_group(group, &job_name, &namespace);
    }
}

fn complete_group(group: &mut TaskGroup, job: &str, namespace: &str) {
    // Of old; the block `disconnect` has taken their place.
    group.max_client_disconnect = None;
    group.stop_after_client_disconnect = None;
    group.prevent_reschedule_on_lost = false;
    group.volumes.retain(|_, volume| {
        [volume_type::HOST, volume_type::CSI].contains(&volume.r#type.as_str())
    });
    group.networks.iter_mut().for_each(complete_network);
    for service in &mut group.services {
        complete_service(service, job, &group.name, "group", namespace);
    }
    for task in &mut group.tasks {
        complete_task(task, job, &group.name, namespace);
    }
}

fn complete_network(network: &mut NetworkResource) {
    // The node decides.
    network.device.clear();
    let ports = network
        .reserved_ports
        .iter_mut()
        .chain(&mut network.dynamic_ports);
    for Port { host_network, .. } in ports {
        if host_network.is_empty() {
            *host_network = "default".to_owned();
        }
    }
}

fn complete_task(task: &mut Task, job: &str, group: &str, namespace: &str) {
    // Disk belongs to the group.
    task.resources.disk_mb = 0;
    let default = task.identity.get_or_insert_default();
    default.name = Identity::DEFAULT_NAME.to_owned();
    if default.audience.is_empty() {
        default.audience = vec![Identity::DEFAULT_AUDIENCE.to_owned()];
    }
    let name = task.name.clone();
    for service in &mut task.services {
        service.task_name.clone_from(&name);
        complete_service(service, job, group, &name, namespace);
    }
}

fn complete_service(service: &mut Service, job: &str, group: &str, task: &str, namespace: &str) {
    service.name = service
        .name
        .replace("${JOB}", job)
        .replace("${TASKGROUP}", group)
        .replace("${TASK}", task)
        .replace("${BASE}", &format!("{job}-{group}-{task}"));
    for check in &mut service.checks {
        if check.name.is_empty() {
            check.name = format!("service: {} check", quote(&service.name));
        }
    }
    service.namespace = match service.is_nomad() {
        true => namespace.to_owned(),
        false => "default".to_owned(),
    };
}
