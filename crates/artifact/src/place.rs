//! Looks at what was fetched, once all of it is there, before it moves to its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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
