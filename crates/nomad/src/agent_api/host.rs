//! The machine under the agent, for those who look for faults (http-api §2.6).

use super::Answered;
use caravan_http::{Answer, Meta};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct HostData {
    #[serde(rename = "OS")]
    os: String,
    #[serde(rename = "Network")]
    network: Vec<serde_json::Value>,
    #[serde(rename = "ResolvConf")]
    resolv_conf: String,
    #[serde(rename = "Hosts")]
    hosts: String,
    #[serde(rename = "Environment")]
    environment: BTreeMap<String, String>,
    #[serde(rename = "Disk")]
    disk: BTreeMap<String, serde_json::Value>,
}

/// Words in the names of variables that are secrets.
const SECRET: &[&str] = &["TOKEN", "SECRET", "PASSWORD", "KEY", "LICENSE"];

pub(super) fn host() -> Answered {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let environment = std::env::vars_os()
        .map(|(name, value)| {
            let (name, value) = (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            );
            let secret = SECRET.iter().any(|word| name.to_uppercase().contains(word));
            (
                name,
                if secret {
                    "<redacted>".to_owned()
                } else {
                    value
                },
            )
        })
        .collect();
    let answer = HostData {
        os: file("/proc/version").trim().to_owned(),
        network: Vec::new(),
        resolv_conf: file("/etc/resolv.conf"),
        hosts: file("/etc/hosts"),
        environment,
        disk: BTreeMap::new(),
    };
    Answer::json(&answer, Meta::none())
}
