//! System and sysbatch jobs: one allocation of each group on every node that can take it (scheduler sheet §15).

mod buckets;
mod deploy;

use crate::decision::{ClassEligibility, Decision};
use crate::draft::Draft;
use crate::evals::{self, Blocked};
use crate::generic::{in_place, note_exhausted};
use crate::reconcile::Tainted;
use crate::rng::Rng;
use crate::settings::Settings;
use crate::stack::{Choice, Stack, Wish, in_datacenters, in_pool};
use crate::{tainted, update};
use buckets::{Buckets, Wanted};
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Decides for a system or sysbatch job.
pub(crate) fn schedule(state: &State, eval: &Evaluation, settings: &Settings) -> Decision {
    let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
    let stored = state.job(&key).cloned();
    let allocs: Arc<Vec<Arc<Allocation>>> = Arc::new(state.allocs_of_job(&key).cloned().collect());
    let tainted = tainted::nodes(state, &allocs);
    let mut draft = Draft::new(eval, stored.clone(), state.index());
    tainted::note_lost(&mut draft, &allocs, &tainted);
    let job = stored.clone().filter(|job| !job.stop);
    let groups = stored.iter().flat_map(|job| &job.task_groups);
    let decision = Decision {
        queued: groups.map(|group| (group.name.clone(), 0)).collect(),
        ..Decision::default()
    };
    let mut rng = Rng::new(settings.seed, eval.id.0);
    let stack = job.clone().map(|job| {
        let tie = rng.next_u64();
        Stack::new(state, job, Arc::clone(&allocs), tie)
    });
    let mut run = SystemRun {
        state,
        eval,
        key,
        job,
        batch: eval.r#type == job_type::SYSBATCH,
        now: settings.now,
        signing_key: settings.signing_key,
        allocs,
        tainted,
        stack,
        draft,
        rng,
        decision,
        desired: SmallMap::new(),
        deployment: None,
        failed_deployment: false,
        paused_deployment: false,
        new_deployment: false,
        destructive: BTreeMap::new(),
    };
    run.run();
    run.finish()
}

struct SystemRun<'a> {
    state: &'a State,
    eval: &'a Evaluation,
    key: JobKey,
    /// None when stopped or gone.
    job: Option<Arc<Job>>,
    batch: bool,
    now: UnixNanos,
    signing_key: KeyId,
    allocs: Arc<Vec<Arc<Allocation>>>,
    tainted: Tainted,
    stack: Option<Stack<'a>>,
    draft: Draft,
    rng: Rng,
    decision: Decision,
    desired: SmallMap<String, DesiredUpdates>,
    deployment: Option<Deployment>,
    failed_deployment: bool,
    paused_deployment: bool,
    new_deployment: bool,
    /// Whether allocations of a version and group must be replaced.
    destructive: BTreeMap<(u64, u64, String), bool>,
}

/// What becomes of an allocation that runs another version.
enum InPlace {
    /// It is told of the new one.
    Told(Box<Allocation>),
    /// There is nothing to tell.
    AsItIs,
    /// It must be replaced.
    Impossible,
}

/// What happened to a group's placements.
#[derive(Debug, Default)]
struct Outcome {
    place: u64,
    in_place: u64,
    ignored: u64,
    destructive: u64,
    infeasible: u64,
    /// Whether no node that lacks one can ever take one.
    nowhere: bool,
    /// Whether running allocations are changed.
    updating: bool,
    canaries: Option<i64>,
}

impl SystemRun<'_> {
    fn run(&mut self) {
        self.settle_deployment();
        let by_group = buckets::sort(self);
        let mut complete = true;
        for (name, buckets) in by_group {
            complete &= self.group(&name, buckets);
        }
        self.finish_deployment(complete);
    }

    fn group(&mut self, name: &str, buckets: Buckets) -> bool {
        let mut desired = DesiredUpdates {
            ignore: buckets.ignore.len() as u64,
            stop: (buckets.stop.len() + buckets.lost.len()) as u64,
            migrate: buckets.migrate.len() as u64,
            disconnect: buckets.disconnecting.len() as u64,
            reconnect: buckets.reconnecting.len() as u64,
            ..DesiredUpdates::default()
        };
        self.stop_and_note(&buckets);
        let job = self.job.clone();
        let Some((job, group)) = job
            .as_ref()
            .and_then(|job| Some((job, job.lookup_task_group(name)?)))
        else {
            self.desired.insert(name.to_owned(), desired);
            return true;
        };
        let mut outcome = Outcome {
            ignored: desired.ignore,
            ..Outcome::default()
        };
        let (mut told, mut destructive) = (Vec::new(), Vec::new());
        let updated = buckets.update.iter().map(|alloc| (alloc, false));
        let returned = buckets.reconnecting.iter().map(|alloc| (alloc, true));
        for (alloc, returned) in updated.chain(returned) {
            match self.in_place(alloc, job, group, returned) {
                InPlace::Told(updated) => told.push(*updated),
                InPlace::AsItIs => outcome.in_place += 1,
                InPlace::Impossible => destructive.push(Arc::clone(alloc)),
            }
        }
        outcome.in_place += told.len() as u64;
        desired.in_place_update = outcome.in_place;
        outcome.destructive = destructive.len() as u64;
        outcome.updating = !destructive.is_empty() || outcome.in_place > 0;
        let (allowed, canaries) = self.allowance(job, group, &buckets, destructive.len());
        outcome.canaries = canaries.map(|canaries| canaries.desired);
        outcome.place = buckets.place.len() as u64;
        desired.place = outcome.place;
        desired.destructive_update = allowed as u64;
        desired.ignore += (destructive.len() - allowed) as u64;
        if canaries.is_some() {
            desired.canary = allowed as u64;
        }
        let queued = (buckets.place.len() + allowed) as i64;
        self.decision.queued.insert(name.to_owned(), queued);
        let unchanged = outcome.ignored + outcome.in_place > 0;
        let mut failures = Failures::default();
        self.prepare_deployment(job, group, &outcome);
        for updated in told {
            self.tell(group, updated);
        }
        for alloc in &destructive[..allowed] {
            let wanted = Wanted {
                node: alloc.node_id,
                name: alloc.name.clone(),
                previous: Some(Arc::clone(alloc)),
            };
            self.place(job, group, &wanted, true, canaries.is_some(), &mut failures);
        }
        // Stopped where nothing can take their place.
        let gone = failures.filtered;
        let replaced = canaries.map_or(0, |_| allowed);
        let mut lacking = self.lacking_canaries(group, &buckets, replaced);
        let mut placed_any = false;
        for wanted in &buckets.place {
            let canary = lacking > 0;
            let placed = self.place(job, group, wanted, false, canary, &mut failures);
            lacking -= usize::from(canary && placed);
            placed_any |= placed;
        }
        outcome.infeasible = failures.infeasible;
        outcome.nowhere = failures.filtered > 0 && failures.filtered == failures.infeasible;
        desired.preemptions = failures.preemptions;
        self.tell_failures(name, failures, unchanged, &mut desired);
        // Nodes that cannot take the group now keep nobody waiting either.
        let quiet = !placed_any && outcome.destructive == gone;
        // What is done for a group that the deployment is not about keeps nobody waiting.
        let known = self.deployment.is_some() && !self.new_deployment;
        let aside = known && self.part_of(group).is_none();
        // Where nothing is left to be a canary, nobody waits for one.
        let tried = quiet && lacking > 0;
        let all_healthy = self.is_all_healthy(group, &buckets, &outcome);
        let joined = self.join_deployment(job, group, &outcome, &mut desired, all_healthy, tried);
        let complete = aside || (joined && quiet);
        self.desired.insert(name.to_owned(), desired);
        complete
    }

    /// Stops what is not wanted and notes what became of nodes.
    fn stop_and_note(&mut self, buckets: &Buckets) {
        for alloc in &buckets.stop {
            self.draft
                .stop(alloc, None, desired_description::NOT_NEEDED, EvalId::NIL);
        }
        for alloc in &buckets.migrate {
            self.draft
                .stop(alloc, None, desired_description::NODE_TAINTED, EvalId::NIL);
        }
        for alloc in &buckets.lost {
            let lost = Some(ClientStatus::Lost);
            self.draft
                .stop(alloc, lost, desired_description::LOST, EvalId::NIL);
        }
        for alloc in &buckets.disconnecting {
            let mut unknown = Allocation::clone(alloc);
            unknown.client_status = ClientStatus::Unknown;
            unknown.client_description = desired_description::UNKNOWN.into();
            unknown.push_client_state(ClientStatus::Unknown, self.now.into());
            let after = crate::reconcile::classify::lost_after(alloc).unwrap_or(Duration::ZERO);
            let id = EvalId(self.rng.uuid());
            unknown.followup_eval_id = id;
            self.decision.follow_ups.push(evals::later(
                self.eval,
                id,
                trigger::MAX_DISCONNECT_TIMEOUT,
                eval_description::DISCONNECT_TIMEOUT,
                self.now + after,
                self.now,
            ));
            self.draft.write(unknown);
        }
    }

    /// Updates an allocation in place, if that can be.
    fn in_place(
        &mut self,
        alloc: &Arc<Allocation>,
        job: &Arc<Job>,
        group: &TaskGroup,
        returned: bool,
    ) -> InPlace {
        let mut current = Allocation::clone(alloc);
        if returned {
            current.push_client_state(alloc.client_status, self.now.into());
        }
        let same = alloc.job.as_ref().is_some_and(|old| {
            old.job_modify_index == job.job_modify_index && old.create_index == job.create_index
        });
        if same {
            if returned {
                self.draft.write(current);
            }
            return InPlace::AsItIs;
        }
        let Some(old) = &alloc.job else {
            return InPlace::Impossible;
        };
        let key = (old.create_index, old.version, group.name.clone());
        let destructive = *self
            .destructive
            .entry(key)
            .or_insert_with(|| update::is_destructive(old, job, &group.name));
        if destructive {
            return InPlace::Impossible;
        }
        if alloc.terminal_status() {
            return InPlace::AsItIs;
        }
        let node = self.state.node(&alloc.node_id);
        if !node.is_some_and(|node| in_pool(job, node) && in_datacenters(job, node)) {
            return InPlace::Impossible;
        }
        let Some(stack) = &mut self.stack else {
            return InPlace::Impossible;
        };
        if !stack.fits_in_place(&mut self.draft.planned, group, alloc) {
            return InPlace::Impossible;
        }
        let template = stack.template(&self.draft.planned, group);
        InPlace::Told(Box::new(in_place(&current, &template, self.eval.id)))
    }

    /// Tells an allocation of the new version. It joins the deployment, which may have been made for it, and is judged
    /// anew.
    fn tell(&mut self, group: &TaskGroup, mut updated: Allocation) {
        let id = self.joined(group);
        if updated.deployment_id != id {
            updated.deployment_id = id;
            updated.deployment_status = None;
        }
        if let Some(old) = self.state.alloc(&updated.id) {
            self.draft.update(old, updated);
        }
    }

    /// The deployment that allocations of a group are part of from now on.
    fn joined(&self, group: &TaskGroup) -> DeploymentId {
        let active = self.deployment.as_ref().filter(|deployment| {
            deployment.is_active() && deployment.task_groups.contains_key(&group.name)
        });
        active.map(|deployment| deployment.id).unwrap_or_default()
    }

    /// Places an allocation on its node, in the place of the one before. Whether there was room.
    fn place(
        &mut self,
        job: &Arc<Job>,
        group: &TaskGroup,
        wanted: &Wanted,
        destructive: bool,
        canary: bool,
        failures: &mut Failures,
    ) -> bool {
        let previous = wanted.previous.as_ref();
        let replaced = previous.filter(|previous| destructive && !previous.terminal_status());
        if let Some(previous) = replaced {
            self.draft
                .stop(previous, None, desired_description::UPDATING, EvalId::NIL);
        }
        let preempt = self.may_preempt();
        let wish = Wish {
            preempt,
            name: &wanted.name,
            ..Wish::default()
        };
        let Some(stack) = &mut self.stack else {
            return false;
        };
        let (choice, metric) = stack.select_on(
            &self.draft.planned,
            group,
            wanted.node,
            &wish,
            &mut self.rng,
        );
        match choice {
            Some(choice) => {
                failures.preemptions += choice.preempted.len() as u64;
                self.write(job, group, wanted, choice, metric, canary);
                true
            }
            None => {
                if let Some(previous) = replaced {
                    // What no longer fits its node is stopped; what only lacks room stays until there is some.
                    if metric.nodes_exhausted > 0 {
                        self.draft.keep(previous);
                    }
                }
                failures.infeasible += 1;
                self.fail(group, wanted.node, metric, failures);
                false
            }
        }
    }

    fn may_preempt(&self) -> bool {
        let Some(config) = self.state.scheduler_config() else {
            return !self.batch;
        };
        if self.batch {
            config.preemption_config.sys_batch_scheduler_enabled
        } else {
            config.preemption_config.system_scheduler_enabled
        }
    }

    fn write(
        &mut self,
        job: &Arc<Job>,
        group: &TaskGroup,
        wanted: &Wanted,
        choice: Choice,
        metric: AllocMetric,
        canary: bool,
    ) {
        let mut alloc = Allocation {
            id: AllocId(self.rng.uuid()),
            namespace: self.key.namespace.clone(),
            eval_id: self.eval.id,
            name: wanted.name.clone(),
            job_id: self.key.id.clone(),
            task_group: group.name.clone(),
            metrics: Some(Arc::new(metric)),
            deployment_id: self.joined(group),
            desired_status: DesiredStatus::Run,
            client_status: ClientStatus::Pending,
            signing_key_id: self.signing_key,
            ..Allocation::default()
        };
        if canary {
            alloc.deployment_status = Some(AllocDeploymentStatus {
                canary: true,
                ..AllocDeploymentStatus::default()
            });
        }
        if let Some(previous) = &wanted.previous {
            alloc.previous_allocation = previous.id;
        }
        self.draft.place(alloc, choice, job);
    }

    fn fail(
        &mut self,
        group: &TaskGroup,
        node: NodeId,
        mut metric: AllocMetric,
        failures: &mut Failures,
    ) {
        if metric.nodes_filtered > 0 {
            failures.filtered += 1;
            merge_filtered(&mut failures.filtered_metric, &metric);
            return;
        }
        note_exhausted(&mut metric, group);
        self.wait_for(group, node, &metric);
        match self.decision.failed_groups.get_mut(&group.name) {
            Some(first) => first.coalesced_failures += 1,
            None => {
                self.decision
                    .failed_groups
                    .insert(group.name.clone(), metric);
            }
        }
    }

    /// One evaluation waits for room on a node, for all groups that lack some there.
    fn wait_for(&mut self, group: &TaskGroup, node: NodeId, metric: &AllocMetric) {
        let waiting = &mut self.decision.blocked_on_nodes;
        if let Some(blocked) = waiting.get_mut(&node) {
            let failed = &mut blocked.failed_tg_allocs;
            failed.insert(group.name.clone(), metric.clone());
            return;
        }
        let eligibility = ClassEligibility {
            escaped: true,
            ..ClassEligibility::default()
        };
        let mut blocked = evals::blocked(
            self.eval,
            EvalId(self.rng.uuid()),
            Blocked::NoRoom,
            &eligibility,
            &SmallMap::from([(group.name.clone(), metric.clone())]),
            self.state.index(),
            self.now,
        );
        blocked.node_id = node;
        waiting.insert(node, blocked);
    }

    /// Nodes that can never take the group are no failure, unless there is no other.
    fn tell_failures(
        &mut self,
        name: &str,
        failures: Failures,
        unchanged: bool,
        desired: &mut DesiredUpdates,
    ) {
        if failures.filtered == 0 {
            return;
        }
        desired.place = desired.place.saturating_sub(failures.filtered);
        let queued = self.decision.queued.or_default(name.to_owned());
        *queued = (*queued - failures.filtered as i64).max(0);
        if *queued == 0 && !unchanged && !self.decision.failed_groups.contains_key(name) {
            self.decision
                .failed_groups
                .insert(name.to_owned(), failures.filtered_metric);
        }
    }

    fn finish(mut self) -> Decision {
        self.draft.annotate(&self.desired);
        self.decision.plan = self.draft.plan;
        self.decision
    }
}

/// What could not be placed of a group.
#[derive(Debug, Default)]
struct Failures {
    infeasible: u64,
    filtered: u64,
    filtered_metric: AllocMetric,
    preemptions: u64,
}

fn merge_filtered(into: &mut AllocMetric, metric: &AllocMetric) {
    into.nodes_evaluated += metric.nodes_evaluated;
    into.nodes_filtered += metric.nodes_filtered;
    // The pool and how many nodes it has are not told: recordings of system jobs have neither.
    into.nodes_available = Arc::clone(&metric.nodes_available);
    for (class, count) in &metric.class_filtered {
        *into.class_filtered.or_default(class.clone()) += count;
    }
    for (reason, count) in &metric.constraint_filtered {
        *into.constraint_filtered.or_default(reason.clone()) += count;
    }
}
