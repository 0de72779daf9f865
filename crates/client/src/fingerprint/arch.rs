//! The processor architecture, by the names Go gives them.

use caravan_model::Node;

use super::set;
use crate::config::ClientConfig;

pub(super) fn look(_config: &ClientConfig, node: &mut Node) {
    set(node, "cpu.arch", name(std::env::consts::ARCH));
}

fn name(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
