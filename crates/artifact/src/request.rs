//! What is to be fetched, and how much it may take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What becomes of what is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Archives are unpacked into the destination, other files put into it.
    #[default]
    Any,
    /// The destination is the file.
    File,
    /// The destination is a directory, which an archive or repository fills.
    Dir,
}

/// One artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Such as `https://example.com/app.tar.gz`, `git::https://…`, `s3::https://…`.
    pub source: String,
    /// Added to the source: `checksum`, `archive`, `ref`, `depth`, `sshkey`, `filename`, ….
    pub options: BTreeMap<String, String>,
    /// Sent with requests over HTTP.
    pub headers: BTreeMap<String, String>,
    pub mode: Mode,
    /// Certificates are not verified.
    pub insecure: bool,
    /// Nothing is written outside of it.
    pub root: PathBuf,
    /// Below `root`.
    pub destination: PathBuf,
    /// Where things are put together, in a folder of `root`'s file system that no task can write to. Empty: in `root`.
    pub scratch: PathBuf,
    /// User and group that everything is given to.
    pub owner: Option<(u32, u32)>,
    pub limits: Limits,
    /// Whether the kernel keeps the process inside `root` and `scratch`.
    pub sandboxed: bool,
    /// What else it may use, as `<d|f>:<r|w|x|c…>:<path>`.
    pub extra_paths: Vec<String>,
    /// Links in what was fetched are not looked at.
    pub links_unchecked: bool,
}

impl Request {
    pub(crate) fn scratch(&self) -> &Path {
        match self.scratch.as_os_str().is_empty() {
            true => &self.root,
            false => &self.scratch,
        }
    }
}

/// How much an artifact may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Without a byte for so long, a download is broken off.
    pub read_timeout: Duration,
    /// All of it, over whatever protocol.
    pub timeout: Duration,
    pub download_bytes: u64,
    /// After unpacking.
    pub unpacked_bytes: u64,
    pub unpacked_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(30 * 60),
            timeout: Duration::from_secs(31 * 60),
            download_bytes: 100_000_000_000,
            unpacked_bytes: 100_000_000_000,
            unpacked_files: 4096,
        }
    }
}
