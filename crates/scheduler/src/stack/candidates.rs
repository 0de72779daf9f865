//! The nodes that a job may run on, each with its class and what is taken of it.

use super::usage::Usage;
use crate::planned::Planned;
use crate::rng::mix;
use caravan_model::*;
use caravan_state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Nodes of one computed class.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    /// A node of it: what holds for this one holds for all.
    pub(crate) sample: usize,
    pub(crate) size: i64,
}

/// The candidates.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// In the order of their ids.
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) class_of: Vec<u32>,
    pub(crate) classes: Vec<Class>,
    pub(crate) available: Counts,
    pub(crate) pool: String,
    /// Decides between equally good nodes.
    tie: u64,
    usage: Vec<Option<Box<Usage>>>,
    followed: usize,
}

impl Candidates {
    /// Every node that is ready and in the job's pool and datacenters.
    pub(crate) fn list(state: &State, job: &Job, tie: u64) -> Self {
        let mut listed = Self {
            nodes: Vec::new(),
            class_of: Vec::new(),
            classes: Vec::new(),
            available: Counts::default(),
            pool: job.node_pool.clone(),
            tie,
            usage: Vec::new(),
            followed: 0,
        };
        let mut datacenters: BTreeMap<&str, (bool, i64)> = BTreeMap::new();
        let mut index: BTreeMap<&str, u32> = BTreeMap::new();
        for node in state
            .nodes()
            .filter(|node| node.is_ready() && in_pool(job, node))
        {
            let datacenter = datacenters
                .entry(&node.datacenter)
                .or_insert_with(|| (in_datacenters(job, node), 0));
            if !datacenter.0 {
                continue;
            }
            datacenter.1 += 1;
            let next = u32::try_from(listed.classes.len()).unwrap_or(u32::MAX);
            let class = if node.computed_class.is_empty() {
                next
            } else {
                *index.entry(&node.computed_class).or_insert(next)
            };
            if class == next {
                listed.classes.push(Class {
                    name: node.computed_class.clone(),
                    sample: listed.nodes.len(),
                    size: 0,
                });
            }
            listed.classes[class as usize].size += 1;
            listed.class_of.push(class);
            listed.nodes.push(Arc::clone(node));
        }
        for (name, (_, count)) in datacenters.iter().filter(|(_, (_, count))| *count > 0) {
            listed.available.insert((*name).to_owned(), *count);
        }
        listed.usage.resize_with(listed.nodes.len(), || None);
        listed
    }

    /// One node, whatever its state.
    pub(crate) fn only(node: Arc<Node>) -> Self {
        Self {
            class_of: vec![0],
            classes: vec![Class {
                name: node.computed_class.clone(),
                sample: 0,
                size: 1,
            }],
            available: Counts::default(),
            pool: String::new(),
            tie: 0,
            usage: vec![None],
            followed: 0,
            nodes: vec![node],
        }
    }

    pub(crate) fn slot(&self, node: NodeId) -> Option<usize> {
        self.nodes.binary_search_by(|have| have.id.cmp(&node)).ok()
    }

    /// A number that spreads equally good nodes.
    pub(crate) fn tie(&self, slot: usize) -> u32 {
        (mix(self.tie ^ slot as u64) >> 32) as u32
    }

    /// Takes in what the plan changed since the last time.
    pub(crate) fn follow(&mut self, _state: &State, planned: &Planned) {
        for change in planned.since(self.followed) {
            if let Some(slot) = self.slot(change.alloc.node_id)
                && let Some(usage) = &mut self.usage[slot]
            {
                if change.comes {
                    usage.add(&change.alloc);
                } else {
                    usage.remove(&change.alloc);
                }
            }
        }
        self.followed = planned.length();
    }

    /// What is taken of a node; only while the plan has been followed.
    pub(crate) fn usage(&mut self, state: &State, planned: &Planned, slot: usize) -> &Usage {
        let node = &self.nodes[slot];
        self.usage[slot].get_or_insert_with(|| {
            let mut usage = Usage::idle(node);
            for alloc in planned.proposed(state, node.id) {
                usage.add(alloc);
            }
            Box::new(usage)
        })
    }
}

/// Whether the node is in the pool that the job runs in.
pub(crate) fn in_pool(job: &Job, node: &Node) -> bool {
    job.node_pool.is_empty()
        || job.node_pool == caravan_model::node_pool::ALL
        || job.node_pool == node.node_pool
}

/// Whether the node is in one of the datacenters that the job runs in.
pub(crate) fn in_datacenters(job: &Job, node: &Node) -> bool {
    job.datacenters
        .iter()
        .any(|pattern| glob(pattern, &node.datacenter))
}

/// Whether a text is what a pattern with `*` describes.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn datacenters_may_be_patterns() {
        for (pattern, text, expected) in [
            ("*", "dc1", true),
            ("dc1", "dc1", true),
            ("dc1", "dc10", false),
            ("us-*", "us-west", true),
            ("us-*-2", "us-west-2", true),
            ("us-*-2", "us-west-1", false),
            ("*a*b*", "xaxbx", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
