//! Files that job files read with their functions.

use caravan_jobspec::{FileError, Files};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Files of this machine, relative to a folder.
pub(crate) struct HostFiles {
    base: PathBuf,
}

impl HostFiles {
    /// Relative to a folder.
    pub(crate) fn new(base: PathBuf) -> Self {
        Self { base }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

fn failed(error: &std::io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound => FileError::Absent,
        _ => FileError::Other(error.to_string()),
    }
}

impl Files for HostFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        std::fs::read(self.at(path)).map_err(|error| failed(&error))
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        match std::fs::metadata(self.at(path)) {
            Ok(found) => Ok(found.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let mut found = Vec::new();
        walk(&self.at(folder), "", &mut found).map_err(|error| failed(&error))?;
        found.sort();
        Ok(found)
    }

    fn absolute(&self, path: &str) -> Result<String, FileError> {
        let path = std::path::absolute(self.at(path)).map_err(|error| failed(&error))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn home(&self) -> Option<String> {
        std::env::var("HOME").ok()
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), found)?;
        } else if kind.is_file() {
            found.push(name);
        }
    }
    Ok(())
}

/// The system's words for a failed file operation, as Go says them.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a directory".into(),
        _ => error.to_string(),
    }
}

/// Reads a file, or stdin for `-`; the error is `open x: no such file or directory`.
pub(crate) fn read_or_stdin(path: &str) -> Result<Vec<u8>, String> {
    if path == "-" {
        let mut bytes = Vec::new();
        let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
        return read.map(|_| bytes).map_err(|error| error.to_string());
    }
    std::fs::read(path).map_err(|error| format!("open {path}: {}", io_text(&error)))
}

/// Writes an example where nothing is yet; `exists` is the complaint when something is.
pub(crate) fn write_example(
    path: &str,
    content: &str,
    exists: &str,
) -> Result<(), crate::failure::Failure> {
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(exists.into());
    }
    std::fs::write(path, content)
        .map_err(|error| format!("Failed to write {path:?}: {}", io_text(&error)))?;
    Ok(())
}
