//! CNI plugins and the networks configured for them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use caravan_model::{Node, NodeNetworkResource};

use super::{resources, set};
use crate::config::ClientConfig;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let versions = versions(&config.cni_paths);
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
            if let Some(version) = versions.get(&entry.path()) {
                set(node, &attribute, version.as_str());
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

/// What all plugins say, asked at once: there may be twenty, and the node waits for them.
fn versions(folders: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let listed = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    let plugins: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    std::thread::scope(|scope| {
        let asked: Vec<_> = plugins
            .iter()
            .map(|path| (path, scope.spawn(move || version_of(path))))
            .collect();
        let answers = asked.into_iter().filter_map(|(path, answer)| {
            Some((path.clone(), answer.join().ok().flatten()?))
        });
        answers.collect()
    })
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
}
