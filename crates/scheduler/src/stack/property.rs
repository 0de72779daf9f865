//! Counts of a group's allocations by the value of an attribute of their nodes: what spreads and
//! `distinct_property` look at. Changes cost a counter, not a scan.

use crate::feasible::target::Target;
use caravan_model::{Node, NodeId};
use caravan_state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for a node that does not have the attribute.
pub(crate) const MISSING: u32 = u32::MAX;

/// Counts by value.
#[derive(Debug)]
pub(crate) struct PropertyCounts {
    target: Target,
    names: Vec<String>,
    index: BTreeMap<String, u32>,
    counts: Vec<i64>,
    /// The value of each candidate node.
    of_slot: Vec<u32>,
}

impl PropertyCounts {
    pub(crate) fn new(attribute: &str, nodes: &[Arc<Node>]) -> Self {
        let mut counts = Self {
            target: Target::parse(attribute),
            names: Vec::new(),
            index: BTreeMap::new(),
            counts: Vec::new(),
            of_slot: Vec::new(),
        };
        counts.of_slot = nodes.iter().map(|node| counts.value_of(node)).collect();
        counts
    }

    fn value_of(&mut self, node: &Node) -> u32 {
        let Some(text) = self.target.of(node) else {
            return MISSING;
        };
        if let Some(value) = self.index.get(text.as_ref()) {
            return *value;
        }
        let value = u32::try_from(self.names.len()).unwrap_or(MISSING);
        let text = text.into_owned();
        self.names.push(text.clone());
        self.index.insert(text, value);
        self.counts.push(0);
        value
    }

    pub(crate) fn at(&self, slot: usize) -> u32 {
        self.of_slot[slot]
    }

    /// Counts an allocation on a node in or out, whether or not the node is a candidate.
    pub(crate) fn change(&mut self, state: &State, node: NodeId, slot: Option<usize>, by: i64) {
        let value = match slot {
            Some(slot) => self.of_slot[slot],
            None => match state.node(&node) {
                Some(node) => self.value_of(node),
                None => MISSING,
            },
        };
        if let Some(count) = self.counts.get_mut(value as usize) {
            *count += by;
        }
    }

    pub(crate) fn count(&self, value: u32) -> i64 {
        self.counts.get(value as usize).copied().unwrap_or(0)
    }

    pub(crate) fn name(&self, value: u32) -> &str {
        self.names.get(value as usize).map_or("", String::as_str)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (u32, &str, i64)> {
        let rows = self.names.iter().zip(&self.counts);
        (0..)
            .zip(rows)
            .map(|(value, (name, count))| (value, name.as_str(), *count))
    }
}
