//! A tree of files to and from a tar archive. Names in the archive are resolved by the kernel below the tree's own root,
//! as if that were the whole machine: neither `..` nor a link, whoever made it and when, leads out.
//!
//! Must never know: what the files are for.

use std::io;

mod marks;
mod pack;
mod place;
mod remove;
mod unpack;

pub use pack::pack;
pub use place::open;
pub use remove::remove;
pub use unpack::{Unpack, unpack};

/// Deeper than programs make directories; a tree that is deeper is somebody's trap.
const DEEPEST: usize = 128;

/// Why a tree is not as it should be. What was unpacked so far stays: the caller has a place of its own for it.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("the archive is damaged: {0}")]
    Archive(io::Error),
    #[error("the archive holds more than {0}")]
    TooMuch(&'static str),
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
}

impl TreeError {
    fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Io {
            path: path.clone(),
            error,
        }
    }
}
