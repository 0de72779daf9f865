//! Why an artifact was not fetched.

use std::io;

/// Why an artifact was not fetched, and whether another try may help.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The source or its options mean nothing.
    #[error("{0}")]
    Source(String),
    /// The other side did not give it.
    #[error("{0}")]
    Remote(String),
    /// The other side answered, and refused it.
    #[error("bad response code: {code}{said}")]
    Status {
        /// Of HTTP.
        code: u16,
        /// What it says besides, after a colon; may be empty.
        said: String,
    },
    /// It is not what was asked for.
    #[error("checksums did not match for {file}: expected {expected}, got {found}")]
    Checksum {
        /// What was fetched.
        file: String,
        /// In hex.
        expected: String,
        /// In hex.
        found: String,
    },
    /// More than is allowed.
    #[error("{0}")]
    TooMuch(String),
    /// It would reach outside the task's directory.
    #[error("{0} escapes the task directory")]
    Escapes(String),
    /// The archive is broken, or of an unknown kind.
    #[error("cannot unpack: {0}")]
    Archive(String),
    /// The disk does not take it.
    #[error("{what}: {error}")]
    Io {
        /// What was done.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The process that fetches did not get that far.
    #[error("the fetching process {0}")]
    Helper(String),
}

impl FetchError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_recoverable(&self) -> bool {
        !matches!(self, Self::Source(_) | Self::Escapes(_))
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}
