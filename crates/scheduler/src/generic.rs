//! Service and batch jobs: what the reconciler wants, put on nodes (scheduler sheet §7).

use crate::decision::Decision;
use crate::draft::Draft;
use crate::reconcile::{self, Input, Placement, Results, Update, Updater, reschedule};
use crate::rng::Rng;
use crate::settings::Settings;
use crate::stack::{Choice, Stack, Wish, in_datacenters, in_pool};
use crate::{settled, tainted, update};
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Decides for a service or batch job.
pub(crate) fn schedule(state: &State, eval: &Evaluation, settings: &Settings) -> Decision {
    let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    let stored = state.job(&key).cloned();
    let job = stored.clone().filter(|job| !job.stop);
    if let Some(job) = job.as_ref().filter(|_| !eval.annotate_plan)
        && settled::is_settled(state, &key, job)
    {
        return nothing_to_do(state, eval, &key, job);
    }
    let batch = eval.r#type == job_type::BATCH;
    let allocs: Arc<Vec<Arc<Allocation>>> = Arc::new(state.allocs_of_job(&key).cloned().collect());
    let tainted = tainted::nodes(state, &allocs);
    let mut draft = Draft::new(eval, stored.clone(), state.index());
    tainted::note_lost(&mut draft, &allocs, &tainted);
    let mut rng = Rng::new(settings.seed, eval.id.0);
    let mut stacks = Stacks {
        state,
        existing: Arc::clone(&allocs),
        tie: rng.next_u64(),
        by_version: BTreeMap::new(),
        destructive: BTreeMap::new(),
        eval: eval.id,
    };
    let newest = state.latest_deployment(&key).filter(|_| !batch);
    let older = state.deployments_of_job(&key);
    let older = older.filter(|row| newest.is_some_and(|newest| newest.id != row.id));
    let input = Input {
        eval,
        job: job.clone(),
        deployment: newest.cloned(),
        older: older.cloned().collect(),
        allocs: &allocs,
        tainted: &tainted,
        batch,
        now: settings.now,
    };
    let mut updater = InPlace {
        stacks: &mut stacks,
        draft: &mut draft,
    };
    // The evaluation names the job's deployment even where there is nothing left to do for it.
    let latest = input
        .deployment
        .as_ref()
        .map_or(DeploymentId::NIL, |latest| latest.id);
    let results = reconcile::reconcile(input, &mut updater, &mut rng);
    let groups = stored.iter().flat_map(|job| &job.task_groups);
    let decision = Decision {
        queued: groups.map(|group| (group.name.clone(), 0)).collect(),
        deployment_id: if results.deployment_id.is_nil() {
            latest
        } else {
            results.deployment_id
        },
        ..Decision::default()
    };
    let mut placing = Placing {
        state,
        eval,
        key,
        now: settings.now,
        signing_key: settings.signing_key,
        stacks,
        draft,
        rng,
        decision,
        results,
    };
    placing.apply_changes();
    if let Some(job) = job {
        placing.place_all(&job);
    }
    placing.finish()
}

/// The decision about a job that runs as declared.
fn nothing_to_do(state: &State, eval: &Evaluation, key: &JobKey, job: &Arc<Job>) -> Decision {
    let stays = |group: &TaskGroup| DesiredUpdates {
        ignore: group.count.max(0).unsigned_abs(),
        ..DesiredUpdates::default()
    };
    let groups = || job.task_groups.iter();
    let desired = groups().map(|group| (group.name.clone(), stays(group)));
    let mut draft = Draft::new(eval, Some(Arc::clone(job)), state.index());
    draft.annotate(&desired.collect());
    let latest = state.latest_deployment(key);
    Decision {
        plan: draft.plan,
        queued: groups().map(|group| (group.name.clone(), 0)).collect(),
        deployment_id: latest
            .filter(|_| eval.r#type != job_type::BATCH)
            .map_or(DeploymentId::NIL, |latest| latest.id),
        ..Decision::default()
    }
}

/// The stacks of the job's versions, made when they are first needed.
struct Stacks<'a> {
    state: &'a State,
    existing: Arc<Vec<Arc<Allocation>>>,
    tie: u64,
    by_version: BTreeMap<u64, Stack<'a>>,
    /// Whether allocations of a version and group must be replaced.
    destructive: BTreeMap<(u64, u64, String), bool>,
    eval: EvalId,
}

impl<'a> Stacks<'a> {
    fn of(&mut self, job: &Arc<Job>) -> &mut Stack<'a> {
        self.by_version.entry(job.version).or_insert_with(|| {
            Stack::new(
                self.state,
                Arc::clone(job),
                Arc::clone(&self.existing),
                self.tie,
            )
        })
    }
}

struct InPlace<'s, 'a> {
    stacks: &'s mut Stacks<'a>,
    draft: &'s mut Draft,
}

impl Updater for InPlace<'_, '_> {
    fn update(&mut self, alloc: &Arc<Allocation>, job: &Arc<Job>, group: &TaskGroup) -> Update {
        let Some(old) = &alloc.job else {
            return Update::Destructive;
        };
        if old.job_modify_index == job.job_modify_index && old.create_index == job.create_index {
            return Update::Ignore;
        }
        let key = (old.create_index, old.version, group.name.clone());
        let destructive = *self
            .stacks
            .destructive
            .entry(key)
            .or_insert_with(|| update::is_destructive(old, job, &group.name));
        if destructive {
            return Update::Destructive;
        }
        if alloc.terminal_status() {
            return Update::Ignore;
        }
        let node = self.stacks.state.node(&alloc.node_id);
        if !node.is_some_and(|node| in_pool(job, node) && in_datacenters(job, node)) {
            return Update::Destructive;
        }
        let eval = self.stacks.eval;
        let stack = self.stacks.of(job);
        if !stack.fits_in_place(&mut self.draft.planned, group, alloc) {
            return Update::Destructive;
        }
        let template = stack.template(&self.draft.planned, group);
        Update::InPlace(Box::new(in_place(alloc, &template, eval)))
    }
}

/// The allocation with the new job's resources, but for ports, cores and devices, which stay.
pub(crate) fn in_place(
    alloc: &Allocation,
    template: &AllocatedResources,
    eval: EvalId,
) -> Allocation {
    let mut updated = alloc.clone();
    updated.job = None;
    updated.eval_id = eval;
    let mut resources = template.clone();
    if let Some(old) = &alloc.allocated_resources {
        resources.shared.ports.clone_from(&old.shared.ports);
        resources.shared.networks.clone_from(&old.shared.networks);
        for (name, task) in resources.tasks.iter_mut() {
            let Some(old) = old.tasks.get(name.as_str()) else {
                continue;
            };
            task.networks.clone_from(&old.networks);
            task.devices.clone_from(&old.devices);
            if !old.cpu.reserved_cores.is_empty() {
                task.cpu.clone_from(&old.cpu);
            }
        }
        if resources == **old {
            updated.allocated_resources = Some(Arc::clone(old));
            return updated;
        }
    }
    updated.allocated_resources = Some(Arc::new(resources));
    updated
}

struct Placing<'a> {
    state: &'a State,
    eval: &'a Evaluation,
    key: JobKey,
    now: UnixNanos,
    signing_key: KeyId,
    stacks: Stacks<'a>,
    draft: Draft,
    rng: Rng,
    decision: Decision,
    results: Results,
}

impl Placing<'_> {
    /// Everything but placements, and what is merely noted: whatever is stopped to make room is not noted as well.
    fn apply_changes(&mut self) {
        let results = &mut self.results;
        self.draft.plan.deployment = results.deployment.take();
        self.draft.plan.deployment_updates = std::mem::take(&mut results.deployment_updates);
        self.decision.follow_ups = std::mem::take(&mut results.follow_ups);
        for stop in std::mem::take(&mut results.stop) {
            results.changed.remove(&stop.alloc.id);
            self.draft.stop(
                &stop.alloc,
                stop.client_status,
                &stop.description,
                stop.follow_up,
            );
        }
        for mut updated in std::mem::take(&mut results.in_place) {
            if let Some(changed) = results.changed.remove(&updated.id) {
                updated.alloc_states = changed.alloc_states;
                updated.followup_eval_id = changed.followup_eval_id;
            }
            if updated.deployment_id != results.deployment_id {
                updated.deployment_id = results.deployment_id;
                updated.deployment_status = None;
            }
            if let Some(old) = self.state.alloc(&updated.id) {
                self.draft.update(old, updated);
            }
        }
    }

    fn place_all(&mut self, job: &Arc<Job>) {
        let destructive = std::mem::take(&mut self.results.destructive);
        let place = std::mem::take(&mut self.results.place);
        for placement in destructive.iter().chain(&place) {
            *self.decision.queued.or_default(placement.group.clone()) += 1;
        }
        for placement in destructive.into_iter().chain(place) {
            self.place(job, placement);
        }
    }

    fn place(&mut self, job: &Arc<Job>, placement: Placement) {
        let (job, deployment) = self.version_for(job, &placement);
        let Some(group) = job.lookup_task_group(&placement.group) else {
            return;
        };
        if let Some(failed) = self.decision.failed_groups.get_mut(&placement.group) {
            failed.coalesced_failures += 1;
            note_exhausted(failed, group);
            self.keep_failed(&placement);
            return;
        }
        if let Some(previous) = placement
            .previous
            .as_ref()
            .filter(|_| placement.destructive)
        {
            self.draft
                .stop(previous, None, desired_description::UPDATING, EvalId::NIL);
        }
        let name = self.name_for(&placement);
        let wish = Wish {
            penalised: penalised(&placement),
            preempt: self.may_preempt(),
            name: &name,
        };
        let found = self.find(&job, group, &placement, &wish);
        match found {
            (Some(choice), metric) => {
                let preempted = choice.preempted.len() as u64;
                let alloc = self.allocation(&placement, name, metric, deployment);
                if placement.reschedule {
                    self.note_rescheduled(&placement, RescheduleTracker::OK);
                }
                if let Some(previous) = placement.previous.filter(|_| placement.destructive) {
                    // It is stopped: writing it once more would have it run again.
                    self.results.changed.remove(&previous.id);
                }
                if preempted > 0
                    && let Some(desired) = self.results.desired.get_mut(&placement.group)
                {
                    desired.preemptions += preempted;
                }
                self.draft.place(alloc, choice, &job);
            }
            (None, metric) => self.fail(group, &placement, metric),
        }
    }

    /// A node for a placement: the one that holds its data, or the best of all.
    fn find(
        &mut self,
        job: &Arc<Job>,
        group: &TaskGroup,
        placement: &Placement,
        wish: &Wish<'_>,
    ) -> (Option<Choice>, AllocMetric) {
        let preferred = self.preferred(job, group, placement);
        let stack = self.stacks.of(job);
        let planned = &self.draft.planned;
        if let Some(node) = preferred {
            let plain = Wish {
                preempt: false,
                name: wish.name,
                ..Wish::default()
            };
            let found = stack.select_on(planned, group, node, &plain, &mut self.rng);
            if found.0.is_some() {
                return found;
            }
        }
        stack.select(planned, group, wish, &mut self.rng)
    }

    /// The version that a placement runs, and the deployment it belongs to.
    fn version_for(&self, job: &Arc<Job>, placement: &Placement) -> (Arc<Job>, DeploymentId) {
        let current = (Arc::clone(job), self.results.deployment_id);
        if !placement.downgrade {
            return current;
        }
        let settled = self
            .state
            .deployments_of_job(&self.key)
            .filter(|deployment| {
                deployment.job_create_index == job.create_index
                    && deployment
                        .task_groups
                        .get(&placement.group)
                        .is_some_and(|group| group.promoted || group.desired_canaries == 0)
            })
            .max_by_key(|deployment| deployment.job_version);
        if let Some(deployment) = settled {
            let version = self.state.job_version(&self.key, deployment.job_version);
            let usable = version.filter(|version| {
                version.version >= placement.min_job_version
                    && version.lookup_task_group(&placement.group).is_some()
            });
            return usable.map_or(current, |version| (Arc::clone(version), deployment.id));
        }
        let version = self.state.job_version(&self.key, placement.min_job_version);
        let version = version.filter(|version| version.version < job.version);
        // What ran goes on, though its deployment may be forgotten by now; else one is meant that never had any.
        let before = version.filter(|version| {
            let group = version.lookup_task_group(&placement.group);
            let unsupervised =
                |group: &TaskGroup| group.update.as_ref().is_none_or(|u| u.max_parallel == 0);
            group.is_some_and(|group| placement.previous.is_some() || unsupervised(group))
        });
        before.map_or(current, |version| (Arc::clone(version), DeploymentId::NIL))
    }

    fn name_for(&mut self, placement: &Placement) -> String {
        let number = placement
            .name
            .strip_suffix(']')
            .and_then(|name| name.rsplit_once('['))
            .and_then(|(_, number)| number.parse::<usize>().ok());
        let names = self.results.names.get_mut(&placement.group);
        // Replacements keep their name, unless two allocations have it.
        match (number, names) {
            (Some(number), Some(names)) if placement.previous.is_some() => names
                .resolve_duplicate(number)
                .unwrap_or_else(|| placement.name.clone()),
            _ => placement.name.clone(),
        }
    }

    fn may_preempt(&self) -> bool {
        let Some(config) = self.state.scheduler_config() else {
            return false;
        };
        let config = &config.preemption_config;
        match self.eval.r#type.as_str() {
            job_type::BATCH => config.batch_scheduler_enabled,
            _ => config.service_scheduler_enabled,
        }
    }

    /// The node that holds the data of the one before.
    fn preferred(&self, job: &Job, group: &TaskGroup, placement: &Placement) -> Option<NodeId> {
        let disk = &group.ephemeral_disk;
        let previous = placement
            .previous
            .as_ref()
            .filter(|_| disk.sticky || disk.migrate)?;
        let node = self.state.node(&previous.node_id)?;
        let same = previous.job.as_ref().is_some_and(|old| {
            old.node_pool == job.node_pool && old.datacenters == job.datacenters
        });
        (node.is_ready() && same).then_some(node.id)
    }

    fn allocation(
        &mut self,
        placement: &Placement,
        name: String,
        metric: AllocMetric,
        deployment: DeploymentId,
    ) -> Allocation {
        let mut alloc = Allocation {
            id: AllocId(self.rng.uuid()),
            namespace: self.key.namespace.clone(),
            eval_id: self.eval.id,
            name,
            job_id: self.key.id.clone(),
            task_group: placement.group.clone(),
            metrics: Some(Arc::new(metric)),
            desired_status: DesiredStatus::Run,
            client_status: ClientStatus::Pending,
            signing_key_id: self.signing_key,
            deployment_id: deployment,
            ..Allocation::default()
        };
        if placement.canary {
            alloc.deployment_status = Some(AllocDeploymentStatus {
                canary: true,
                ..AllocDeploymentStatus::default()
            });
        }
        if let Some(previous) = &placement.previous {
            alloc.previous_allocation = previous.id;
            if placement.reschedule {
                let tracker = reschedule::tracker_of_replacement(previous, self.now);
                alloc.reschedule_tracker = Some(Box::new(tracker));
            }
        }
        alloc
    }

    /// Notes with the failed allocation how its replacement went.
    fn note_rescheduled(&mut self, placement: &Placement, how: &str) {
        let Some(previous) = &placement.previous else {
            return;
        };
        if let Some(stopped) = self.draft.stopped_mut(previous) {
            let tracker = stopped.reschedule_tracker.get_or_insert_default();
            tracker.last_reschedule = how.to_owned();
        }
    }

    fn fail(&mut self, group: &TaskGroup, placement: &Placement, mut metric: AllocMetric) {
        note_exhausted(&mut metric, group);
        self.decision
            .failed_groups
            .insert(placement.group.clone(), metric);
        if let Some(previous) = placement
            .previous
            .as_ref()
            .filter(|_| placement.destructive)
        {
            self.draft.keep(previous);
        }
        self.keep_failed(placement);
    }

    /// A failed allocation that finds no successor stays, so that a later evaluation finds it with its attempts and
    /// tries again.
    fn keep_failed(&mut self, placement: &Placement) {
        let Some(previous) = placement.previous.as_ref().filter(|_| placement.reschedule) else {
            return;
        };
        self.draft.keep(previous);
        let changed = self.results.changed.remove(&previous.id);
        let noted = changed.is_some();
        let mut kept = changed.unwrap_or_else(|| Allocation::clone(previous));
        kept.reschedule_tracker
            .get_or_insert_default()
            .last_reschedule = RescheduleTracker::NO_PLACEMENT.to_owned();
        if noted || previous.reschedule_tracker != kept.reschedule_tracker {
            self.draft.write(kept);
        }
    }

    fn finish(mut self) -> Decision {
        for changed in std::mem::take(&mut self.results.changed).into_values() {
            self.draft.write(changed);
        }
        self.draft.annotate(&self.results.desired);
        if !self.decision.failed_groups.is_empty() {
            let failed = &self.decision.failed_groups;
            for stack in self.stacks.by_version.values() {
                let of_version = stack.eligibility(failed);
                self.decision.eligibility.merge(of_version);
            }
        }
        self.decision.plan = self.draft.plan;
        self.decision
    }
}

fn penalised(placement: &Placement) -> BTreeSet<NodeId> {
    let mut nodes = BTreeSet::new();
    let Some(previous) = &placement.previous else {
        return nodes;
    };
    if previous.client_status == ClientStatus::Failed {
        nodes.insert(previous.node_id);
    }
    let tracker = previous
        .reschedule_tracker
        .iter()
        .flat_map(|tracker| &tracker.events);
    nodes.extend(tracker.map(|event| event.prev_node_id));
    nodes
}

/// Adds what the group asked for, where that was used up.
pub(crate) fn note_exhausted(metric: &mut AllocMetric, group: &TaskGroup) {
    let memory = metric.dimension_exhausted.contains_key("memory");
    let cpu = metric.dimension_exhausted.contains_key("cpu");
    if !memory && !cpu {
        return;
    }
    for task in &group.tasks {
        let asked = metric.resources_exhausted.or_default(task.name.clone());
        if memory {
            asked.memory_mb += task.resources.memory_mb;
        }
        if cpu {
            asked.cpu += task.resources.cpu;
        }
    }
}
