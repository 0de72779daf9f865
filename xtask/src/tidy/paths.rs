//! Files and folders that the documentation names exist.

use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Result;
use regex::Regex;

use super::{Violation, violation};
use crate::workspace;

/// Top-level names whose mention in backticks is a path of this tree.
const ROOTS: [&str; 6] = [
    "crates/",
    "xtask/",
    "docs/",
    "examples/",
    ".ci/",
    "layers.toml",
];

static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").ok());
static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"`([^`\s]+)`").ok());

pub(crate) fn check(files: &[PathBuf]) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = workspace::read(path)?;
        for (line, target) in mentioned(path, &text) {
            if !workspace::root().join(&target).exists() {
                found.push(violation(
                    path,
                    line,
                    format!("{} does not exist", target.display()),
                ));
            }
        }
    }
    Ok(found)
}

/// The paths, relative to the root, that a document links to or names.
pub(crate) fn mentioned(document: &Path, text: &str) -> Vec<(usize, PathBuf)> {
    let mut targets = Vec::new();
    let folder = document.parent().unwrap_or(Path::new(""));
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for capture in LINK.iter().flat_map(|pattern| pattern.captures_iter(line)) {
            let target = capture[1].split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                targets.push((index + 1, normal(&folder.join(target))));
            }
        }
        for capture in CODE.iter().flat_map(|pattern| pattern.captures_iter(line)) {
            let name = &capture[1];
            let pattern = name.contains(['<', '*', '{', '$', '…']);
            if ROOTS.iter().any(|root| name.starts_with(root)) && !pattern {
                targets.push((index + 1, PathBuf::from(name.trim_end_matches('/'))));
            }
        }
    }
    targets
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_names_are_found() {
        let text = "See [a](../README.md#x) and [b](https://x.y) and `crates/model` and `crates/<room>`.\n```\n[c](no.md)\n```\n`docs/laws.md`\n";
        let found = mentioned(Path::new("docs/a.md"), text);
        assert_eq!(
            found,
            [
                (1, "README.md".into()),
                (1, "crates/model".into()),
                (5, "docs/laws.md".into())
            ]
        );
    }
}
