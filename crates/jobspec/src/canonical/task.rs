//! Defaults of tasks.

use super::group::{canonicalize_consul, fill_restart};
use super::{service, weigh};
use caravan_model::api::{
    ApiArtifact, ApiChangeScript, ApiLogConfig, ApiResources, ApiRestartPolicy, ApiTask,
    ApiTemplate, ApiVault, ApiVolumeMount,
};
use caravan_model::{CsiPluginConfig, Duration};

const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// `base` is what default names of services begin with.
pub(super) fn canonicalize(task: &mut ApiTask, restart: &ApiRestartPolicy, base: &str) {
    // exhaustive
    let ApiTask {
        actions: _,
        affinities,
        artifacts,
        csi_plugin_config,
        config: _,
        constraints: _,
        consul,
        dispatch_payload: _,
        driver: _,
        env: _,
        identities: _,
        identity: _,
        kill_signal: _,
        kill_timeout,
        kind: _,
        leader: _,
        lifecycle: _,
        log_config,
        meta: _,
        name,
        resources,
        restart_policy,
        scaling_policies: _,
        schedule: _,
        secrets: _,
        services,
        shutdown_delay: _,
        templates,
        user: _,
        vault,
        volume_mounts,
    } = task;
    weigh(affinities.as_mut());
    canonicalize_resources(resources.get_or_insert_default());
    canonicalize_logs(log_config.get_or_insert_default());
    kill_timeout.get_or_insert(KILL_TIMEOUT);
    fill_restart(restart_policy.get_or_insert_default(), restart);
    if let Some(plugin) = csi_plugin_config {
        canonicalize_plugin(plugin);
    }
    if let Some(consul) = consul {
        canonicalize_consul(consul);
    }
    if let Some(vault) = vault {
        canonicalize_vault(vault);
    }
    artifacts
        .iter_mut()
        .flatten()
        .for_each(canonicalize_artifact);
    templates
        .iter_mut()
        .flatten()
        .for_each(canonicalize_template);
    volume_mounts
        .iter_mut()
        .flatten()
        .for_each(canonicalize_mount);
    for service in services.iter_mut().flatten() {
        service::canonicalize(service, &format!("{base}-{name}"));
    }
}

pub(super) fn canonicalize_resources(resources: &mut ApiResources) {
    // exhaustive
    let ApiResources {
        cpu,
        cores,
        devices,
        disk_mb: _,
        iops: _,
        memory_mb,
        memory_max_mb: _,
        numa: _,
        networks: _,
        secrets_mb: _,
    } = resources;
    let whole_cores = *cores.get_or_insert(0) > 0;
    cpu.get_or_insert(if whole_cores { 0 } else { 100 });
    memory_mb.get_or_insert(300);
    for device in devices.iter_mut().flatten() {
        device.count.get_or_insert(1);
        weigh(device.affinities.as_mut());
    }
}

pub(super) fn canonicalize_logs(logs: &mut ApiLogConfig) {
    // exhaustive
    let ApiLogConfig {
        disabled,
        enabled: _,
        max_file_size_mb,
        max_files,
    } = logs;
    disabled.get_or_insert(false);
    max_file_size_mb.get_or_insert(10);
    max_files.get_or_insert(10);
}

fn canonicalize_plugin(plugin: &mut CsiPluginConfig) {
    // exhaustive
    let CsiPluginConfig {
        id: _,
        r#type: _,
        mount_dir,
        stage_publish_base_dir,
        health_timeout,
    } = plugin;
    if mount_dir.is_empty() {
        *mount_dir = "/csi".to_owned();
    }
    if stage_publish_base_dir.is_empty() {
        *stage_publish_base_dir = "/local/csi".to_owned();
    }
    if health_timeout.is_zero() {
        *health_timeout = Duration::from_secs(30);
    }
}

fn canonicalize_vault(vault: &mut ApiVault) {
    // exhaustive
    let ApiVault {
        allow_token_expiration,
        change_mode,
        change_signal,
        cluster,
        disable_file,
        env,
        namespace,
        policies: _,
        role: _,
    } = vault;
    allow_token_expiration.get_or_insert(false);
    change_mode.get_or_insert_with(|| "restart".to_owned());
    change_signal.get_or_insert_with(|| "SIGHUP".to_owned());
    if cluster.is_empty() {
        *cluster = "default".to_owned();
    }
    disable_file.get_or_insert(false);
    env.get_or_insert(true);
    namespace.get_or_insert_default();
}

fn canonicalize_artifact(artifact: &mut ApiArtifact) {
    // exhaustive
    let ApiArtifact {
        chown: _,
        getter_headers,
        getter_insecure,
        getter_mode,
        getter_options,
        getter_source,
        relative_dest,
    } = artifact;
    for map in [getter_headers, getter_options] {
        if map.as_ref().is_some_and(|map| map.is_empty()) {
            *map = None;
        }
    }
    let mode = getter_mode.get_or_insert_with(|| "any".to_owned());
    getter_insecure.get_or_insert(false);
    let source = getter_source.get_or_insert_default();
    if relative_dest.is_none() {
        *relative_dest = Some(match mode.as_str() {
            // The last part of the source is the file's name.
            "file" => format!("local/{}", last_part(source)),
            _ => "local/".to_owned(),
        });
    }
}

fn last_part(source: &str) -> &str {
    let source = source.trim_end_matches('/');
    source.rsplit('/').next().unwrap_or(source)
}

fn canonicalize_template(template: &mut ApiTemplate) {
    // exhaustive
    let ApiTemplate {
        change_mode,
        change_script,
        change_signal,
        dest_path,
        embedded_tmpl,
        envvars,
        err_missing_key,
        gid: _,
        left_delim,
        once,
        perms,
        right_delim,
        source_path,
        splay,
        uid: _,
        vault_grace,
        wait: _,
    } = template;
    for text in [dest_path, embedded_tmpl, source_path] {
        text.get_or_insert_default();
    }
    for flag in [envvars, err_missing_key, once] {
        flag.get_or_insert(false);
    }
    let mode = change_mode.get_or_insert_with(|| "restart".to_owned());
    let signal = change_signal.get_or_insert_with(|| match mode.as_str() {
        "signal" => "SIGHUP".to_owned(),
        _ => String::new(),
    });
    *signal = signal.to_uppercase();
    left_delim.get_or_insert_with(|| "{{".to_owned());
    right_delim.get_or_insert_with(|| "}}".to_owned());
    perms.get_or_insert_with(|| "0644".to_owned());
    splay.get_or_insert(Duration::from_secs(5));
    vault_grace.get_or_insert(Duration::ZERO);
    if let Some(script) = change_script {
        canonicalize_script(script);
    }
}

fn canonicalize_script(script: &mut ApiChangeScript) {
    // exhaustive
    let ApiChangeScript {
        args,
        command,
        fail_on_error,
        run_on_first_render,
        timeout,
    } = script;
    args.get_or_insert_default();
    command.get_or_insert_default();
    fail_on_error.get_or_insert(false);
    run_on_first_render.get_or_insert(false);
    timeout.get_or_insert(Duration::from_secs(5));
}

pub(super) fn canonicalize_mount(mount: &mut ApiVolumeMount) {
    // exhaustive
    let ApiVolumeMount {
        destination: _,
        propagation_mode,
        read_only,
        selinux_label,
        volume: _,
    } = mount;
    propagation_mode.get_or_insert_with(|| "private".to_owned());
    read_only.get_or_insert(false);
    selinux_label.get_or_insert_default();
}
