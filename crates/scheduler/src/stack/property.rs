//! Counts of a group's allocations by the value of an attribute of their nodes: what spreads and
//! `distinct_property` look at. Changes cost a counter, not a scan.

use super::candidates::Candidates;
use crate::feasible::target::{Target, escapes_class};
use caravan_state::Slot;
use std::collections::BTreeMap;

/// Stands for a node that does not have the attribute.
pub(crate) const MISSING: u32 = u32::MAX;

/// Counts by value.
#[derive(Debug)]
pub(crate) struct PropertyCounts {
    names: Vec<String>,
    index: BTreeMap<String, u32>,
    counts: Vec<i64>,
    /// The value of each kind of nodes, or of each slot where the nodes of a kind differ.
    values: Vec<u32>,
    pub(crate) by_slot: bool,
}

impl PropertyCounts {
    pub(crate) fn new(attribute: &str, candidates: &Candidates<'_>) -> Self {
        let target = Target::parse(attribute);
        let mut counts = Self {
            names: Vec::new(),
            index: BTreeMap::new(),
            counts: Vec::new(),
            values: Vec::new(),
            by_slot: escapes_class(attribute),
        };
        let table = candidates.table;
        if counts.by_slot {
            counts.values = vec![MISSING; table.len()];
            for (id, slot) in table.slots() {
                if let Some(node) = candidates.state.node(&id) {
                    counts.values[slot] = counts.value_of(target.of(node).as_deref());
                }
            }
        } else {
            for kind in 0..u32::try_from(table.kind_count()).unwrap_or(0) {
                let sample = table.kind(kind).map(|kind| &kind.sample);
                let text = sample.and_then(|node| target.of(node));
                let value = counts.value_of(text.as_deref());
                counts.values.push(value);
            }
        }
        counts
    }

    fn value_of(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return MISSING };
        if let Some(value) = self.index.get(text) {
            return *value;
        }
        let value = u32::try_from(self.names.len()).unwrap_or(MISSING);
        self.names.push(text.to_owned());
        self.index.insert(text.to_owned(), value);
        self.counts.push(0);
        value
    }

    /// The value of a node, or of a kind of nodes where they do not differ.
    pub(crate) fn at(&self, slot: Slot, kind: u32) -> u32 {
        let place = if self.by_slot { slot } else { kind as usize };
        self.values.get(place).copied().unwrap_or(MISSING)
    }

    /// Counts an allocation on a node in or out, whether or not the node is a candidate.
    pub(crate) fn change(&mut self, slot: Slot, kind: u32, by: i64) {
        let value = self.at(slot, kind);
        if let Some(count) = self.counts.get_mut(value as usize) {
            *count += by;
        }
    }

    pub(crate) fn count(&self, value: u32) -> i64 {
        self.counts.get(value as usize).copied().unwrap_or(0)
    }

    /// How many allocations each value has.
    pub(crate) fn counts(&self) -> &[i64] {
        &self.counts
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
