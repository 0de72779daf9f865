//! Files that job files read with their functions.

use caravan_jobspec::{FileError, Files};
use std::io::{ErrorKind, Read as _};
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
        let file = std::fs::File::open(self.at(path));
        let read = file.and_then(|file| read_most(file, MOST_FUNCTION_BYTES));
        read.map_err(|error| failed(&error))
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

/// More than any job file, and than a server reads; some files never end.
const MOST_BYTES: u64 = 32 << 20;

/// More than a job file may take in with its functions.
const MOST_FUNCTION_BYTES: u64 = 8 << 20;

/// More files than a job file has a use for.
const MOST_FILES: usize = 100_000;

/// A file's content, if it is no longer than what can be meant.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::File::open(path).and_then(|file| read_most(file, MOST_BYTES))
}

fn read_most(from: impl std::io::Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => {
            let why = format!("it has more than {} MB", most >> 20);
            Err(std::io::Error::other(why))
        }
        false => Ok(bytes),
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if found.len() >= MOST_FILES {
            return Err(std::io::Error::other("there are more than 100,000 files"));
        }
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
        return read_most(std::io::stdin().lock(), MOST_BYTES).map_err(|error| error.to_string());
    }
    read_file(Path::new(path)).map_err(|error| format!("open {path}: {}", io_text(&error)))
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
        .map_err(|error| format!("Failed to write {path:?}: open {path}: {}", io_text(&error)))?;
    Ok(())
}
