//! Every package takes the workspace's lints and edition.

use anyhow::Result;

use super::{Violation, violation};
use crate::workspace::{self, Metadata};

const NEEDED: [&str; 4] = [
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
];

pub(crate) fn check(metadata: &Metadata) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        let manifest = package.manifest();
        let text = workspace::read(&manifest)?;
        let lints = text
            .lines()
            .skip_while(|line| line.trim() != "[lints]")
            .nth(1)
            .map(str::trim);
        if lints != Some("workspace = true") {
            found.push(violation(
                &manifest,
                1,
                "needs `[lints]` with `workspace = true`",
            ));
        }
        for needed in NEEDED {
            if !text.lines().any(|line| line.trim() == needed) {
                found.push(violation(&manifest, 1, format!("needs `{needed}`")));
            }
        }
    }
    Ok(found)
}
