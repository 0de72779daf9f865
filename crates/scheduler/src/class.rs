//! The computed class of a node: equal for nodes that no class-level constraint can tell apart (scheduler sheet
//! §8.3).

use crate::rng::mix;
use caravan_model::Node;

/// The class: a digest of all that constraints can see of the node, but for what is unique to it.
#[must_use]
pub fn computed_class(node: &Node) -> String {
    let mut digest = Digest {
        high: 0x6a09_e667_f3bc_c908,
        low: 0xbb67_ae85_84ca_a73b,
    };
    for text in [&node.datacenter, &node.node_class, &node.node_pool] {
        digest.text(text);
    }
    for map in [&node.attributes, &node.meta] {
        digest.text("map");
        for (key, value) in map.iter().filter(|(key, _)| !key.starts_with("unique.")) {
            digest.text(key);
            digest.text(value);
        }
    }
    for group in node
        .node_resources
        .iter()
        .flat_map(|resources| &resources.devices)
    {
        for text in ["device", &group.vendor, &group.r#type, &group.name] {
            digest.text(text);
        }
        for (key, value) in group
            .attributes
            .iter()
            .filter(|(key, _)| !key.starts_with("unique."))
        {
            digest.text(key);
            digest.text(&format!("{value:?}"));
        }
    }
    format!("v1:{:016x}{:016x}", digest.high, digest.low)
}

struct Digest {
    high: u64,
    low: u64,
}

impl Digest {
    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn word(&mut self, word: u64) {
        self.high = mix(self.high ^ word);
        self.low = mix(self.low.rotate_left(23) ^ word ^ self.high);
    }
}

#[cfg(test)]
mod tests {
    use super::computed_class;
    use caravan_model::Node;

    #[test]
    fn what_is_unique_to_a_node_does_not_change_its_class() {
        let mut node = Node::default();
        let class = computed_class(&node);
        node.attributes.insert("unique.hostname".into(), "a".into());
        node.name = "other".into();
        assert_eq!(computed_class(&node), class);
        node.meta.insert("rack".into(), "r1".into());
        assert_ne!(computed_class(&node), class);
    }
}
