//! Where a task's `command` is found.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use caravan_driver::{DriverError, TaskConfig};

/// For tasks that see the host's files: the task's local directory, its root, then the host by path or `$PATH`.
pub(crate) fn on_host(config: &TaskConfig, command: &str) -> Result<PathBuf, DriverError> {
    let missing = || not_found(command);
    let relative = inside(command);
    for dir in [&config.dirs.local, &config.dirs.task] {
        if dir.as_os_str().is_empty() {
            continue;
        }
        let Some(relative) = &relative else { continue };
        let candidate = dir.join(relative);
        if candidate.is_file() {
            make_executable(&config.dirs.task, &candidate);
            return Ok(candidate);
        }
    }
    if command.starts_with('/') {
        let path = PathBuf::from(command);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(missing())
        };
    }
    let path = config.env.get("PATH").cloned();
    let path = path.unwrap_or_else(|| std::env::var("PATH").unwrap_or_default());
    in_path(&path, command).ok_or_else(missing)
}

/// A program of the host's own, by path or the agent's `$PATH`: what the task has, or says of it, counts for nothing.
pub(crate) fn of_host(command: &str) -> Result<PathBuf, DriverError> {
    let path = std::env::var("PATH").unwrap_or_default();
    let given = Some(PathBuf::from(command)).filter(|path| path.is_absolute());
    let found = match given {
        Some(path) => Some(path).filter(|path| is_executable(path)),
        None => in_path(&path, command),
    };
    found.ok_or_else(|| not_found(command))
}

fn in_path(path: &str, command: &str) -> Option<PathBuf> {
    path.split(':')
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| Path::new(dir).join(command))
        .find(|candidate| is_executable(candidate))
}

/// The command as a path below a directory; `None` when it would leave it.
fn inside(command: &str) -> Option<PathBuf> {
    let path = Path::new(command.trim_start_matches('/'));
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        .then(|| path.to_owned())
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Artifacts often arrive without the bit. A link that leads out of the task's directory is let be.
pub(crate) fn make_executable(task_dir: &Path, path: &Path) {
    let Ok(below) = path.strip_prefix(task_dir) else {
        return;
    };
    // What was looked at is what is changed: a task may put a link there at any moment.
    let Ok(file) = caravan_host::tree::open(task_dir, below) else {
        return;
    };
    let Ok(found) = file.metadata() else { return };
    let mode = found.permissions().mode();
    if found.is_file() && mode & 0o111 != 0o111 {
        let _ = file.set_permissions(fs::Permissions::from_mode(mode | 0o111));
    }
}

pub(crate) fn not_found(command: &str) -> DriverError {
    DriverError::recoverable(format!(
        "failed to launch command with executor: rpc error: code = Unknown desc = binary {command:?} could not be found"
    ))
}

/// The allocation's network namespace, where it has one.
pub(crate) fn network_namespace(config: &TaskConfig) -> Option<PathBuf> {
    let path = config.network.as_ref().map(|network| network.path.clone());
    path.filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_task_are_made_executable() {
        let dir = tempfile::tempdir().expect("dir");
        let task = dir.path().join("task");
        fs::create_dir_all(task.join("local/bin")).expect("made");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let file = |path: &Path| {
            fs::write(path, "#!/bin/sh").expect("written");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
        };
        let (own, other) = (task.join("local/bin/run-1"), dir.path().join("other"));
        file(&own);
        file(&other);
        std::os::unix::fs::symlink("bin/run-1", task.join("local/run")).expect("linked");
        std::os::unix::fs::symlink(&other, task.join("local/trap")).expect("linked");
        for name in ["run", "trap"] {
            make_executable(&task, &task.join("local").join(name));
        }
        assert_eq!((mode(&own), mode(&other)), (0o711, 0o600));
    }
}
