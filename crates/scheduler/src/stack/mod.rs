//! Chooses nodes for the allocations of one job version: feasibility, then scores of all feasible nodes.
//!
//! The candidates are a view of the state's dense node table. For each group a [`ranker::Ranker`] keeps every
//! node's verdict and score and only looks again at nodes that the plan has changed since, so that `p` placements
//! on `n` nodes cost about `n + p log n`.

mod candidates;
mod choosing;
mod evicting;
mod judging;
mod lanes;
mod metrics;
mod offer;
mod property;
pub(crate) mod ranker;
mod score;
mod spread;

use crate::ask::GroupAsk;
use crate::decision::ClassEligibility;
use crate::planned::Planned;
use crate::rng::Rng;
use candidates::Candidates;
pub(crate) use candidates::{in_datacenters, in_pool};
use caravan_model::*;
use caravan_state::State;
use judging::Judgement;
pub(crate) use offer::make as make_offer;
use ranker::{Ranker, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is asked for beside the group.
#[derive(Debug, Default)]
pub(crate) struct Wish<'a> {
    /// Nodes on which earlier attempts failed.
    pub(crate) penalised: BTreeSet<NodeId>,
    /// Whether allocations of lower priority may be evicted.
    pub(crate) preempt: bool,
    /// The name of the allocation, for volumes of its own.
    pub(crate) name: &'a str,
}

/// A node for an allocation.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) node: Arc<Node>,
    pub(crate) resources: Arc<AllocatedResources>,
    /// Those to evict.
    pub(crate) preempted: Vec<Arc<Allocation>>,
}

/// The candidates for one job version and what is known about them.
pub(crate) struct Stack<'a> {
    pub(crate) job: Arc<Job>,
    candidates: Candidates<'a>,
    rankers: BTreeMap<String, Ranker>,
    oversubscription: bool,
    spreads: bool,
    system: bool,
    /// The job's own allocations before the plan, as rankers count them.
    existing: Arc<Vec<Arc<Allocation>>>,
}

impl<'a> Stack<'a> {
    pub(crate) fn new(
        state: &'a State,
        job: Arc<Job>,
        existing: Arc<Vec<Arc<Allocation>>>,
        tie: u64,
    ) -> Self {
        let config = state
            .scheduler_config()
            .map(|config| SchedulerConfiguration::clone(config));
        let config = config.unwrap_or_else(SchedulerConfiguration::initial);
        let pool = state
            .node_pool(&job.node_pool)
            .and_then(|pool| pool.scheduler_configuration.clone())
            .unwrap_or_default();
        let algorithm = if pool.scheduler_algorithm.is_empty() {
            config.scheduler_algorithm.as_str()
        } else {
            pool.scheduler_algorithm.as_str()
        };
        Self {
            candidates: Candidates::list(state, &job, tie),
            rankers: BTreeMap::new(),
            oversubscription: pool
                .memory_oversubscription_enabled
                .unwrap_or(config.memory_oversubscription_enabled),
            spreads: algorithm == scheduler_algorithm::SPREAD,
            system: job.is_system_like(),
            job,
            existing,
        }
    }

    /// The nodes that may take the job, in the order of their ids.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.candidates.in_order()
    }

    pub(crate) fn is_candidate(&self, node: NodeId) -> bool {
        let slot = self.candidates.slot(node);
        slot.is_some_and(|slot| self.candidates.is_ready(slot))
    }

    /// The candidates, and the ranker of a group, made when it is first needed.
    fn ready(&mut self, planned: &Planned, group: &TaskGroup) -> (&Candidates<'a>, &mut Ranker) {
        self.candidates.follow(planned);
        if !self.rankers.contains_key(&group.name) {
            let ask = GroupAsk::new(&self.job, group, self.oversubscription);
            let subject = Subject {
                job: Arc::clone(&self.job),
                system: self.system,
                spreads: self.spreads,
            };
            let ranker = Ranker::new(ask, subject, &self.candidates, &self.existing);
            self.rankers.insert(group.name.clone(), ranker);
        }
        let ranker = self.rankers.get_mut(&group.name).expect("made just before");
        (&self.candidates, ranker)
    }

    /// The best of all nodes for an allocation of the group, and what was seen.
    pub(crate) fn select(
        &mut self,
        planned: &Planned,
        group: &TaskGroup,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        let (candidates, ranker) = self.ready(planned, group);
        let (choice, mut metric) = ranker.best(candidates, planned, wish, rng);
        if choice.is_none() && wish.preempt {
            let choice = ranker.best_by_preemption(candidates, planned, wish, rng, &mut metric);
            return (choice, metric);
        }
        (choice, metric)
    }

    /// Whether this one node can take an allocation of the group, and what was seen.
    pub(crate) fn select_on(
        &mut self,
        planned: &Planned,
        group: &TaskGroup,
        node: NodeId,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        let (candidates, ranker) = self.ready(planned, group);
        ranker.on(candidates, planned, node, wish, rng)
    }

    /// Whether an existing allocation of the group may stay on its node although what it runs changes.
    pub(crate) fn fits_in_place(
        &mut self,
        planned: &mut Planned,
        group: &TaskGroup,
        alloc: &Arc<Allocation>,
    ) -> bool {
        planned.stop(alloc);
        let (candidates, ranker) = self.ready(planned, group);
        ranker.follow(candidates, planned);
        // Its ports, cores and devices stay with it: only the rest must fit.
        let fits = candidates.slot(alloc.node_id).is_some_and(|slot| {
            let found = ranker.judge(candidates, planned, slot, &alloc.name, true);
            matches!(found, Judgement::Fits(_))
        });
        planned.keep(alloc);
        fits
    }

    /// What every allocation of the group is given before ports, cores and devices are chosen.
    pub(crate) fn template(
        &mut self,
        planned: &Planned,
        group: &TaskGroup,
    ) -> Arc<AllocatedResources> {
        Arc::clone(&self.ready(planned, group).1.ask.template)
    }

    /// Which classes can take the groups that failed.
    pub(crate) fn eligibility(&self, failed: &SmallMap<String, AllocMetric>) -> ClassEligibility {
        let mut merged = ClassEligibility::default();
        for (_, ranker) in self
            .rankers
            .iter()
            .filter(|(group, _)| failed.contains_key(*group))
        {
            ranker.tell_eligibility(&self.candidates, &mut merged);
        }
        if merged.escaped {
            merged.classes.clear();
        }
        merged
    }
}
