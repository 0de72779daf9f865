//! The computed class of a node: equal for nodes that no class-level constraint can tell apart (scheduler sheet
//! §8.3). Clients write it into their node, the scheduler answers constraints once a class.

use crate::node::Node;

/// `v1:<number>`: a digest of all that constraints can see of the node, but for what is unique to it.
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
        for (key, value) in map.iter().filter(|(key, _)| is_common(key)) {
            digest.text(key);
            digest.text(value);
        }
    }
    let devices = node.node_resources.iter().flat_map(|has| &has.devices);
    for group in devices {
        for text in ["device", &group.vendor, &group.r#type, &group.name] {
            digest.text(text);
        }
        for (key, value) in group.attributes.iter().filter(|(key, _)| is_common(key)) {
            digest.text(key);
            digest.text(&format!("{value:?}"));
        }
    }
    format!("v1:{}", digest.high ^ digest.low.rotate_left(32))
}

fn is_common(key: &str) -> bool {
    !key.starts_with("unique.")
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

/// One round of splitmix64.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::computed_class;
    use crate::node::Node;

    #[test]
    fn what_is_unique_to_a_node_does_not_change_its_class() {
        let mut node = Node::default();
        let class = computed_class(&node);
        assert!(
            class.starts_with("v1:") && class[3..].parse::<u64>().is_ok(),
            "{class}"
        );
        node.attributes.insert("unique.hostname".into(), "a".into());
        node.name = "other".into();
        assert_eq!(computed_class(&node), class);
        node.meta.insert("rack".into(), "r1".into());
        assert_ne!(computed_class(&node), class);
    }
}
