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
    let networks = crate::network::names(&config.cni_config_dir);
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
