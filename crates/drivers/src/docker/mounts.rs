//! What of the host a container sees, and what it may not.

use std::path::{Component, Path, PathBuf};

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig,
};
use caravan_driver::{DriverError, TaskConfig};

use super::options::{DockerConfig, MountBlock, PluginConfig};
use super::sources::Sources;

#[derive(Debug, Default)]
pub(crate) struct Mounts {
    pub(crate) binds: Vec<String>,
    pub(crate) mounts: Vec<Mount>,
}

pub(crate) fn mounts(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
    sources: &Sources,
) -> Result<Mounts, DriverError> {
    let mut out = Mounts {
        binds: standard_binds(config, plugin, sources),
        mounts: Vec::new(),
    };
    if !task.volume_driver.is_empty() && !plugin.volumes.enabled {
        return Err(DriverError::fatal(format!(
            "volumes are not enabled; cannot use volume driver {:?}",
            task.volume_driver
        )));
    }
    for volume in &task.volumes {
        out.binds
            .push(volume_bind(config, task, plugin, sources, volume)?);
    }
    for block in task.mount.iter().chain(&task.mounts) {
        out.mounts.push(mount(config, plugin, sources, block)?);
    }
    for given in &config.mounts {
        let mut bind = format!(
            "{}:{}",
            given.host_path.display(),
            given.task_path.display()
        );
        let mut options = vec![if given.readonly { "ro" } else { "rw" }];
        match given.propagation.as_str() {
            "host-to-task" => options.push("rslave"),
            "bidirectional" => options.push("rshared"),
            _ => {}
        }
        bind.push(':');
        bind.push_str(&options.join(","));
        out.binds.push(bind);
    }
    let generated = config.network.as_ref().map(|network| &network.hosts_file);
    let generated = generated.filter(|file| !file.as_os_str().is_empty());
    if let Some(file) = sources.files.hosts.as_ref().or(generated) {
        out.binds.push(format!("{}:/etc/hosts", file.display()));
    }
    if let Some(file) = &sources.files.resolv {
        out.binds
            .push(format!("{}:/etc/resolv.conf:ro", file.display()));
    }
    Ok(out)
}

/// The directories that every container has, and where.
fn standard(config: &TaskConfig) -> [(&Path, &str); 3] {
    let dirs = &config.dirs;
    [
        (dirs.shared.as_path(), "/alloc"),
        (&dirs.local, "/local"),
        (&dirs.secrets, "/secrets"),
    ]
}

fn standard_binds(config: &TaskConfig, plugin: &PluginConfig, sources: &Sources) -> Vec<String> {
    let label = match plugin.volumes.selinuxlabel.as_str() {
        "" => String::new(),
        label => format!(":{label}"),
    };
    let binds = standard(config).map(|(path, inside)| {
        let host = sources.name_of(path).display();
        format!("{host}:{inside}{label}")
    });
    binds.to_vec()
}

/// `src:dst[:mode]`; a relative source lies in the task's directory.
fn volume_bind(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
    sources: &Sources,
    volume: &str,
) -> Result<String, DriverError> {
    let mut parts = volume.splitn(3, ':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err(DriverError::fatal(format!(
            "invalid docker volume: {volume:?}"
        )));
    };
    let mode = parts.next();
    let source = if task.volume_driver.is_empty() {
        let source = allowed_source(config, plugin, source)?;
        sources.name_of(&source).display().to_string()
    } else {
        source.to_owned()
    };
    let label = Some(plugin.volumes.selinuxlabel.as_str()).filter(|label| !label.is_empty());
    let options: Vec<&str> = mode.into_iter().chain(label).collect();
    Ok(if options.is_empty() {
        format!("{source}:{target}")
    } else {
        format!("{source}:{target}:{}", options.join(","))
    })
}

/// What the container gets of its own allocation, by path, and whether it is made where it is not there. Where operators
/// allow every path of the host, a look at these would keep nobody from anything.
pub(super) fn own_sources(
    config: &TaskConfig,
    task: &DockerConfig,
    plugin: &PluginConfig,
) -> Result<Vec<(PathBuf, bool)>, DriverError> {
    if plugin.volumes.enabled {
        return Ok(Vec::new());
    }
    let volumes = task
        .volumes
        .iter()
        .filter(|_| task.volume_driver.is_empty())
        .map(|volume| (volume.split(':').next().unwrap_or_default(), true));
    let binds = task.mount.iter().chain(&task.mounts);
    let binds = binds
        .filter(|block| block.kind == "bind")
        .map(|block| (block.source.as_str(), false));
    let named = volumes
        .chain(binds)
        .map(|(source, make)| Ok((allowed_source(config, plugin, source)?, make)));
    let standard = standard(config).map(|(path, _)| Ok((path.to_owned(), false)));
    standard.into_iter().chain(named).collect()
}

/// A path of the host that this task may see: below its allocation, or any when volumes are enabled.
fn allowed_source(
    config: &TaskConfig,
    plugin: &PluginConfig,
    source: &str,
) -> Result<PathBuf, DriverError> {
    let path = normal(&config.dirs.task.join(source));
    let root = root_of(&path, &config.dirs.alloc_root);
    if plugin.volumes.enabled || root.is_some_and(|root| is_tasks(&root) && stays(&path, &root)) {
        return Ok(path);
    }
    Err(refused(source))
}

pub(super) fn refused(source: &str) -> DriverError {
    DriverError::fatal(format!(
        "volumes are not enabled; cannot mount host path: {source:?}"
    ))
}

/// The directory of a task, or of all of them, that a path is or lies in: no link leads out of that.
pub(super) fn root_of(path: &Path, alloc_root: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix(alloc_root).ok()?.components().next()?;
    Some(alloc_root.join(first))
}

/// What the agent keeps lies beside those, under names with a dot.
fn is_tasks(root: &Path) -> bool {
    root.file_name()
        .is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
}

/// Links inside the root must not lead out of it.
fn stays(path: &Path, root: &Path) -> bool {
    let Ok(root) = root.canonicalize() else {
        // Nothing is there yet.
        return true;
    };
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    real.is_some_and(|real| real.starts_with(root))
}

/// Without `.` and `..`, by text alone.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn mount(
    config: &TaskConfig,
    plugin: &PluginConfig,
    sources: &Sources,
    block: &MountBlock,
) -> Result<Mount, DriverError> {
    let mut mount = Mount {
        target: Some(block.target.clone()),
        read_only: Some(block.readonly),
        ..Mount::default()
    };
    match block.kind.as_str() {
        "" | "volume" => {
            let options = &block.volume_options;
            let driver = &options.driver_config;
            // Without a name it is the engine's own, whose options reach any directory of the host.
            let asked = !driver.name.is_empty() || !driver.options.is_empty();
            if asked && !plugin.volumes.enabled {
                return Err(DriverError::fatal(format!(
                    "volumes are not enabled; cannot use volume driver {:?}",
                    driver.name
                )));
            }
            mount.typ = Some(MountType::VOLUME);
            mount.source = Some(block.source.clone());
            mount.volume_options = Some(volume_options(block));
        }
        "bind" => {
            mount.typ = Some(MountType::BIND);
            let source = allowed_source(config, plugin, &block.source)?;
            mount.source = Some(sources.name_of(&source).display().to_string());
            mount.bind_options = propagation(&block.bind_options.propagation)?;
        }
        "tmpfs" => {
            mount.typ = Some(MountType::TMPFS);
            mount.tmpfs_options = Some(MountTmpfsOptions {
                size_bytes: Some(block.tmpfs_options.size),
                mode: Some(block.tmpfs_options.mode).filter(|mode| *mode != 0),
                ..MountTmpfsOptions::default()
            });
        }
        other => return Err(DriverError::fatal(format!("invalid mount type: {other:?}"))),
    }
    Ok(mount)
}

fn volume_options(block: &MountBlock) -> MountVolumeOptions {
    let options = &block.volume_options;
    let driver = &options.driver_config;
    MountVolumeOptions {
        no_copy: Some(options.no_copy),
        labels: Some(options.labels.clone().into_iter().collect()),
        driver_config: (!driver.name.is_empty() || !driver.options.is_empty()).then(|| {
            MountVolumeOptionsDriverConfig {
                name: Some(driver.name.clone()),
                options: Some(driver.options.clone().into_iter().collect()),
            }
        }),
        subpath: None,
    }
}

fn propagation(text: &str) -> Result<Option<MountBindOptions>, DriverError> {
    use MountBindOptionsPropagationEnum as P;
    let propagation = match text {
        "" => return Ok(None),
        "private" => P::PRIVATE,
        "rprivate" => P::RPRIVATE,
        "shared" => P::SHARED,
        "rshared" => P::RSHARED,
        "slave" => P::SLAVE,
        "rslave" => P::RSLAVE,
        other => {
            return Err(DriverError::fatal(format!(
                "invalid bind propagation: {other:?}"
            )));
        }
    };
    Ok(Some(MountBindOptions {
        propagation: Some(propagation),
        ..MountBindOptions::default()
    }))
}

#[cfg(test)]
mod tests {
    use caravan_driver::TaskDirs;

    use super::*;

    fn config(root: &Path) -> TaskConfig {
        let task = root.join("web");
        std::fs::create_dir_all(task.join("local")).expect("created");
        let dirs = TaskDirs {
            alloc_root: root.to_owned(),
            task: task.clone(),
            local: task.join("local"),
            ..TaskDirs::default()
        };
        TaskConfig {
            dirs,
            ..TaskConfig::default()
        }
    }

    #[test]
    fn host_paths_need_permission_and_links_do_not_help() {
        let dir = tempfile::tempdir().expect("dir");
        let config = config(dir.path());
        let closed = PluginConfig::default();
        let bind = |source: &str, plugin: &PluginConfig| {
            volume_bind(
                &config,
                &DockerConfig::default(),
                plugin,
                &Sources::default(),
                &format!("{source}:/x:ro"),
            )
        };
        let inside = format!("{}/web/local/data:/x:ro", dir.path().display());
        assert_eq!(bind("local/data", &closed).expect("inside"), inside);
        // Another task, and one that is not there yet.
        assert!(bind("../db/local", &closed).is_ok());
        std::os::unix::fs::symlink("/etc", dir.path().join("web/local/etc")).expect("linked");
        for (link, to) in [("kept", "../../.kept-web"), ("beside", "../../db/secrets")] {
            std::fs::create_dir_all(dir.path().join("web/local").join(to)).expect("made");
            let link = dir.path().join("web/local").join(link);
            std::os::unix::fs::symlink(to, link).expect("linked");
        }
        for source in [
            "/etc",
            "../../etc",
            "local/../../../etc",
            "local/etc",
            "local/etc/ssl",
            "local/kept",
            "local/kept/volumes",
            "local/beside",
            "..",
            "../.kept-web",
        ] {
            let err = bind(source, &closed).expect_err(source).to_string();
            assert_eq!(
                err,
                format!("volumes are not enabled; cannot mount host path: {source:?}")
            );
        }
        let mut block = MountBlock {
            source: "data".into(),
            ..MountBlock::default()
        };
        let by_engine =
            |block: &MountBlock| mount(&config, &closed, &Sources::default(), block).is_ok();
        assert!(by_engine(&block));
        let device = ("device".to_owned(), "/etc".to_owned());
        block.volume_options.driver_config.options.extend([device]);
        assert!(!by_engine(&block), "the engine's own driver can bind, too");
        let mut open = closed.clone();
        open.volumes.enabled = true;
        assert_eq!(bind("/etc", &open).expect("allowed"), "/etc:/x:ro");
    }
}
