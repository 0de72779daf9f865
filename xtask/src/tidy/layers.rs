//! Imports point down: every edge between rooms is in `layers.toml`, and none leads to a higher layer.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Violation, violation};
use crate::workspace::{self, Metadata, Package};

const FILE: &str = "layers.toml";

/// Packages that bring a clock, a runtime, randomness, files, sockets or logging.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-trait",
    "futures",
    "rand",
    "getrandom",
    "fastrand",
    "tracing",
    "log",
    "nix",
    "rustix",
    "libc",
    "hyper",
    "hyper-util",
    "reqwest",
    "http-body",
    "redb",
    "openraft",
    "tempfile",
    "procfs",
    "bollard",
    "chrono",
    "parking_lot",
    "dashmap",
    "ahash",
    "hashbrown",
];

#[derive(Debug, Deserialize)]
pub(crate) struct Room {
    pub(crate) layer: u8,
    uses: Vec<String>,
    #[serde(default)]
    tests: Vec<String>,
}

pub(crate) struct Layers(BTreeMap<String, Room>);

impl Layers {
    pub(crate) fn read() -> Result<Self> {
        let text = workspace::read(Path::new(FILE))?;
        Ok(Self(basic_toml::from_str(&text).with_context(|| {
            format!("{FILE} is not what was expected")
        })?))
    }

    /// Whether a room is one of the pure ones (layers 0 and 1).
    pub(crate) fn is_pure(&self, room: &str) -> bool {
        self.0.get(room).is_some_and(|room| room.layer <= 1)
    }
}

pub(crate) fn check(layers: &Layers, metadata: &Metadata) -> Vec<Violation> {
    let mut found = Vec::new();
    let file = Path::new(FILE);
    for (name, room) in &layers.0 {
        for used in room.uses.iter().chain(&room.tests) {
            match layers.0.get(used) {
                None => found.push(violation(
                    file,
                    1,
                    format!("{name} uses {used}, which is no room"),
                )),
                Some(other) if other.layer > room.layer => {
                    found.push(violation(
                        file,
                        1,
                        format!(
                            "{name} (layer {}) must not use {used} (layer {}): imports point down",
                            room.layer, other.layer
                        ),
                    ));
                }
                Some(_) => {}
            }
        }
        if !metadata
            .packages
            .iter()
            .any(|package| package.room() == name)
        {
            found.push(violation(file, 1, format!("there is no room {name}")));
        }
    }
    let rooms: Vec<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in &metadata.packages {
        match layers.0.get(package.room()) {
            None => found.push(violation(
                &package.manifest(),
                1,
                format!("{} has no entry in {FILE}", package.room()),
            )),
            Some(room) => found.extend(edges(package, room, &rooms)),
        }
    }
    found
}

fn edges(package: &Package, room: &Room, rooms: &[&str]) -> Vec<Violation> {
    let mut found = Vec::new();
    let manifest = package.manifest();
    let text = workspace::read(&manifest).unwrap_or_default();
    let line = |name: &str| {
        text.lines()
            .position(|line| line.trim_start().starts_with(name))
            .map_or(1, |index| index + 1)
    };
    for dependency in &package.dependencies {
        let name = dependency
            .name
            .strip_prefix("caravan-")
            .unwrap_or(&dependency.name);
        let for_tests = dependency.kind.as_deref() == Some("dev");
        if rooms.contains(&dependency.name.as_str()) {
            let allowed = room.uses.iter().any(|one| one == name)
                || (for_tests && room.tests.iter().any(|one| one == name));
            let own = name == package.room();
            if !allowed && !own {
                let what = if for_tests {
                    "tests must not import"
                } else {
                    "must not import"
                };
                found.push(violation(
                    &manifest,
                    line(&dependency.name),
                    format!("{} {what} {name}: {FILE} does not allow it", package.room()),
                ));
            }
        } else if room.layer <= 1 && !for_tests && IMPURE.contains(&dependency.name.as_str()) {
            found.push(violation(
                &manifest,
                line(&dependency.name),
                format!(
                    "{} is pure (layer {}) and must not depend on {}",
                    package.room(),
                    room.layer,
                    dependency.name
                ),
            ));
        }
    }
    found
}
