//! Whether a node has the kind of network, and the host networks, that a group asks for (scheduler sheet §8.6).

use super::target::interpolate;
use caravan_model::{NetworkResource, Node, network_mode};

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing network";

/// Why the node cannot give this network, when it cannot.
pub(crate) fn lacks(node: &Node, ask: &NetworkResource) -> Option<String> {
    if ask.mode == network_mode::NONE {
        return None;
    }
    if !has_mode(node, &ask.mode) {
        return Some(MISSING.to_owned());
    }
    ask.ports().find_map(|port| {
        if port.host_network.is_empty() {
            return None;
        }
        let Some(alias) = interpolate(&port.host_network, node) else {
            return Some(format!(
                "invalid host network \"{}\" template for port \"{}\"",
                port.host_network, port.label
            ));
        };
        (!has_alias(node, &alias)).then(|| {
            format!(
                "missing host network \"{alias}\" for port \"{}\"",
                port.label
            )
        })
    })
}

fn has_mode(node: &Node, mode: &str) -> bool {
    let wanted = if mode.is_empty() {
        network_mode::HOST
    } else {
        mode
    };
    let Some(resources) = &node.node_resources else {
        return false;
    };
    let same = |have: &str| {
        let have = if have.is_empty() {
            network_mode::HOST
        } else {
            have
        };
        have == wanted
    };
    resources.networks.iter().any(|network| same(&network.mode))
        || resources
            .node_networks
            .iter()
            .any(|network| same(&network.mode))
}

fn has_alias(node: &Node, alias: &str) -> bool {
    if alias == "default" {
        return true;
    }
    let networks = node
        .node_resources
        .iter()
        .flat_map(|resources| &resources.node_networks);
    networks
        .flat_map(|network| &network.addresses)
        .any(|address| address.alias == alias)
}
