//! Driver configuration and the lists of names that `client.options` holds, old spellings included.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::AgentConfig;

/// Old `client.options` keys and the place in the driver's `plugin` block that they stand for.
const LEGACY: &[(&str, &str, &[&str])] = &[
    ("driver.raw_exec.enable", "raw_exec", &["enabled"]),
    ("docker.endpoint", "docker", &["endpoint"]),
    ("docker.auth.config", "docker", &["auth", "config"]),
    ("docker.auth.helper", "docker", &["auth", "helper"]),
    ("docker.tls.cert", "docker", &["tls", "cert"]),
    ("docker.tls.key", "docker", &["tls", "key"]),
    ("docker.tls.ca", "docker", &["tls", "ca"]),
    ("docker.cleanup.image", "docker", &["gc", "image"]),
    (
        "docker.cleanup.image.delay",
        "docker",
        &["gc", "image_delay"],
    ),
    ("docker.cleanup.container", "docker", &["gc", "container"]),
    ("docker.volumes.enabled", "docker", &["volumes", "enabled"]),
    (
        "docker.volumes.selinuxlabel",
        "docker",
        &["volumes", "selinuxlabel"],
    ),
    ("docker.caps.allowlist", "docker", &["allow_caps"]),
    ("docker.caps.whitelist", "docker", &["allow_caps"]),
    ("docker.privileged.enabled", "docker", &["allow_privileged"]),
    ("docker.nvidia_runtime", "docker", &["nvidia_runtime"]),
];

impl AgentConfig {
    /// The configuration of a driver: what its `plugin` block says over what old options say.
    pub fn driver_config(&self, driver: &str) -> Map<String, Value> {
        let mut config = Map::new();
        for (option, _, path) in LEGACY.iter().filter(|(_, of, _)| *of == driver) {
            if let Some(text) = self.settings.client.options.get(*option) {
                put(&mut config, path, legacy_value(path, text));
            }
        }
        if let Some(plugin) = self.settings.plugin.0.get(driver) {
            overlay(&mut config, &plugin.config.0);
        }
        config
    }

    /// A list of names such as `driver.allowlist`; `None` when it is not given.
    pub fn option_list(&self, key: &str) -> Option<BTreeSet<String>> {
        let old = key
            .replace("allowlist", "whitelist")
            .replace("denylist", "blacklist");
        let options = &self.settings.client.options;
        let text = options.get(key).or_else(|| options.get(&old))?;
        Some(
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(String::from)
                .collect(),
        )
    }

    /// Whether `name` passes `<kind>.allowlist` and `<kind>.denylist`; an empty allow list allows all.
    pub fn allows(&self, kind: &str, name: &str) -> bool {
        let allowed = self
            .option_list(&format!("{kind}.allowlist"))
            .is_none_or(|list| list.is_empty() || list.contains(name));
        let denied = self
            .option_list(&format!("{kind}.denylist"))
            .is_some_and(|list| list.contains(name));
        allowed && !denied
    }
}

fn legacy_value(path: &[&str], text: &str) -> Value {
    match (path, text) {
        (["allow_caps"], _) => text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect::<Vec<_>>()
            .into(),
        (_, "true" | "1") => true.into(),
        (_, "false" | "0") => false.into(),
        _ => text.into(),
    }
}

fn put(config: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => drop(config.insert((*last).to_owned(), value)),
        [first, rest @ ..] => {
            let inner = config
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn overlay(config: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (config.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => overlay(old, new),
            _ => drop(config.insert(key.clone(), value.clone())),
        }
    }
}
