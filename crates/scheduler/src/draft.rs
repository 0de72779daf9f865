//! The plan in the making: the plan itself, and what it changes about room on nodes.

use crate::planned::Planned;
use crate::stack::Choice;
use caravan_model::*;
use std::sync::Arc;

/// The plan in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) plan: Plan,
    pub(crate) planned: Planned,
}

impl Draft {
    pub(crate) fn new(eval: &Evaluation, job: Option<Arc<Job>>, snapshot_index: u64) -> Self {
        let plan = Plan {
            eval_id: eval.id,
            priority: job.as_ref().map_or(eval.priority, |job| job.priority),
            all_at_once: job.as_ref().is_some_and(|job| job.all_at_once),
            snapshot_index,
            job,
            ..Plan::default()
        };
        Self {
            plan,
            planned: Planned::default(),
        }
    }

    /// Stops an allocation.
    pub(crate) fn stop(
        &mut self,
        alloc: &Arc<Allocation>,
        client_status: Option<ClientStatus>,
        description: &str,
        follow_up: EvalId,
    ) {
        let mut stopped = Allocation::clone(alloc);
        stopped.job = None;
        stopped.desired_status = DesiredStatus::Stop;
        stopped.desired_description = description.into();
        if let Some(status) = client_status {
            stopped.client_status = status;
        }
        if !follow_up.is_nil() {
            stopped.followup_eval_id = follow_up;
        }
        self.planned.stop(alloc);
        let stops = self.plan.node_update.entry(alloc.node_id).or_default();
        stops.retain(|have| have.id != alloc.id);
        stops.push(Arc::new(stopped));
    }

    /// Takes a stop back.
    pub(crate) fn keep(&mut self, alloc: &Arc<Allocation>) {
        self.planned.keep(alloc);
        if let Some(stops) = self.plan.node_update.get_mut(&alloc.node_id) {
            stops.retain(|have| have.id != alloc.id);
            if stops.is_empty() {
                self.plan.node_update.remove(&alloc.node_id);
            }
        }
    }

    /// The stop of an allocation, to change it.
    pub(crate) fn stopped_mut(&mut self, alloc: &Allocation) -> Option<&mut Allocation> {
        let stops = self.plan.node_update.get_mut(&alloc.node_id)?;
        stops
            .iter_mut()
            .find(|have| have.id == alloc.id)
            .map(Arc::make_mut)
    }

    /// Writes a changed allocation. Its job is stripped where it is the plan's.
    pub(crate) fn write(&mut self, alloc: Allocation) -> Arc<Allocation> {
        let alloc = Arc::new(self.stripped(alloc));
        self.plan
            .node_allocation
            .entry(alloc.node_id)
            .or_default()
            .push(Arc::clone(&alloc));
        alloc
    }

    fn stripped(&self, mut alloc: Allocation) -> Allocation {
        if let (Some(mine), Some(plans)) = (&alloc.job, &self.plan.job)
            && mine.version == plans.version
            && mine.create_index == plans.create_index
        {
            alloc.job = None;
        }
        alloc
    }

    /// Writes an existing allocation in its new form.
    pub(crate) fn update(&mut self, old: &Arc<Allocation>, new: Allocation) {
        let changed = new.allocated_resources != old.allocated_resources;
        let new = self.write(new);
        if changed {
            self.planned.stop(old);
            self.planned.place(new);
        }
    }

    /// Places a new allocation where it was decided, with the evictions that this takes.
    pub(crate) fn place(&mut self, mut alloc: Allocation, choice: Choice, job: &Arc<Job>) {
        let Choice {
            node,
            resources,
            preempted,
        } = choice;
        alloc.node_id = node.id;
        alloc.node_name.clone_from(&node.name);
        alloc.allocated_resources = Some(resources);
        alloc.preempted_allocations = preempted.iter().map(|alloc| alloc.id).collect();
        for victim in preempted {
            self.preempt(&victim, alloc.id);
        }
        alloc.job = Some(Arc::clone(job));
        let alloc = self.write(alloc);
        self.planned.place(alloc);
    }

    fn preempt(&mut self, victim: &Arc<Allocation>, by: AllocId) {
        let mut evicted = Allocation::clone(victim);
        evicted.job = None;
        evicted.desired_status = DesiredStatus::Evict;
        evicted.desired_description = format!("{}{by}", desired_description::PREEMPTED_BY).into();
        evicted.preempted_by_allocation = by;
        self.planned.preempt(victim);
        self.plan
            .node_preemptions
            .entry(victim.node_id)
            .or_default()
            .push(Arc::new(evicted));
    }

    /// Says what the plan does, in words.
    pub(crate) fn annotate(&mut self, desired: &SmallMap<String, DesiredUpdates>) {
        let mut annotations = PlanAnnotations {
            desired_tg_updates: desired.clone(),
            preempted_allocs: Vec::new(),
        };
        for victim in self.planned.preempted() {
            annotations.preempted_allocs.push(victim.stub(false, false));
        }
        self.plan.annotations = Some(annotations);
    }
}
