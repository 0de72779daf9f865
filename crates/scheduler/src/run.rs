//! One evaluation from its first attempt to its end: which plans to submit, what to write, when to give up
//! (scheduler sheet §7).

use crate::decision::Decision;
use crate::evals::{self, Blocked};
use crate::rng::Rng;
use crate::schedule::{accepts, schedule};
use crate::settings::Settings;
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One evaluation on its way: call [`EvalRun::step`] on a fresh snapshot, do what it says, and after a submission
/// report with [`EvalRun::submitted`] before the next step.
#[derive(Debug)]
pub struct EvalRun {
    eval: Arc<Evaluation>,
    attempts: u32,
    /// What the last attempt decided, with queued counts lowered by what was accepted.
    last: Decision,
    /// The index of the state that it was decided on; what came later, even with its own plan, is news.
    seen: u64,
    next_eval: EvalId,
    /// How many allocations the last plan places or changes.
    planned: usize,
    committed: bool,
    /// Where something new was placed.
    placed_on: BTreeSet<NodeId>,
    blocked_on_nodes: BTreeMap<NodeId, Evaluation>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write the evaluations, then submit the plan and report its result.
    Submit {
        /// The changes.
        plan: Plan,
        /// Evaluations to write first, for the plan refers to them.
        create: Vec<Evaluation>,
    },
    /// The evaluation is over.
    Done(EvalUpdates),
}

/// What is left to write at the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvalUpdates {
    /// The evaluation itself first, where it changed, then those created.
    pub evals: Vec<Evaluation>,
    /// The evaluation goes on waiting for room; nothing of it is written for that unless something else stands in its
    /// way now.
    pub reblock: Option<Evaluation>,
}

impl EvalRun {
    /// The run of an evaluation that a worker holds.
    #[must_use]
    pub fn new(eval: Arc<Evaluation>) -> Self {
        Self {
            eval,
            attempts: 0,
            last: Decision::default(),
            seen: 0,
            next_eval: EvalId::NIL,
            planned: 0,
            committed: false,
            placed_on: BTreeSet::new(),
            blocked_on_nodes: BTreeMap::new(),
        }
    }

    /// The evaluation.
    #[must_use]
    pub fn eval(&self) -> &Arc<Evaluation> {
        &self.eval
    }

    /// Decides what to do on this snapshot.
    pub fn step(&mut self, state: &State, settings: &Settings) -> Step {
        self.heed_type(state);
        if !accepts(&self.eval.r#type, &self.eval.triggered_by) {
            self.seen = state.index();
            let why = format!(
                "scheduler cannot handle '{}' evaluation reason",
                self.eval.triggered_by
            );
            return Step::Done(self.failed(settings, why, Vec::new()));
        }
        self.committed &= !self.is_stranded(state);
        if self.committed {
            return Step::Done(self.complete(state, settings));
        }
        if self.attempts >= self.limit() {
            return Step::Done(self.exhausted(settings));
        }
        self.attempts += 1;
        self.seen = state.index();
        let mut decision = schedule(state, &self.eval, settings);
        let mut create = std::mem::take(&mut decision.follow_ups);
        self.blocked_on_nodes = std::mem::take(&mut decision.blocked_on_nodes);
        let plan = std::mem::take(&mut decision.plan);
        self.last = decision;
        if let Some(last) = create.last() {
            self.next_eval = last.id;
        }
        self.last.plan.annotations.clone_from(&plan.annotations);
        if plan.is_no_op() && !self.eval.annotate_plan {
            self.committed = true;
            let mut done = self.complete(state, settings);
            done.evals.append(&mut create);
            return Step::Done(done);
        }
        self.planned = plan.node_allocation.values().map(Vec::len).sum();
        Step::Submit { plan, create }
    }

    /// Whether a node has gone while something new was on its way to it: who looked at what was there saw nothing of that.
    fn is_stranded(&mut self, state: &State) -> bool {
        let placed_on = std::mem::take(&mut self.placed_on);
        let table = state.node_table();
        placed_on.iter().any(|node| table.is_tainted(node))
    }

    /// The stop of a job is left to the scheduler of services, whatever the job is. Where the job was registered again
    /// before, what it wants is for its own scheduler to say.
    fn heed_type(&mut self, state: &State) {
        let key = JobKey::new(self.eval.namespace.clone(), self.eval.job_id.clone());
        let live = state.job(&key).filter(|job| !job.stop);
        if let Some(job) = live.filter(|job| job.r#type != self.eval.r#type) {
            Arc::make_mut(&mut self.eval).r#type.clone_from(&job.r#type);
        }
    }

    /// Takes in what became of the submitted plan.
    pub fn submitted(&mut self, result: &PlanResult) {
        for alloc in result.node_allocation.values().flatten() {
            let new = alloc.create_index == 0 || alloc.create_index == result.alloc_index;
            if let Some(queued) = self.last.queued.get_mut(&alloc.task_group).filter(|_| new) {
                *queued -= 1;
            }
            if new {
                self.placed_on.insert(alloc.node_id);
            }
        }
        if !result.is_no_op() {
            self.attempts = 0;
        }
        let done: usize = result.node_allocation.values().map(Vec::len).sum();
        self.committed = done == self.planned && result.refresh_index == 0;
    }

    fn limit(&self) -> u32 {
        match self.eval.r#type.as_str() {
            job_type::BATCH | job_type::SYSBATCH => 2,
            _ => 5,
        }
    }

    fn is_system(&self) -> bool {
        matches!(
            self.eval.r#type.as_str(),
            job_type::SYSTEM | job_type::SYSBATCH
        )
    }

    fn updated(&self, settings: &Settings, status: EvalStatus) -> Evaluation {
        let mut eval = Evaluation::clone(&self.eval);
        eval.status = status;
        eval.status_description.clear();
        eval.failed_tg_allocs.clone_from(&self.last.failed_groups);
        eval.queued_allocations.clone_from(&self.last.queued);
        if !self.next_eval.is_nil() {
            eval.next_eval = self.next_eval;
        }
        if !self.last.deployment_id.is_nil() {
            eval.deployment_id = self.last.deployment_id;
        }
        eval.plan_annotations = self.last.plan.annotations.clone().map(Box::new);
        eval.snapshot_index = self.seen;
        eval.touch(settings.now);
        eval
    }

    fn complete(&self, state: &State, settings: &Settings) -> EvalUpdates {
        let failed = !self.last.failed_groups.is_empty();
        if failed && self.eval.status == EvalStatus::Blocked && !self.is_system() {
            return self.reblocked(state, settings);
        }
        let mut eval = self.updated(settings, EvalStatus::Complete);
        let mut created: Vec<Evaluation> = self.blocked_on_nodes.values().cloned().collect();
        if failed && !self.is_system() {
            created.push(self.blocked(settings, Blocked::NoRoom));
        }
        if let Some(blocked) = created.first() {
            eval.blocked_eval = blocked.id;
        }
        created.insert(0, eval);
        EvalUpdates {
            evals: created,
            reblock: None,
        }
    }

    fn blocked(&self, settings: &Settings, why: Blocked) -> Evaluation {
        let mut rng = Rng::new(settings.seed ^ 0xb10c, self.eval.id.0);
        evals::blocked(
            &self.eval,
            EvalId(rng.uuid()),
            why,
            &self.last.eligibility,
            &self.last.failed_groups,
            self.seen,
            settings.now,
        )
    }

    fn reblocked(&self, state: &State, settings: &Settings) -> EvalUpdates {
        let mut eval = self.updated(settings, EvalStatus::Blocked);
        eval.status_description
            .clone_from(&self.eval.status_description);
        eval.class_eligibility
            .clone_from(&self.last.eligibility.classes);
        eval.escaped_computed_class = self.last.eligibility.escaped;
        eval.missing_non_node_resources
            .clone_from(&self.last.eligibility.missing_resources);
        let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        let shown = state.job_summary(&key);
        let changed = eval.queued_allocations.iter().any(|(group, queued)| {
            shown
                .and_then(|summary| summary.summary.get(group))
                .is_none_or(|group| group.queued != *queued)
        });
        // While it was judged, another one of the job that had placed everything may have canceled it.
        let waits = |known: &Arc<Evaluation>| known.status == EvalStatus::Blocked;
        let canceled = !state.eval(&eval.id).is_some_and(waits);
        let told = &self.eval.failed_tg_allocs;
        let evals = if canceled || changed || is_news(told, &eval.failed_tg_allocs) {
            vec![eval.clone()]
        } else {
            Vec::new()
        };
        EvalUpdates {
            evals,
            reblock: Some(eval),
        }
    }

    fn exhausted(&self, settings: &Settings) -> EvalUpdates {
        let why = format!("maximum attempts reached ({})", self.limit());
        let mut created: Vec<Evaluation> = self.blocked_on_nodes.values().cloned().collect();
        created.push(self.blocked(settings, Blocked::Conflicts));
        self.failed(settings, why, created)
    }

    fn failed(
        &self,
        settings: &Settings,
        why: String,
        mut created: Vec<Evaluation>,
    ) -> EvalUpdates {
        let mut eval = self.updated(settings, EvalStatus::Failed);
        eval.status_description = why;
        if let Some(blocked) = created.first() {
            eval.blocked_eval = blocked.id;
        }
        created.insert(0, eval);
        EvalUpdates {
            evals: created,
            reblock: None,
        }
    }
}

/// Whether what stands in the way is something else than before, and not only on more or fewer nodes.
fn is_news(before: &SmallMap<String, AllocMetric>, now: &SmallMap<String, AllocMetric>) -> bool {
    let same = |one: &AllocMetric, other: &AllocMetric| {
        one.constraint_filtered
            .keys()
            .eq(other.constraint_filtered.keys())
            && one
                .dimension_exhausted
                .keys()
                .eq(other.dimension_exhausted.keys())
            && (one.nodes_evaluated == 0) == (other.nodes_evaluated == 0)
    };
    before.len() != now.len()
        || now
            .iter()
            .any(|(group, metric)| before.get(group).is_none_or(|before| !same(before, metric)))
}
