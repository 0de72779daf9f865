//! Where the directories that a container gets of its own allocation really are. The engine opens them by name, and a task
//! beside it may put a link to the host's files there between our look and the engine's: so it is given names that stay.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use caravan_driver::{DriverError, TaskConfig};
use caravan_host::credentials;
use caravan_host::held::{self, Held};

use super::connection::Connection;
use super::mounts;
use super::names::Names;
use super::options::{DockerConfig, PluginConfig};

/// Below the task's private directory.
const PLACE: &str = "volumes";

/// Names by path; those that are held are good until this is dropped, and for a container that was started meanwhile.
#[derive(Debug, Default)]
pub(super) struct Sources {
    names: BTreeMap<PathBuf, PathBuf>,
    /// Files that take the place of the container's own.
    pub(super) files: Names,
    _held: Option<Held>,
}

impl Sources {
    /// Holds what this container gets of its allocation. An engine that does not see what this agent mounts (one elsewhere,
    /// or an agent without root) is given the paths as they are.
    pub(super) async fn hold(
        connection: &Connection,
        config: &TaskConfig,
        task: &DockerConfig,
        plugin: &PluginConfig,
    ) -> Result<Self, DriverError> {
        let wanted = mounts::own_sources(config, task, plugin)?;
        let private = &config.dirs.private;
        if wanted.is_empty()
            || private.as_os_str().is_empty()
            || !credentials::is_root()
            || !connection.pid().await.is_some_and(held::sees_our_mounts)
        {
            return Ok(Self::default());
        }
        let (root, place) = (config.dirs.alloc_root.clone(), private.join(PLACE));
        let held = tokio::task::spawn_blocking(move || hold(&root, &place, wanted)).await;
        held.map_err(|error| DriverError::other(error.to_string()))?
    }

    /// The name to give to the engine for a path.
    pub(super) fn name_of<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.names.get(path).map_or(path, PathBuf::as_path)
    }
}

fn hold(
    alloc_root: &Path,
    place: &Path,
    wanted: Vec<(PathBuf, bool)>,
) -> Result<Sources, DriverError> {
    let fail = |path: &Path, error: std::io::Error| match error.kind() {
        ErrorKind::CrossesDevices => mounts::refused(&path.display().to_string()),
        _ => DriverError::recoverable(format!("cannot mount {}: {error}", path.display())),
    };
    let mut held = Held::below(place).map_err(|error| fail(place, error))?;
    let mut names = BTreeMap::new();
    for (path, make) in wanted {
        let root = mounts::root_of(&path, alloc_root).unwrap_or_else(|| alloc_root.to_owned());
        if make {
            // Of a task that comes later. Nobody else makes anything here.
            let _ = std::fs::create_dir(&root);
        }
        let below = path.strip_prefix(&root).unwrap_or(&path);
        let name = held.hold(&root, below, make);
        names.insert(path.clone(), name.map_err(|error| fail(&path, error))?);
    }
    Ok(Sources {
        names,
        files: Names::default(),
        _held: Some(held),
    })
}
