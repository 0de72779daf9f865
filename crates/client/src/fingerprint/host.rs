//! The operating system and its kernel.

use std::fs;

use caravan_model::Node;

use super::set;
use crate::config::ClientConfig;

pub(super) fn look(_config: &ClientConfig, node: &mut Node) {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let name = field("ID").unwrap_or_else(|| "linux".into());
    let debian = fs::read_to_string("/etc/debian_version")
        .ok()
        .filter(|_| name == "debian");
    let version = debian
        .map(|text| text.trim().to_owned())
        .or_else(|| field("VERSION_ID"))
        .unwrap_or_default();
    set(node, "os.name", name);
    set(node, "os.version", version);
    let kernel = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    set(node, "kernel.name", "linux");
    set(node, "kernel.version", kernel("osrelease"));
    set(node, "kernel.arch", std::env::consts::ARCH);
    if let Some(version) = caravan_host::landlock_version() {
        set(node, "kernel.landlock", format!("v{version}"));
    }
    set(node, "unique.hostname", kernel("hostname"));
}
