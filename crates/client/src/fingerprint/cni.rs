//! CNI plugins and the networks configured for them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use caravan_model::{Node, NodeNetworkResource};
use futures::StreamExt;
use tokio::process::Command;

use super::resources;
use crate::config::ClientConfig;

/// A plugin that says nothing for so long has nothing to say.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many plugins are run at once: there may be twenty, and the agent has more to do while it starts.
const AT_ONCE: usize = 4;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let networks = crate::network::names(&config.cni_config_dir);
    let found = networks.into_iter().map(|name| NodeNetworkResource {
        mode: format!("cni/{name}"),
        ..NodeNetworkResource::default()
    });
    resources(node).node_networks.extend(found);
}

/// The versions of all plugins, as attributes; of two with one name the first folder's counts.
pub(super) async fn versions(folders: &[PathBuf]) -> BTreeMap<String, String> {
    let asked = plugins(folders).into_iter().map(async |(name, path)| {
        let version = version_of(&path).await?;
        Some((format!("plugins.cni.version.{name}"), version))
    });
    let answers = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    answers
        .filter_map(std::future::ready)
        .collect::<BTreeMap<_, _>>()
        .await
}

fn plugins(folders: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let mut plugins = BTreeMap::new();
    for entry in folders
        .iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
    {
        let path = entry.path();
        let executable = std::fs::metadata(&path)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
        if executable {
            let name = entry.file_name().to_string_lossy().into_owned();
            plugins.entry(name).or_insert(path);
        }
    }
    plugins
}

/// What a plugin says of itself when it is run without being told what to do.
async fn version_of(path: &Path) -> Option<String> {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = ended.ok()?.ok()?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    version_in(&text)
}

/// `CNI bridge plugin v1.5.1`. Builds that do not know their version, such as Debian's, at least tell the protocols that
/// they speak: the newest of them stands for it.
fn version_in(text: &str) -> Option<String> {
    let number = |word: &str| -> Option<(Vec<u64>, String)> {
        let word = word.trim_start_matches('v');
        let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let plain = word.split(['-', '+']).next().unwrap_or(word);
        let parts: Option<Vec<u64>> = plain.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| parts.len() == 3)?;
        Some((parts, word.to_owned()))
    };
    let (own, protocols): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| !line.contains("protocol versions"));
    let numbers = |lines: Vec<&str>| -> Vec<(Vec<u64>, String)> {
        let words = lines.into_iter().flat_map(str::split_whitespace);
        words.filter_map(number).collect()
    };
    let told = numbers(own).into_iter().next();
    let newest = || numbers(protocols).into_iter().max();
    told.or_else(newest).map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_plugins() {
        let protocols = "CNI protocol versions supported: 0.1.0, 0.4.0, 1.0.0";
        for (first, version) in [
            ("CNI bridge plugin v1.5.1", "1.5.1"),
            ("CNI consul-cni plugin 1.4.0-dev", "1.4.0-dev"),
            ("CNI bridge plugin version unknown", "1.0.0"),
        ] {
            let found = version_in(&format!("{first}\n{protocols}"));
            assert_eq!(found.as_deref(), Some(version), "{first}");
        }
        assert_eq!(version_in("something else"), None);
    }

    #[tokio::test]
    async fn the_first_folder_counts_and_what_cannot_run_is_left_out() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let plugin = |folder: &tempfile::TempDir, name: &str, version: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(
                &path,
                format!("#!/bin/sh\necho CNI {name} plugin v{version} >&2\n"),
            )
            .unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        plugin(&first, "bridge", "1.5.1", 0o755);
        plugin(&first, "notes", "1.0.0", 0o644);
        plugin(&second, "bridge", "1.0.0", 0o755);
        plugin(&second, "portmap", "1.4.0", 0o755);
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let expected = [
            ("plugins.cni.version.bridge", "1.5.1"),
            ("plugins.cni.version.portmap", "1.4.0"),
        ];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(versions(&folders).await, expected.into());
    }
}
