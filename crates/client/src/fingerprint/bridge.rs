//! Whether the kernel can bridge networks.

use std::fs;
use std::path::Path;

use caravan_model::{NetworkResource, Node, NodeNetworkResource, network_mode};

use super::{resources, set};
use crate::config::ClientConfig;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    set(
        node,
        "nomad.bridge.hairpin_mode",
        config.bridge_hairpin_mode.to_string(),
    );
    if !has_bridge() {
        return;
    }
    let mode = network_mode::BRIDGE.to_owned();
    let all = resources(node);
    all.node_networks.insert(
        0,
        NodeNetworkResource {
            mode: mode.clone(),
            ..NodeNetworkResource::default()
        },
    );
    all.networks.insert(
        0,
        NetworkResource {
            mode,
            ..NetworkResource::default()
        },
    );
}

fn has_bridge() -> bool {
    if Path::new("/sys/module/bridge").exists() {
        return true;
    }
    let named = |path: &str, found: fn(&str) -> bool| {
        fs::read_to_string(path).is_ok_and(|text| text.lines().any(found))
    };
    if named("/proc/modules", |line| line.starts_with("bridge ")) {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = format!("/lib/modules/{}", release.trim());
    named(&format!("{modules}/modules.builtin"), |line| {
        line.ends_with("/bridge.ko")
    }) || named(&format!("{modules}/modules.dep"), |line| {
        line.split(':')
            .next()
            .is_some_and(|file| file.contains("/bridge.ko"))
    })
}
