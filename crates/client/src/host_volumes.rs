//! Dynamic host volumes: folders that plugins of this node make and remove for the servers.
//!
//! One plugin is built in, `mkdir`; others are programs in the folder of plugins. The volumes made are part of the
//! node, and known again after a restart. Which node makes which volume is the servers' decision.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use caravan_model::{HostVolume, HostVolumeInfo};
use serde::Deserialize;

use crate::api::contained;
use crate::config::ClientConfig;
use crate::plugins;
use crate::shared::Shared;

/// Under which key the volumes are stored.
pub(crate) const STORED: &str = "host-volumes";

/// The plugin that is built in.
const MKDIR: &str = "mkdir";
/// What servers call the plugin of a volume that names none.
const NO_PLUGIN: &str = "default";
const TIMEOUT: Duration = Duration::from_secs(60);

/// What became of a request for a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Made {
    /// Where it is.
    #[serde(rename = "path")]
    pub host_path: String,
    /// How large it is; 0 when the plugin does not limit it.
    #[serde(rename = "bytes")]
    pub capacity_bytes: i64,
}

/// The versions of the plugins in the folder of plugins, as attributes; one that does not answer is left out.
pub(crate) async fn versions(folder: &Path) -> BTreeMap<String, String> {
    let found = plugins::versions(folder, "DHV_OPERATION").await;
    let attribute = |(name, version)| (format!("plugins.host_volume.{name}.version"), version);
    found.into_iter().map(attribute).collect()
}

/// Makes a volume, or takes one up that has its place already, and shows it as part of the node.
pub(crate) async fn make(shared: &Shared, volume: &HostVolume) -> Result<Made, String> {
    let made = if volume.host_path.is_empty() {
        match volume.plugin_id.as_str() {
            MKDIR => mkdir(&shared.config, volume)?,
            _ => by_plugin(shared, volume, "create").await?,
        }
    } else {
        let there = std::fs::metadata(&volume.host_path);
        there.map_err(|error| {
            format!(
                "could not find {}: {}",
                volume.host_path,
                contained::go_text(&error)
            )
        })?;
        Made {
            host_path: volume.host_path.clone(),
            capacity_bytes: volume.capacity_bytes,
        }
    };
    let info = HostVolumeInfo {
        name: volume.name.clone(),
        path: made.host_path.clone(),
        read_only: false,
        id: volume.id.clone(),
    };
    // Whoever asked waits until the servers see it.
    shared.change_node_soon(|node| {
        node.host_volumes.insert(info.name.clone(), info);
    });
    keep(shared);
    Ok(made)
}

/// Removes a volume. One that this node does not know is gone already.
pub(crate) async fn remove(shared: &Shared, volume: &HostVolume) -> Result<(), String> {
    match volume.plugin_id.as_str() {
        MKDIR => {
            let path = path_of(&shared.config, volume)?;
            // It may hold millions of files.
            let removed = tokio::task::spawn_blocking(move || caravan_host::tree::remove(&path));
            match removed.await.unwrap_or_else(|error| Err(error.into())) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("could not remove {}: {error}", volume.host_path));
                }
                _ => {}
            }
        }
        // Registered without a plugin: the folder is its owner's.
        NO_PLUGIN
            if !shared
                .config
                .host_volume_plugin_dir
                .join(NO_PLUGIN)
                .exists() => {}
        _ => {
            by_plugin(shared, volume, "delete").await?;
        }
    }
    // Whoever asked waits until the servers see it.
    shared.change_node_soon(|node| {
        if node
            .host_volumes
            .get(&volume.name)
            .is_some_and(|info| info.id == volume.id)
        {
            node.host_volumes.remove(&volume.name);
        }
    });
    keep(shared);
    Ok(())
}

/// Remembers the volumes that are there.
fn keep(shared: &Shared) {
    let node = shared.node();
    let dynamic: Vec<&HostVolumeInfo> = node
        .host_volumes
        .values()
        .filter(|info| !info.id.is_empty())
        .collect();
    shared.store.put_node(STORED, &dynamic);
}

/// The folder of a volume. Its id becomes the name, so nothing but the form of ids is taken.
fn path_of(config: &ClientConfig, volume: &HostVolume) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
    match !volume.id.is_empty() && volume.id.chars().all(plain) {
        true => Ok(config.host_volumes_dir.join(&volume.id)),
        false => Err(format!("{:?} is no id of a volume", volume.id)),
    }
}

fn mkdir(config: &ClientConfig, volume: &HostVolume) -> Result<Made, String> {
    let parameter = |name: &str, otherwise: &str| {
        volume
            .parameters
            .get(name)
            .map_or(otherwise, String::as_str)
            .to_owned()
    };
    let number = |name: &str| -> Result<Option<u32>, String> {
        match parameter(name, "-1").as_str() {
            "-1" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| format!("invalid value for {name:?}: {text:?}")),
        }
    };
    let mode = parameter("mode", "0700");
    let mode = u32::from_str_radix(&mode, 8)
        .map_err(|_| format!("invalid value for \"mode\": {mode:?}"))?;
    let (uid, gid) = (number("uid")?, number("gid")?);
    let path = path_of(config, volume)?;
    let failed = |error: std::io::Error| format!("could not make {}: {error}", path.display());
    std::fs::create_dir_all(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    chown(&path, uid, gid).map_err(failed)?;
    Ok(Made {
        host_path: path.to_string_lossy().into_owned(),
        capacity_bytes: 0,
    })
}

async fn by_plugin(
    shared: &Shared,
    volume: &HostVolume,
    operation: &'static str,
) -> Result<Made, String> {
    let config = &shared.config;
    let program = plugins::program(&config.host_volume_plugin_dir, &volume.plugin_id)?;
    let env = env(config, volume, operation)?;
    let made: BTreeMap<String, serde_json::Value> =
        plugins::run(&program, &[operation], env, TIMEOUT).await?;
    let value = serde_json::Value::from_iter(made);
    let told: plugins::Told = serde_json::from_value(value.clone()).unwrap_or_default();
    if !told.error.is_empty() {
        return Err(told.error);
    }
    if operation == "delete" {
        return Ok(Made::default());
    }
    let made: Made = serde_json::from_value(value).map_err(|error| {
        format!(
            "plugin {:?} answered what cannot be read: {error}",
            volume.plugin_id
        )
    })?;
    match Path::new(&made.host_path).is_absolute() {
        true => Ok(made),
        false => Err(format!(
            "plugin {:?} made no folder: {:?}",
            volume.plugin_id, made.host_path
        )),
    }
}

fn env(
    config: &ClientConfig,
    volume: &HostVolume,
    operation: &str,
) -> Result<Vec<(OsString, OsString)>, String> {
    let parameters =
        serde_json::to_string(&volume.parameters).map_err(|error| error.to_string())?;
    let mut env: Vec<(OsString, OsString)> = vec![
        ("DHV_OPERATION".into(), operation.into()),
        (
            "DHV_VOLUMES_DIR".into(),
            config.host_volumes_dir.clone().into(),
        ),
        (
            "DHV_PLUGIN_DIR".into(),
            config.host_volume_plugin_dir.clone().into(),
        ),
        ("DHV_NODE_POOL".into(), volume.node_pool.clone().into()),
        ("DHV_NAMESPACE".into(), volume.namespace.as_str().into()),
        ("DHV_VOLUME_NAME".into(), volume.name.clone().into()),
        ("DHV_VOLUME_ID".into(), volume.id.clone().into()),
        ("DHV_NODE_ID".into(), volume.node_id.to_string().into()),
        ("DHV_PARAMETERS".into(), parameters.into()),
        (
            "DHV_CAPACITY_MIN_BYTES".into(),
            volume.requested_capacity_min_bytes.to_string().into(),
        ),
        (
            "DHV_CAPACITY_MAX_BYTES".into(),
            volume.requested_capacity_max_bytes.to_string().into(),
        ),
    ];
    if operation == "delete" {
        env.push(("DHV_CREATED_PATH".into(), volume.host_path.clone().into()));
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path) -> ClientConfig {
        let mut config = ClientConfig::new("n", dir);
        config.host_volumes_dir = dir.join("volumes");
        config
    }

    #[test]
    fn folders_are_named_by_ids_and_by_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = config(dir.path());
        let mut volume = HostVolume {
            id: "0c4e2a5b-0000-0000-0000-000000000001".to_owned(),
            plugin_id: MKDIR.to_owned(),
            ..HostVolume::default()
        };
        volume
            .parameters
            .insert("mode".to_owned(), "0750".to_owned());
        let made = mkdir(&config, &volume).expect("made");
        let mode = std::fs::metadata(&made.host_path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o750);
        volume.id = "../outside".to_owned();
        assert!(mkdir(&config, &volume).is_err());
    }

    #[test]
    fn wrong_parameters_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut volume = HostVolume {
            id: "ab".to_owned(),
            ..HostVolume::default()
        };
        volume
            .parameters
            .insert("mode".to_owned(), "rwx".to_owned());
        let error = mkdir(&config(dir.path()), &volume).expect_err("refused");
        assert_eq!(error, "invalid value for \"mode\": \"rwx\"");
    }
}
