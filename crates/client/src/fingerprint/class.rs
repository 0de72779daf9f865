//! The class of a node: nodes that are alike to the scheduler have the same.

use caravan_model::Node;
use sha2::{Digest, Sha256};

/// `v1:<number>` of everything that is not unique to the node.
pub(crate) fn computed_class(node: &Node) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    };
    add(&node.datacenter);
    add(&node.node_class);
    add(&node.node_pool);
    let common = |name: &str| !name.starts_with("unique.");
    for (name, value) in node.attributes.iter().filter(|(name, _)| common(name)) {
        add("a");
        add(name);
        add(value);
    }
    for (name, value) in node.meta.iter().filter(|(name, _)| common(name)) {
        add("m");
        add(name);
        add(value);
    }
    let devices = node.node_resources.iter().flat_map(|all| &all.devices);
    for device in devices {
        add("d");
        add(&device.id());
        for (name, value) in &device.attributes {
            add(name);
            add(&format!("{value:?}"));
        }
    }
    let digest = hash.finalize();
    let number = digest
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes));
    format!("v1:{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unique_does_not_matter() {
        let mut node = Node::default();
        node.attributes.insert("kernel.name".into(), "linux".into());
        let class = computed_class(&node);
        node.attributes.insert("unique.hostname".into(), "a".into());
        node.name = "a".into();
        assert_eq!(computed_class(&node), class);
        node.meta.insert("rack".into(), "r1".into());
        assert_ne!(computed_class(&node), class);
    }
}
