//! What a container may do: capabilities, other namespaces, security profiles; and what the operator has to allow first.

use std::fs::File;
use std::io::{self, Read};

use caravan_driver::{DriverError, TaskConfig};

use super::create::is_anothers;
use super::options::{DockerConfig, PluginConfig};
use crate::caps::{self, plain};

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
        if is_anothers(mode) && !mode.ends_with(&format!("-{}", config.alloc_id)) {
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

fn is_allowed(capability: &str, plugin: &PluginConfig) -> bool {
    let wanted = plain(capability);
    plugin
        .allow_caps
        .iter()
        .map(|cap| plain(cap))
        .any(|cap| cap == "all" || cap == wanted)
}

/// The engine's default set (ours, and one more), less what the operator does not allow, less what the task gives up.
pub(super) fn dropped_caps(task: &DockerConfig, plugin: &PluginConfig) -> Vec<String> {
    let mut dropped: Vec<String> = task.cap_drop.clone();
    if task.privileged {
        return dropped;
    }
    for cap in caps::DEFAULT.into_iter().chain(["net_raw"]) {
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
            let profile = read_profile(path).map_err(|err| {
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

/// Profiles are small.
const MOST_PROFILE: u64 = 8 << 20;

/// Jobs name the file: what is none is not waited for, and what has no end is not read to it.
fn read_profile(path: &str) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    File::open(path)?
        .take(MOST_PROFILE)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seccomp_profile_is_a_file() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("profile.json");
        std::fs::write(&file, "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }").expect("written");
        let given = |path: &str| {
            let task = DockerConfig {
                security_opt: vec![format!("seccomp={path}")],
                ..DockerConfig::default()
            };
            security_opt(&task).map_err(|error| error.to_string())
        };
        assert_eq!(
            given(&file.display().to_string()).expect("read"),
            ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]
        );
        assert_eq!(given("unconfined").expect("said"), ["seccomp=unconfined"]);
        for other in ["/dev/zero", "/", "/nowhere"] {
            let error = given(other).expect_err(other);
            assert!(error.contains("opening seccomp profile"), "{error}");
        }
    }

    #[test]
    fn what_the_operator_does_not_allow_is_dropped() {
        let dropped = |task: DockerConfig| dropped_caps(&task, &PluginConfig::default());
        assert_eq!(dropped(DockerConfig::default()), ["NET_RAW"]);
        let privileged = DockerConfig {
            privileged: true,
            ..DockerConfig::default()
        };
        assert!(dropped(privileged).is_empty());
        let gives_up = DockerConfig {
            cap_drop: vec!["CAP_NET_RAW".into(), "chown".into()],
            ..DockerConfig::default()
        };
        assert_eq!(dropped(gives_up), ["CAP_NET_RAW", "chown"]);
    }
}
