//! Chooses nodes for the allocations of one job version: feasibility, then scores of all feasible nodes.
//!
//! The candidates are listed once. For each group a [`ranker::Ranker`] keeps every node's verdict and score and
//! only looks again at nodes that the plan has changed since, so that `p` placements on `n` nodes cost about
//! `n + p log n`.

mod candidates;
mod metrics;
mod offer;
mod property;
pub(crate) mod ranker;
mod score;
mod spread;
pub(crate) mod usage;
mod verdict;

use crate::ask::GroupAsk;
use crate::decision::ClassEligibility;
use crate::planned::Planned;
use crate::rng::Rng;
use candidates::Candidates;
pub(crate) use candidates::{in_datacenters, in_pool};
use caravan_model::*;
use caravan_state::State;
pub(crate) use offer::make as make_offer;
use ranker::{Ranker, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use verdict::Verdict;

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
    pub(crate) state: &'a State,
    pub(crate) job: Arc<Job>,
    candidates: Candidates,
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
            state,
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
    pub(crate) fn nodes(&self) -> &[Arc<Node>] {
        &self.candidates.nodes
    }

    pub(crate) fn is_candidate(&self, node: NodeId) -> bool {
        self.candidates.slot(node).is_some()
    }

    fn ready(&mut self, planned: &Planned, group: &TaskGroup) -> &mut Ranker {
        self.candidates.follow(self.state, planned);
        self.rankers.entry(group.name.clone()).or_insert_with(|| {
            let ask = GroupAsk::new(&self.job, group, self.oversubscription);
            let subject = Subject {
                job: Arc::clone(&self.job),
                system: self.system,
                spreads: self.spreads,
            };
            Ranker::new(ask, subject, self.state, &self.candidates, &self.existing)
        })
    }

    /// The best of all nodes for an allocation of the group, and what was seen.
    pub(crate) fn select(
        &mut self,
        planned: &Planned,
        group: &TaskGroup,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        self.ready(planned, group);
        let Self {
            state,
            candidates,
            rankers,
            ..
        } = self;
        let ranker = rankers
            .get_mut(&group.name)
            .expect("made ready just before");
        ranker.refresh(state, candidates, planned);
        let (choice, mut metric) = ranker.best(state, candidates, planned, wish, rng);
        if choice.is_none() && wish.preempt {
            let choice =
                ranker.best_by_preemption(state, candidates, planned, wish, rng, &mut metric);
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
        self.ready(planned, group);
        let Self {
            state,
            candidates,
            rankers,
            ..
        } = self;
        let ranker = rankers
            .get_mut(&group.name)
            .expect("made ready just before");
        ranker.follow(state, candidates, planned);
        ranker.on(state, candidates, planned, node, wish, rng)
    }

    /// Whether an existing allocation of the group may stay on its node although what it runs changes.
    pub(crate) fn fits_in_place(
        &mut self,
        planned: &mut Planned,
        group: &TaskGroup,
        alloc: &Arc<Allocation>,
    ) -> bool {
        planned.stop(alloc);
        let wish = Wish {
            name: &alloc.name,
            ..Wish::default()
        };
        self.ready(planned, group);
        let Self {
            state,
            candidates,
            rankers,
            ..
        } = self;
        let ranker = rankers
            .get_mut(&group.name)
            .expect("made ready just before");
        ranker.follow(state, candidates, planned);
        // Its ports, cores and devices stay with it: only the rest must fit.
        let fits = match candidates.slot(alloc.node_id) {
            Some(slot) => {
                let found = ranker.verdict(state, candidates, planned, slot, wish.name, true);
                matches!(found, Verdict::Fits(_))
            }
            None => self.fits_off_candidates(planned, group, alloc),
        };
        planned.keep(alloc);
        fits
    }

    /// The same on a node that takes no new allocations.
    fn fits_off_candidates(
        &self,
        planned: &Planned,
        group: &TaskGroup,
        alloc: &Allocation,
    ) -> bool {
        let Some(node) = self.state.node(&alloc.node_id) else {
            return false;
        };
        let mut only = Candidates::only(Arc::clone(node));
        let ask = GroupAsk::new(&self.job, group, self.oversubscription);
        let subject = Subject {
            job: Arc::clone(&self.job),
            system: self.system,
            spreads: self.spreads,
        };
        let mut ranker = Ranker::new(ask, subject, self.state, &only, &self.existing);
        ranker.follow(self.state, &only, planned);
        let found = ranker.verdict(self.state, &mut only, planned, 0, &alloc.name, true);
        matches!(found, Verdict::Fits(_))
    }

    /// What every allocation of the group is given before ports, cores and devices are chosen.
    pub(crate) fn template(
        &mut self,
        planned: &Planned,
        group: &TaskGroup,
    ) -> Arc<AllocatedResources> {
        Arc::clone(&self.ready(planned, group).ask.template)
    }

    /// Which classes can take the groups that failed.
    pub(crate) fn eligibility(&self, failed: &BTreeMap<String, AllocMetric>) -> ClassEligibility {
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
