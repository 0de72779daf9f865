//! `cargo xtask tidy`: the laws of the house, each a function from the tree to violations. What each
//! law says is in docs/laws.md.

mod code;
mod exhaustive;
mod layers;
mod manifests;
mod paths;
mod size;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::source::code_only;
use crate::workspace;

/// A broken law and its place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}:{}: {}",
            self.path.display(),
            self.line,
            self.message
        )
    }
}

pub(crate) fn violation(path: &Path, line: usize, message: impl Into<String>) -> Violation {
    Violation {
        path: path.to_owned(),
        line,
        message: message.into(),
    }
}

/// One Rust file.
pub(crate) struct RustFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The same without strings and comments.
    pub(crate) code: String,
}

impl RustFile {
    /// The room that the file belongs to: `crates/<room>/…` or `xtask`.
    pub(crate) fn room(&self) -> &str {
        let mut parts = self.path.iter().filter_map(|part| part.to_str());
        match parts.next() {
            Some("crates") => parts.next().unwrap_or_default(),
            Some(first) => first,
            None => "",
        }
    }

    /// Whether all of it is only built for tests and benchmarks.
    pub(crate) fn is_test(&self) -> bool {
        let name = self
            .path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let in_folder = self.path.iter().any(|part| {
            ["tests", "benches", "testing", "examples"]
                .iter()
                .any(|folder| part == *folder)
        });
        in_folder || name == "tests.rs" || name.ends_with("_tests.rs")
    }
}

fn rust_files(files: &[PathBuf]) -> Result<Vec<RustFile>> {
    let rust = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| {
        let text = workspace::read(path)?;
        Ok(RustFile {
            path: path.clone(),
            code: code_only(&text),
            text,
        })
    })
    .collect()
}

/// All violations of all laws, in the order of files.
pub(crate) fn violations() -> Result<Vec<Violation>> {
    let files = workspace::files()?;
    let rust = rust_files(&files)?;
    let metadata = workspace::metadata()?;
    let layers = layers::Layers::read()?;
    let mut found = layers::check(&layers, &metadata);
    found.extend(manifests::check(&metadata)?);
    for file in &rust {
        found.extend(code::check(file, &layers));
        found.extend(exhaustive::check(file));
    }
    found.extend(size::check(&rust)?);
    found.extend(paths::check(&files)?);
    found.sort();
    found.dedup();
    Ok(found)
}

/// Paths that documents name and that do not exist.
pub(crate) fn missing_paths(files: &[PathBuf]) -> Result<Vec<Violation>> {
    paths::check(files)
}

pub(crate) fn run(_: &[String]) -> Result<bool> {
    let found = violations()?;
    for one in &found {
        println!("{one}");
    }
    match found.len() {
        0 => println!("tidy: all laws hold"),
        count => println!("tidy: {count} violations; docs/laws.md says why each law is there"),
    }
    Ok(found.is_empty())
}
