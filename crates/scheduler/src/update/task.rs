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
