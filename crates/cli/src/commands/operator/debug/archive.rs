//! Where a capture is kept: a folder, which becomes an archive unless the folder was asked for.

use crate::failure::Failure;
use crate::format::now;
use crate::hostfiles::io_text;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What is captured, on disk.
pub(super) struct Folder {
    name: String,
    path: PathBuf,
    packed: bool,
}

impl Folder {
    /// A new folder, in another one or, without its name, here until it is packed.
    pub(super) fn create(output: &str) -> Result<Self, Failure> {
        let name = format!("nomad-debug-{}", stamp(now()));
        let parent = if output.is_empty() { "." } else { output };
        let path = Path::new(parent).join(&name);
        let packed = output.is_empty();
        std::fs::create_dir_all(&path)
            .map_err(|error| format!("Error creating {}: {}", path.display(), io_text(&error)))?;
        Ok(Self { name, path, packed })
    }

    /// A file within, in folders that are made.
    pub(super) fn file(&self, within: &str) -> io::Result<File> {
        let path = self.path.join(within);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        File::create(path)
    }

    /// Lists what there is, packs it, and says where it is.
    pub(super) fn finish(self, failures: &[String]) -> Result<String, Failure> {
        let failed = |error: io::Error| {
            Failure::new(format!("Error writing {}: {}", self.name, io_text(&error)))
        };
        let mut files = Vec::new();
        list(&self.path, &self.path, &mut files).map_err(failed)?;
        files.sort();
        let index = json!({"Files": files, "Failures": failures});
        std::fs::write(
            self.path.join("index.json"),
            crate::json::pretty_sorted(&index),
        )
        .map_err(failed)?;
        if !self.packed {
            return Ok(format!("Created debug directory: {}", self.path.display()));
        }
        let archive = format!("{}.tar.gz", self.name);
        pack(&self.path, &self.name, &archive).map_err(failed)?;
        std::fs::remove_dir_all(&self.path).map_err(failed)?;
        Ok(format!("Created debug archive: {archive}"))
    }
}

/// A moment as it stands in names: `2026-01-02-150405Z`.
fn stamp(nanos: i64) -> String {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    let utc = jiff::tz::TimeZone::UTC.to_datetime(moment);
    utc.strftime("%Y-%m-%d-%H%M%SZ").to_string()
}

fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => list(root, &path, files)?,
            false => {
                let within = path.strip_prefix(root).unwrap_or(&path);
                files.push(within.to_string_lossy().into_owned());
            }
        }
    }
    Ok(())
}

fn pack(folder: &Path, name: &str, archive: &str) -> io::Result<()> {
    let gzip = GzEncoder::new(File::create(archive)?, Compression::default());
    let mut tar = tar::Builder::new(gzip);
    tar.append_dir_all(name, folder)?;
    tar.into_inner()?.finish()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn names_sort_by_time() {
        assert_eq!(stamp(1_700_000_000_000_000_000), "2023-11-14-221320Z");
    }

    #[test]
    fn a_folder_lists_what_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path().to_str().unwrap()).unwrap();
        let path = folder.path.clone();
        folder
            .file("nomad/0000/jobs.json")
            .unwrap()
            .write_all(b"[]")
            .unwrap();
        let said = folder.finish(&["no raft".to_owned()]).unwrap();
        assert_eq!(said, format!("Created debug directory: {}", path.display()));
        let index = std::fs::read_to_string(path.join("index.json")).unwrap();
        assert!(index.contains("nomad/0000/jobs.json") && index.contains("no raft"));
    }
}
