//! CNI plugins and the networks configured for them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use caravan_model::{Node, NodeNetworkResource};

use super::{resources, set};
use crate::config::ClientConfig;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    for folder in &config.cni_paths {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let executable = entry
                .metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
            let name = entry.file_name().to_string_lossy().into_owned();
            let attribute = format!("plugins.cni.version.{name}");
            if !executable || node.attributes.contains_key(&attribute) {
                continue;
            }
            if let Some(version) = version_of(&entry.path()) {
                set(node, &attribute, version);
            }
        }
    }
    let networks = networks(config);
    let found = networks.into_iter().map(|name| NodeNetworkResource {
        mode: format!("cni/{name}"),
        ..NodeNetworkResource::default()
    });
    resources(node).node_networks.extend(found);
}

/// What a plugin says of itself when it is run without being told what to do.
fn version_of(path: &std::path::Path) -> Option<String> {
    let output = Command::new(path)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let words = text.split(|c: char| c.is_whitespace());
    words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.split('.').count() == 3 && word.starts_with(|c: char| c.is_ascii_digit()))
        .map(|version| {
            version
                .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .to_owned()
        })
}

/// Names of the configured networks.
fn networks(config: &ClientConfig) -> Vec<String> {
    let Ok(entries) = fs::read_dir(&config.cni_config_dir) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let is_config = |path: &std::path::PathBuf| {
        path.extension()
            .is_some_and(|end| end == "conf" || end == "conflist" || end == "json")
    };
    let name = |path: std::path::PathBuf| {
        let value: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        value.get("name")?.as_str().map(str::to_owned)
    };
    files
        .into_iter()
        .filter(is_config)
        .filter_map(name)
        .collect()
}
