//! Fetches artifacts of tasks: files, archives and repositories from elsewhere, into the task's directory.
//!
//! What comes from elsewhere is handled by a process of its own that can write nowhere but there and reads little
//! else, whose memory, files and time are bounded. Entry points: [`fetch`] is the agent's side, which starts that
//! process; [`fetch_main`] is the process, which `main` calls before any thread exists.
//!
//! Invariants: nothing is written outside the task's directory, whatever the names and links in an archive say; an
//! artifact is moved to its place when all of it is there and its checksum is right.
//!
//! Must never know: tasks, allocations, the cluster.

mod archive;
mod checksum;
mod error;
mod fetcher;
mod gcs;
mod git;
mod http;
mod machine;
mod merge;
mod objects;
mod place;
mod request;
mod s3;
mod sandbox;
mod source;
mod unpack;

pub use error::FetchError;
pub use fetcher::{Failure, Helper, fetch, fetch_main};
pub use request::{Limits, Mode, Request};
