//! What was seen while looking for a node, counted as nodes change and not as they are looked at.

use super::candidates::Candidates;
use super::verdict::Verdict;
use caravan_model::*;
use std::collections::BTreeMap;

/// Verdicts counted by node class and reason.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    filtered: BTreeMap<(String, String), i64>,
    exhausted: BTreeMap<(String, String), i64>,
    /// Nodes of classes that cannot take the group, by node class and reason.
    by_class: BTreeMap<(String, String), i64>,
}

impl Tally {
    pub(crate) fn class_filtered(&mut self, node_class: &str, reason: &str, nodes: i64) {
        let key = (node_class.to_owned(), reason.to_owned());
        *self.by_class.entry(key).or_default() += nodes;
    }

    pub(crate) fn count(&mut self, node_class: &str, verdict: &Verdict, by: i64) {
        let (table, reason) = match verdict {
            Verdict::Filtered(reason) => (&mut self.filtered, reason),
            Verdict::Exhausted(dimension) => (&mut self.exhausted, dimension),
            Verdict::ClassFiltered | Verdict::Fits(_) => return,
        };
        let key = (node_class.to_owned(), reason.clone());
        let count = table.entry(key.clone()).or_default();
        *count += by;
        if *count == 0 {
            table.remove(&key);
        }
    }

    /// The counts as a metric about all candidates.
    pub(crate) fn metric(&self, candidates: &Candidates) -> AllocMetric {
        let mut metric = empty(candidates);
        metric.nodes_evaluated = metric.nodes_in_pool;
        for ((class, reason), nodes) in self.filtered.iter().chain(&self.by_class) {
            metric.nodes_filtered += nodes;
            add(&mut metric.class_filtered, class, *nodes);
            add(&mut metric.constraint_filtered, reason, *nodes);
        }
        for ((class, dimension), nodes) in &self.exhausted {
            metric.nodes_exhausted += nodes;
            add(&mut metric.class_exhausted, class, *nodes);
            add(&mut metric.dimension_exhausted, dimension, *nodes);
        }
        metric
    }
}

fn add(counts: &mut Counts, name: &str, nodes: i64) {
    if !name.is_empty() {
        *counts.or_default(name.to_owned()) += nodes;
    }
}

/// A metric that only says which nodes there are.
pub(crate) fn empty(candidates: &Candidates) -> AllocMetric {
    AllocMetric {
        nodes_in_pool: i64::try_from(candidates.nodes.len()).unwrap_or(i64::MAX),
        node_pool: candidates.pool.clone(),
        nodes_available: candidates.available.clone(),
        ..AllocMetric::default()
    }
}
