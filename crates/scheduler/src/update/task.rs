//! Whether a changed task must be started anew.

use super::networks_differ;
use caravan_model::*;

/// Whether the task must be started anew.
pub(super) fn differs(old: &Task, new: &Task) -> bool {
    // exhaustive
    let Task {
        name,
        driver,
        user,
        config,
        env,
        services: _,
        vault,
        secrets,
        // Where its services are registered, which is told anew.
        consul: _,
        templates,
        constraints: _,
        affinities: _,
        resources,
        restart_policy,
        dispatch_payload: _,
        lifecycle: _,
        // Compared together with the job's and the group's.
        meta: _,
        kill_timeout: _,
        log_config,
        artifacts,
        leader: _,
        shutdown_delay: _,
        volume_mounts,
        scaling_policies: _,
        kill_signal: _,
        kind: _,
        csi_plugin_config,
        identity,
        identities,
        actions: _,
        schedule: _,
    } = new;
    *name != old.name
        || *driver != old.driver
        || *user != old.user
        || *config != old.config
        || *env != old.env
        || *vault != old.vault
        || *secrets != old.secrets
        || *templates != old.templates
        || resources_differ(&old.resources, resources)
        || restart_policy.render_templates != old.restart_policy.render_templates
        || log_config.disabled != old.log_config.disabled
        || *artifacts != old.artifacts
        || *volume_mounts != old.volume_mounts
        || *csi_plugin_config != old.csi_plugin_config
        || *identity != old.identity
        || *identities != old.identities
}

fn resources_differ(old: &Resources, new: &Resources) -> bool {
    // exhaustive
    let Resources {
        cpu,
        cores,
        memory_mb,
        memory_max_mb,
        disk_mb: _,
        iops: _,
        networks,
        devices,
        numa,
        secrets_mb,
    } = new;
    *cpu != old.cpu
        || *cores != old.cores
        || *memory_mb != old.memory_mb
        || *memory_max_mb != old.memory_max_mb
        || networks_differ(&old.networks, networks)
        || *devices != old.devices
        || *numa != old.numa
        || *secrets_mb != old.secrets_mb
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(change: fn(&mut Task)) -> bool {
        let mut new = Task::default();
        change(&mut new);
        differs(&Task::default(), &new)
    }

    #[test]
    fn what_a_task_was_started_with_replaces_it() {
        let changes: &[fn(&mut Task)] = &[
            |task| task.name = "other".to_owned(),
            |task| task.driver = "exec".to_owned(),
            |task| task.user = "nobody".to_owned(),
            |task| drop(task.config.insert("command".to_owned(), "ls".into())),
            |task| drop(task.env.insert("A".into(), "b".into())),
            |task| task.vault = Some(Vault::default()),
            |task| task.secrets.push(Secret::default()),
            |task| task.templates.push(Template::default()),
            |task| task.artifacts.push(Artifact::default()),
            |task| task.volume_mounts.push(VolumeMount::default()),
            |task| task.csi_plugin_config = Some(CsiPluginConfig::default()),
            |task| task.identity = Some(Identity::default()),
            |task| task.identities.push(Identity::default()),
            |task| task.log_config.disabled = true,
            |task| task.restart_policy.render_templates = true,
            |task| task.resources.cpu = 1,
            |task| task.resources.cores = 1,
            |task| task.resources.memory_mb = 1,
            |task| task.resources.memory_max_mb = 1,
            |task| task.resources.secrets_mb = 1,
            |task| task.resources.numa = Some(Numa::default()),
            |task| task.resources.devices.push(RequestedDevice::default()),
            |task| task.resources.networks.push(NetworkResource::default()),
        ];
        for (number, change) in changes.iter().enumerate() {
            assert!(replaced(*change), "the change number {number}");
        }
    }

    #[test]
    fn what_its_agent_can_be_told_does_not() {
        let changes: &[fn(&mut Task)] = &[
            |_| {},
            |task| task.services.push(Service::default()),
            |task| task.constraints.push(Constraint::default()),
            |task| task.affinities.push(Affinity::default()),
            |task| task.lifecycle = Some(Lifecycle::default()),
            |task| task.kill_timeout = Duration::from_secs(9),
            |task| task.kill_signal = "SIGINT".to_owned(),
            |task| task.log_config.max_files = 9,
            |task| task.leader = true,
            |task| task.shutdown_delay = Duration::from_secs(9),
            |task| task.restart_policy.attempts = 9,
            |task| task.resources.disk_mb = 9,
        ];
        for (number, change) in changes.iter().enumerate() {
            assert!(!replaced(*change), "the change number {number}");
        }
    }
}
