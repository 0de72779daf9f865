//! What functions may see of files. The caller decides whether and how; this crate opens none.

use std::fmt;

/// Access to files; what relative paths are relative to is the caller's choice.
pub trait Files {
    /// The content of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;
    /// Whether there is a regular file.
    fn is_file(&self, path: &str) -> Result<bool, FileError>;
    /// Every regular file below a folder, relative to it, with `/` between the parts.
    fn list(&self, folder: &str) -> Result<Vec<String>, FileError>;
    /// The path from the root.
    fn absolute(&self, path: &str) -> Result<String, FileError>;
    /// The user's home folder.
    fn home(&self) -> Option<String>;
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// There is none.
    Absent,
    /// Anything else, in the system's words.
    Other(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such file or directory"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for FileError {}
