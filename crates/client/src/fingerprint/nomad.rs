//! The agent itself.

use caravan_model::Node;

use super::set;
use crate::config::ClientConfig;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    set(node, "nomad.version", &*config.version);
    if !config.revision.is_empty() {
        set(node, "nomad.revision", &*config.revision);
    }
    set(
        node,
        "nomad.service_discovery",
        config.service_discovery.to_string(),
    );
    set(node, "unique.advertise.address", &*config.http_address);
    set(node, "plugins.host_volume.mkdir.version", "0.0.1");
    set(node, "plugins.secrets.nomad.version", "1.0.0");
    set(node, "plugins.secrets.vault.version", "1.0.0");
}
