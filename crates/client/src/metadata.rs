//! The node's metadata: what configuration sets and what operators set while it runs.

use std::collections::BTreeMap;

use caravan_model::NodeMetaResponse;
use serde::{Deserialize, Serialize};

/// Both kinds of metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) fixed: BTreeMap<String, String>,
    pub(crate) dynamic: Dynamic,
}

/// What operators set; `None` unsets what configuration set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dynamic(pub(crate) BTreeMap<String, Option<String>>);

/// Under which key it is stored.
pub(crate) const STORED: &str = "dynamic-meta";

/// What every node has.
const DEFAULTS: [(&str, &str); 6] = [
    (
        "connect.sidecar_image",
        "docker.io/envoyproxy/envoy:v${NOMAD_envoy_version}",
    ),
    (
        "connect.gateway_image",
        "docker.io/envoyproxy/envoy:v${NOMAD_envoy_version}",
    ),
    ("connect.log_level", "info"),
    ("connect.proxy_concurrency", "1"),
    ("connect.transparent_proxy.default_uid", "101"),
    ("connect.transparent_proxy.default_outbound_port", "15001"),
];

impl Metadata {
    pub(crate) fn new(configured: &BTreeMap<String, String>, dynamic: Dynamic) -> Self {
        let mut fixed: BTreeMap<String, String> = DEFAULTS
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        fixed.extend(configured.clone());
        Self { fixed, dynamic }
    }

    /// What is in force.
    pub(crate) fn merged(&self) -> BTreeMap<String, String> {
        let mut merged = self.fixed.clone();
        for (key, value) in &self.dynamic.0 {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        merged
    }

    /// Takes changes in. Unsetting what configuration does not set forgets it.
    pub(crate) fn apply(&mut self, changes: BTreeMap<String, Option<String>>) {
        for (key, value) in changes {
            if value.is_none() && !self.fixed.contains_key(&key) {
                self.dynamic.0.remove(&key);
            } else {
                self.dynamic.0.insert(key, value);
            }
        }
    }

    pub(crate) fn response(&self) -> NodeMetaResponse {
        NodeMetaResponse {
            meta: self.merged(),
            dynamic: self.dynamic.0.clone(),
            static_meta: self.fixed.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_overlay_configuration_and_null_unsets() {
        let mut meta = Metadata::new(
            &BTreeMap::from([("rack".into(), "r1".into())]),
            Dynamic::default(),
        );
        let change = |key: &str, value: Option<&str>| {
            BTreeMap::from([(key.to_owned(), value.map(str::to_owned))])
        };
        meta.apply(change("rack", None));
        meta.apply(change("zone", Some("z")));
        assert!(!meta.merged().contains_key("rack"));
        assert_eq!(meta.merged()["zone"], "z");
        meta.apply(change("zone", None));
        assert_eq!(meta.dynamic.0, change("rack", None));
    }
}
