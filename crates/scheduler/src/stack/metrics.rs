//! What was seen while looking for a node, counted as nodes change and not as they are looked at.

use super::candidates::Candidates;
use crate::feasible::Reason;
use caravan_model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A reason among those of a tally.
pub(crate) type ReasonId = u16;

/// Nodes that cannot take the group, by reason and node class.
#[derive(Debug)]
pub(crate) struct Tally {
    reasons: Vec<Row>,
    index: BTreeMap<(bool, Reason), ReasonId>,
    classes: Vec<String>,
    class_of_kind: Vec<usize>,
}

#[derive(Debug)]
struct Row {
    reason: Reason,
    /// Something is used up; otherwise the node could never take it.
    exhausted: bool,
    /// Nodes by class.
    nodes: Vec<i64>,
}

impl Tally {
    pub(crate) fn new(candidates: &Candidates<'_>) -> Self {
        let mut classes: Vec<String> = Vec::new();
        let kinds = u32::try_from(candidates.table.kind_count()).unwrap_or(0);
        let mut class_of = |kind| {
            let class = candidates
                .table
                .kind(kind)
                .map_or("", |kind| kind.node_class());
            classes
                .iter()
                .position(|have| have == class)
                .unwrap_or_else(|| {
                    classes.push(class.to_owned());
                    classes.len() - 1
                })
        };
        let class_of_kind = (0..kinds).map(&mut class_of).collect();
        Self {
            reasons: Vec::new(),
            index: BTreeMap::new(),
            classes,
            class_of_kind,
        }
    }

    pub(crate) fn reason(&mut self, exhausted: bool, reason: Reason) -> ReasonId {
        let key = (exhausted, reason);
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        let id = ReasonId::try_from(self.reasons.len()).unwrap_or(ReasonId::MAX);
        self.reasons.push(Row {
            reason: key.1.clone(),
            exhausted,
            nodes: vec![0; self.classes.len()],
        });
        self.index.insert(key, id);
        id
    }

    pub(crate) fn count(&mut self, id: ReasonId, kind: u32, by: i64) {
        let class = self.class_of_kind.get(kind as usize).copied().unwrap_or(0);
        let row = self.reasons.get_mut(usize::from(id));
        if let Some(nodes) = row.and_then(|row| row.nodes.get_mut(class)) {
            *nodes += by;
        }
    }

    /// Whether the reason is that something is used up.
    pub(crate) fn is_exhaustion(&self, id: ReasonId) -> bool {
        self.reasons
            .get(usize::from(id))
            .is_some_and(|row| row.exhausted)
    }

    /// The counts as a metric about all candidates.
    pub(crate) fn metric(&self, candidates: &Candidates<'_>) -> AllocMetric {
        let mut metric = empty(candidates);
        metric.nodes_evaluated = metric.nodes_in_pool;
        for row in &self.reasons {
            let nodes: i64 = row.nodes.iter().sum();
            if nodes == 0 {
                continue;
            }
            let (by_class, by_reason) = if row.exhausted {
                metric.nodes_exhausted += nodes;
                (&mut metric.class_exhausted, &mut metric.dimension_exhausted)
            } else {
                metric.nodes_filtered += nodes;
                (&mut metric.class_filtered, &mut metric.constraint_filtered)
            };
            *by_reason.or_default(row.reason.clone().into_owned()) += nodes;
            for (class, nodes) in self.classes.iter().zip(&row.nodes) {
                if *nodes > 0 && !class.is_empty() {
                    *by_class.or_default(class.clone()) += nodes;
                }
            }
        }
        metric
    }
}

/// A metric that only says which nodes there are.
pub(crate) fn empty(candidates: &Candidates<'_>) -> AllocMetric {
    AllocMetric {
        nodes_in_pool: candidates.in_pool,
        node_pool: Arc::clone(&candidates.pool),
        nodes_available: Arc::clone(&candidates.available),
        ..AllocMetric::default()
    }
}
