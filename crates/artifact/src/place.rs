//! Moves what was fetched to its place, once all of it is there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use crate::FetchError;

/// Refuses links that lead out of the tree that will be at `final_place` below `root`.
pub(crate) fn inspect(tree: &Path, final_place: &Path, root: &Path) -> Result<(), FetchError> {
    let below_root = final_place
        .strip_prefix(root)
        .map_err(|_| FetchError::Escapes(final_place.display().to_string()))?;
    let found = fs::symlink_metadata(tree).map_err(FetchError::io(tree.display().to_string()))?;
    if found.is_symlink() {
        let target = fs::read_link(tree).map_err(FetchError::io(tree.display().to_string()))?;
        if !stays(below_root, &target) {
            return Err(FetchError::Escapes(format!(
                "the artifact has a link {:?} to {:?}, which",
                below_root.display().to_string(),
                target.display().to_string()
            )));
        }
    } else if found.is_dir() {
        let entries = fs::read_dir(tree).map_err(FetchError::io(tree.display().to_string()))?;
        for entry in entries.flatten() {
            inspect(&entry.path(), &final_place.join(entry.file_name()), root)?;
        }
    } else if !found.is_file() {
        return Err(FetchError::Archive(format!(
            "{} is neither file, directory nor link",
            below_root.display()
        )));
    }
    Ok(())
}

/// Whether a link at `at` leads to something below the root.
fn stays(at: &Path, target: &Path) -> bool {
    let mut place: PathBuf = at.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in target.components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !place.pop() {
                    return false;
                }
            }
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Lets everybody in the task read it, and gives it to its owner.
pub(crate) fn hand_over(tree: &Path, owner: Option<(u32, u32)>) -> Result<(), FetchError> {
    let at = || tree.display().to_string();
    let found = fs::symlink_metadata(tree).map_err(FetchError::io(at()))?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::lchown(tree, Some(user), Some(group)).map_err(FetchError::io(at()))?;
    }
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode() & 0o777;
    let readable = if found.is_dir() {
        mode | 0o755
    } else {
        mode | 0o444
    };
    if readable != mode || found.permissions().mode() & 0o7000 != 0 {
        fs::set_permissions(tree, fs::Permissions::from_mode(readable))
            .map_err(FetchError::io(at()))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(tree).map_err(FetchError::io(at()))?.flatten() {
            hand_over(&entry.path(), owner)?;
        }
    }
    Ok(())
}

/// Moves a tree to its place: directories are merged, files replaced. Nothing is moved through a link.
pub(crate) fn merge(tree: &Path, into: &Path) -> Result<(), FetchError> {
    let at = || into.display().to_string();
    let is_dir = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    if is_dir(tree) && is_dir(into) {
        for entry in fs::read_dir(tree).map_err(FetchError::io(at()))?.flatten() {
            merge(&entry.path(), &into.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if is_dir(into) {
        return Err(FetchError::Source(format!(
            "{} is a directory, and a file was fetched",
            at()
        )));
    }
    let _ = fs::remove_file(into);
    match fs::rename(tree, into) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => copy(tree, into),
        other => other.map_err(FetchError::io(at())),
    }
}

/// The secrets directory is a file system of its own.
fn copy(tree: &Path, into: &Path) -> Result<(), FetchError> {
    let at = || into.display().to_string();
    let found = fs::symlink_metadata(tree).map_err(FetchError::io(at()))?;
    if found.is_symlink() {
        let target = fs::read_link(tree).map_err(FetchError::io(at()))?;
        std::os::unix::fs::symlink(target, into).map_err(FetchError::io(at()))?;
    } else if found.is_dir() {
        fs::create_dir(into).map_err(FetchError::io(at()))?;
        fs::set_permissions(into, found.permissions()).map_err(FetchError::io(at()))?;
        for entry in fs::read_dir(tree).map_err(FetchError::io(at()))?.flatten() {
            copy(&entry.path(), &into.join(entry.file_name()))?;
        }
    } else {
        fs::copy(tree, into).map_err(FetchError::io(at()))?;
    }
    let owner = (Some(found.uid()), Some(found.gid()));
    std::os::unix::fs::lchown(into, owner.0, owner.1).map_err(FetchError::io(at()))
}

/// Makes the directories up to `path` below `root`; none of them may be a link.
pub(crate) fn make_parents(root: &Path, path: &Path) -> Result<(), FetchError> {
    let below = path
        .strip_prefix(root)
        .map_err(|_| FetchError::Escapes(path.display().to_string()))?;
    let mut so_far = root.to_path_buf();
    for part in below.components() {
        let Component::Normal(name) = part else {
            return Err(FetchError::Escapes(path.display().to_string()));
        };
        so_far.push(name);
        match fs::symlink_metadata(&so_far) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(FetchError::Escapes(format!(
                    "{}, which is in the way and no directory,",
                    so_far.display()
                )));
            }
            Err(_) => {
                fs::create_dir(&so_far).map_err(FetchError::io(so_far.display().to_string()))?;
                let mode = fs::Permissions::from_mode(0o755);
                fs::set_permissions(&so_far, mode)
                    .map_err(FetchError::io(so_far.display().to_string()))?;
            }
        }
    }
    Ok(())
}
