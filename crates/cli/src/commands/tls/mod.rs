//! Certificates for a cluster.

mod ca;
mod cert;
mod info;
mod names;

use crate::command::Command;
use crate::failure::Failure;
use crate::hostfiles::io_text;
use std::io::Write;

pub(super) const COMMANDS: &[&Command] = &[&ca::CREATE, &info::CA, &cert::CREATE, &info::CERT];

/// Writes a new file that only its owner may change; keys only its owner may read.
fn write(path: &str, content: &str, mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |error: std::io::Error| Failure::new(format!("open {path}: {}", io_text(&error)));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
        .map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)
}

fn exists(path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
