//! The disk that allocations are on.

use std::path::Path;

use caravan_model::Node;

use super::{resources, set};
use crate::config::ClientConfig;

/// How full a file system is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) size: u64,
    pub(crate) used: u64,
    pub(crate) available: u64,
    pub(crate) inodes_used_percent: f64,
}

impl Usage {
    pub(crate) fn used_percent(&self) -> f64 {
        let whole = self.used + self.available;
        if whole == 0 {
            0.0
        } else {
            self.used as f64 * 100.0 / whole as f64
        }
    }
}

/// Asks the file system that `path` is on.
pub(crate) fn usage(path: &Path) -> Option<Usage> {
    let found = rustix::fs::statvfs(path).ok()?;
    let unit = found.f_frsize;
    let inodes_used = found.f_files.saturating_sub(found.f_ffree);
    Some(Usage {
        size: found.f_blocks * unit,
        used: found.f_blocks.saturating_sub(found.f_bfree) * unit,
        available: found.f_bavail * unit,
        inodes_used_percent: if found.f_files == 0 {
            0.0
        } else {
            inodes_used as f64 * 100.0 / found.f_files as f64
        },
    })
}

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let found = usage(&config.alloc_dir).unwrap_or_default();
    let total = match config.disk_total_mb {
        0 => found.size,
        megabytes => u64::try_from(megabytes).unwrap_or(0) << 20,
    };
    if let Some((device, _)) = mounted_on(&config.alloc_dir) {
        set(node, "unique.storage.volume", device);
    }
    set(node, "unique.storage.bytestotal", total.to_string());
    resources(node).disk.disk_mb = i64::try_from(total >> 20).unwrap_or(i64::MAX);
}

/// Device and mount point of the file system that `path` is on.
fn mounted_on(path: &Path) -> Option<(String, String)> {
    let path = path.canonicalize().ok()?;
    let on = |(_, point, _): &(String, String, String)| path.starts_with(point);
    let found = mounts()
        .into_iter()
        .filter(on)
        .max_by_key(|(_, point, _)| point.len())?;
    Some((found.0, found.1))
}

/// Device, mount point and type of everything mounted.
pub(crate) fn mounts() -> Vec<(String, String, String)> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.split(' ').map(|field| field.replace("\\040", " "));
        Some((fields.next()?, fields.next()?, fields.next()?))
    };
    table.lines().filter_map(line).collect()
}
