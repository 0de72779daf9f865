//! What a container may do: capabilities, other namespaces, security profiles; and what the operator has to allow first.

use caravan_driver::{DriverError, TaskConfig};

use super::options::{DockerConfig, PluginConfig};

/// What a job may only ask for when the operator allowed it.
pub(super) fn check_privileges(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
) -> Result<(), DriverError> {
    if task.privileged && !plugin.allow_privileged {
        return Err(DriverError::fatal(
            "Docker privileged mode is disabled on this Nomad agent",
        ));
    }
    let modes = [
        ("ipc_mode", &task.ipc_mode, &plugin.allowed_modes.ipc),
        ("pid_mode", &task.pid_mode, &plugin.allowed_modes.pid),
        (
            "userns_mode",
            &task.userns_mode,
            &plugin.allowed_modes.userns,
        ),
        ("uts_mode", &task.uts_mode, &plugin.allowed_modes.uts),
    ];
    for (name, mode, allowed) in modes {
        if mode == "host" && !plugin.allow_privileged && !allowed.iter().any(|m| m == mode) {
            return Err(DriverError::fatal(format!(
                "{name} {mode:?} is not allowed on this Nomad agent"
            )));
        }
        // Another container's namespace only within the allocation.
        if mode.starts_with("container:") && !mode.ends_with(&format!("-{}", config.alloc_id)) {
            return Err(DriverError::fatal(format!(
                "{name} {mode:?} names a container of another allocation"
            )));
        }
    }
    if !task.runtime.is_empty() && !plugin.allow_runtimes.contains(&task.runtime) {
        return Err(DriverError::fatal(format!(
            "requested runtime {:?} is not allowed",
            task.runtime
        )));
    }
    if !task.isolation.is_empty() {
        return Err(DriverError::fatal(format!(
            "unsupported isolation mode {:?}",
            task.isolation
        )));
    }
    let refused: Vec<String> = task
        .cap_add
        .iter()
        .filter(|cap| !is_allowed(cap, plugin))
        .map(|c| plain(c))
        .collect();
    if !refused.is_empty() && !task.privileged {
        return Err(DriverError::fatal(format!(
            "Docker driver does not have the following caps allow-listed on this Nomad agent: {}",
            refused.join(", ")
        )));
    }
    Ok(())
}

fn plain(capability: &str) -> String {
    let lower = capability.to_ascii_lowercase();
    lower.strip_prefix("cap_").unwrap_or(&lower).to_owned()
}

fn is_allowed(capability: &str, plugin: &PluginConfig) -> bool {
    let wanted = plain(capability);
    plugin
        .allow_caps
        .iter()
        .map(|cap| plain(cap))
        .any(|cap| cap == "all" || cap == wanted)
}

/// The engine's default set, less what the operator does not allow, less what the task gives up.
pub(super) fn dropped_caps(task: &DockerConfig, plugin: &PluginConfig) -> Vec<String> {
    const ENGINE_DEFAULT: [&str; 14] = [
        "audit_write",
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "mknod",
        "net_bind_service",
        "net_raw",
        "setfcap",
        "setgid",
        "setpcap",
        "setuid",
        "sys_chroot",
    ];
    let mut dropped: Vec<String> = task.cap_drop.clone();
    if task.privileged {
        return dropped;
    }
    for cap in ENGINE_DEFAULT {
        let kept = is_allowed(cap, plugin) || task.cap_add.iter().any(|added| plain(added) == cap);
        if !kept && !dropped.iter().any(|given| plain(given) == cap) {
            dropped.push(cap.to_ascii_uppercase());
        }
    }
    dropped
}

/// The engine wants the profile itself where a job names a file.
pub(super) fn security_opt(task: &DockerConfig) -> Result<Vec<String>, DriverError> {
    task.security_opt
        .iter()
        .map(|option| {
            let Some((key, path)) = option
                .split_once(['=', ':'])
                .filter(|(key, _)| *key == "seccomp")
            else {
                return Ok(option.clone());
            };
            if path == "unconfined" {
                return Ok(option.clone());
            }
            let profile = std::fs::read_to_string(path).map_err(|err| {
                DriverError::fatal(format!("opening seccomp profile ({path}) failed: {err}"))
            })?;
            let compact = serde_json::from_str::<serde_json::Value>(&profile).map_err(|err| {
                DriverError::fatal(format!(
                    "compacting json for seccomp profile ({path}) failed: {err}"
                ))
            })?;
            Ok(format!("{key}={compact}"))
        })
        .collect()
}
