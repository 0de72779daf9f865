//! What the allocations of one evaluation have in common is kept once: a hundred instances of a group were given the
//! same and chosen by nearly the same look at the nodes, but come out of the log as a hundred copies.

use caravan_model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the allocations of each evaluation and group may share.
#[derive(Default)]
pub(crate) struct Siblings {
    by_group: BTreeMap<(EvalId, String), Shared>,
}

/// Parts of the newest allocation.
#[derive(Default)]
struct Shared {
    resources: Option<Arc<AllocatedResources>>,
    metrics: Option<Arc<AllocMetric>>,
    /// The newest scores of each node: a placement changes those of one node, and five are kept with each.
    scores: BTreeMap<NodeId, Arc<NodeScoreMeta>>,
}

impl Siblings {
    /// Has an allocation share with those before it, and with its job, what says the same.
    pub(crate) fn share(&mut self, alloc: &mut Allocation) {
        if let Some(job) = &alloc.job {
            share(&job.id, &mut alloc.job_id);
            share(&job.namespace, &mut alloc.namespace);
        }
        let key = (alloc.eval_id, alloc.task_group.clone());
        let newest = self.by_group.entry(key).or_default();
        share(&newest.resources, &mut alloc.allocated_resources);
        share(&newest.metrics, &mut alloc.metrics);
        newest.resources.clone_from(&alloc.allocated_resources);
        // Metrics that others hold are left as they are: a copy with shared parts would spare nothing.
        if let Some(own) = alloc.metrics.as_mut().and_then(Arc::get_mut) {
            newest.share_parts(own);
        }
        newest.metrics.clone_from(&alloc.metrics);
    }
}

impl Shared {
    fn share_parts(&mut self, own: &mut AllocMetric) {
        if let Some(metrics) = &self.metrics {
            share(&metrics.node_pool, &mut own.node_pool);
            share(&metrics.nodes_available, &mut own.nodes_available);
        }
        for scores in &mut own.score_meta_data {
            let newest = self.scores.entry(scores.node_id);
            let newest = newest.or_insert_with(|| Arc::clone(scores));
            share(newest, scores);
            newest.clone_from(scores);
        }
    }
}

/// What is counted by references becomes the other one where it says the same.
fn share<T: PartialEq + Clone>(other: &T, own: &mut T) {
    if *other == *own {
        own.clone_from(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(node: u128, norm_score: f64) -> Arc<NodeScoreMeta> {
        Arc::new(NodeScoreMeta {
            node_id: NodeId::from_u128(node),
            norm_score,
            ..NodeScoreMeta::default()
        })
    }

    fn alloc(disk_mb: i64, best: f64) -> Allocation {
        let mut resources = AllocatedResources::default();
        resources.shared.disk_mb = disk_mb;
        let metrics = AllocMetric {
            score_meta_data: vec![scores(1, best), scores(2, 0.5)],
            ..AllocMetric::default()
        };
        Allocation {
            task_group: "web".to_owned(),
            allocated_resources: Some(Arc::new(resources)),
            metrics: Some(Arc::new(metrics)),
            ..Allocation::default()
        }
    }

    fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
        let both = one.as_ref().zip(other.as_ref());
        both.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    #[test]
    fn equal_parts_of_siblings_are_one() {
        let mut allocs = [alloc(10, 0.9), alloc(10, 0.9), alloc(20, 0.8)];
        let before = allocs.clone().map(|alloc| format!("{alloc:?}"));
        let mut siblings = Siblings::default();
        for alloc in &mut allocs {
            siblings.share(alloc);
        }
        let [first, second, third] = &allocs;
        assert!(same(
            &first.allocated_resources,
            &second.allocated_resources
        ));
        assert!(same(&first.metrics, &second.metrics));
        assert!(!same(
            &second.allocated_resources,
            &third.allocated_resources
        ));
        let score = |alloc: &Allocation, at: usize| {
            let metrics = alloc.metrics.as_ref();
            metrics.map(|metrics| Arc::clone(&metrics.score_meta_data[at]))
        };
        assert!(!same(&score(first, 0), &score(third, 0)));
        assert!(same(&score(first, 1), &score(third, 1)));
        let after = allocs.map(|alloc| format!("{alloc:?}"));
        assert_eq!(after, before, "what is said does not change");
    }
}
