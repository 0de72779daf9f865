//! The watcher of rollouts: fails them, has bad allocations replaced, carries them on, promotes canaries.

use super::action::{belongs, watcher_eval};
use super::revert;
use crate::{Controller, Ids, Step};
use caravan_model::*;
use caravan_state::{Change, Command, JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long verdicts are gathered before the job is looked at again, when more are to be expected or nothing is left
/// but to say that it is done: that a rollout goes on is seen by whoever looks right after it began.
const GATHERING: Duration = Duration::from_secs(1);

/// Watches every deployment that goes on.
///
/// It remembers nothing that matters: what it wants follows from the state, and at most one [`GATHERING`] later.
#[derive(Debug, Default)]
pub struct DeploymentWatcher {
    /// Whether some deployment went on at the last look, so that other rows matter.
    watching: bool,
    /// Since when verdicts of a deployment are gathered.
    gathering: BTreeMap<DeploymentId, UnixNanos>,
}

impl Controller for DeploymentWatcher {
    fn name(&self) -> &'static str {
        "deployments"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Deployment(row) => row.is_active(),
            Change::Alloc { alloc, .. } => self.watching && !alloc.deployment_id.is_nil(),
            Change::Eval(eval) => self.watching && eval.is_terminal(),
            _ => false,
        }
    }

    fn step(&mut self, state: &State, now: UnixNanos, ids: &mut Ids<'_>) -> Step {
        let mut step = Step::default();
        self.watching = false;
        let mut gathering = std::mem::take(&mut self.gathering);
        for deployment in state.deployments().filter(|row| row.is_active()) {
            self.watching = true;
            let key = JobKey::new(deployment.namespace.clone(), deployment.job_id.clone());
            let Some(job) = state.job(&key) else { continue };
            if !belongs(deployment, job) {
                // The evaluation of the newer job cancels it.
                continue;
            }
            let rollout = Rollout {
                state,
                deployment,
                job,
                key,
                now,
            };
            let wanted = rollout.wants(gathering.remove(&deployment.id), ids);
            step.commands.extend(wanted.commands);
            let gathered = wanted.gathering.map(|since| since + GATHERING);
            self.gathering
                .extend(wanted.gathering.map(|since| (deployment.id, since)));
            let deadline = rollout.deadline().filter(|at| *at > now);
            step.wake_at = [step.wake_at, deadline, gathered]
                .into_iter()
                .flatten()
                .min();
        }
        step
    }
}

/// What is to be done about one deployment.
#[derive(Default)]
struct Wanted {
    commands: Vec<Command>,
    /// Since when verdicts are gathered, if they are.
    gathering: Option<UnixNanos>,
}

/// One deployment, and all that is needed to judge it.
struct Rollout<'a> {
    state: &'a State,
    deployment: &'a Arc<Deployment>,
    job: &'a Arc<Job>,
    key: JobKey,
    now: UnixNanos,
}

impl Rollout<'_> {
    /// What to do now. One evaluation sees all of it.
    fn wants(&self, gathering: Option<UnixNanos>, ids: &mut Ids<'_>) -> Wanted {
        let mut wanted = Wanted::default();
        if let Some(end) = self.fail(ids) {
            wanted.commands.push(end);
            return wanted;
        }
        wanted.commands.extend(self.replace_unhealthy(ids));
        wanted.commands.extend(self.promote(ids));
        if !wanted.commands.is_empty() || !self.has_news() {
            return wanted;
        }
        let since = gathering.unwrap_or(self.now);
        if (self.expects_verdicts() || self.all_healthy()) && self.now < since + GATHERING {
            wanted.gathering = Some(since);
        } else {
            wanted.commands.push(self.carry_on(ids));
        }
        wanted
    }

    fn allocs(&self) -> impl Iterator<Item = (&Arc<Allocation>, &DeploymentState)> {
        self.state
            .allocs_of_deployment(&self.deployment.id)
            .filter_map(|alloc| Some((alloc, self.deployment.task_groups.get(&alloc.task_group)?)))
    }

    fn fail(&self, ids: &mut Ids<'_>) -> Option<Command> {
        let (reason, wants_back) = self.failed_allocs().or_else(|| self.out_of_time())?;
        let failure = revert::fail(
            self.state,
            self.deployment,
            self.job,
            reason,
            wants_back,
            self.now,
        );
        Some(Command::UpdateDeploymentStatus {
            update: failure.update,
            job: failure.job,
            eval: Some(watcher_eval(self.deployment, self.job, self.now, ids)),
            now: self.now,
        })
    }

    /// Unhealthy allocations that nothing may replace within this deployment.
    fn failed_allocs(&self) -> Option<(&'static str, bool)> {
        let hopeless = self
            .allocs()
            .filter(|(alloc, group)| {
                alloc.is_unhealthy() && (group.progress_deadline.is_zero() || !replaceable(alloc))
            })
            .map(|(_, group)| group.auto_revert);
        let wants_back = hopeless.reduce(|one, other| one || other)?;
        Some((deployment_description::FAILED_ALLOCATIONS, wants_back))
    }

    /// Groups whose progress deadline has passed.
    fn out_of_time(&self) -> Option<(&'static str, bool)> {
        let late = self
            .unfinished()
            .filter(|group| UnixNanos::from(group.require_progress_by) <= self.now)
            .map(|group| group.auto_revert);
        let wants_back = late.reduce(|one, other| one || other)?;
        Some((deployment_description::PROGRESS_DEADLINE, wants_back))
    }

    /// The groups on which a deadline lies.
    fn unfinished(&self) -> impl Iterator<Item = &DeploymentState> {
        let running = self.deployment.status == DeploymentStatus::Running;
        let groups = self.deployment.task_groups.iter();
        groups.filter_map(move |(name, group)| {
            let awaits_promotion = group.desired_canaries > 0
                && !group.promoted
                && group.healthy_allocs >= group.desired_canaries;
            let unfinished = running
                && !group.require_progress_by.is_zero()
                && !awaits_promotion
                && (group.healthy_allocs < group.desired_total || self.awaits_health_of(name));
            unfinished.then_some(group)
        })
    }

    /// Whether something of a group is still to become healthy, whatever was counted: one that was healthy may have
    /// been stopped since, and another be on its way in its place.
    fn awaits_health_of(&self, name: &str) -> bool {
        let mut allocs = self.allocs();
        allocs.any(|(alloc, _)| alloc.task_group == name && alloc.awaits_health())
    }

    fn deadline(&self) -> Option<UnixNanos> {
        self.unfinished()
            .map(|group| group.require_progress_by.into())
            .min()
    }

    /// Has allocations replaced that are unhealthy, or have failed whatever was said of them before, each once: until
    /// they are told so, evaluations leave what belongs to a rollout alone.
    fn replace_unhealthy(&self, ids: &mut Ids<'_>) -> Option<Command> {
        let wish = DesiredTransition {
            reschedule: Some(true),
            ..DesiredTransition::default()
        };
        let transitions: BTreeMap<AllocId, DesiredTransition> = self
            .allocs()
            .filter(|(alloc, _)| {
                let failed = alloc.failed_unreplaced() && replaceable(alloc);
                (alloc.is_unhealthy() || failed) && alloc.desired_transition.reschedule.is_none()
            })
            .map(|(alloc, _)| (alloc.id, wish))
            .collect();
        if transitions.is_empty() {
            return None;
        }
        let evals = vec![watcher_eval(self.deployment, self.job, self.now, ids)];
        Some(Command::UpdateDesiredTransitions {
            transitions,
            evals,
            now: self.now,
        })
    }

    /// Promotes canaries once all of them are healthy, when every group with canaries wants that.
    fn promote(&self, ids: &mut Ids<'_>) -> Option<Command> {
        let row = self.deployment;
        let waits = row.status == DeploymentStatus::Running
            && row.requires_promotion()
            && row.has_auto_promote();
        if !waits
            || !row
                .task_groups
                .iter()
                .all(|(name, group)| self.canaries_healthy(name, group))
        {
            return None;
        }
        Some(Command::PromoteDeployment {
            deployment: row.id,
            groups: Vec::new(),
            eval: Some(watcher_eval(row, self.job, self.now, ids)),
            now: self.now,
        })
    }

    fn canaries_healthy(&self, name: &str, group: &DeploymentState) -> bool {
        if group.desired_canaries == 0 || group.promoted {
            return true;
        }
        let count = |healthy: usize| i64::try_from(healthy).unwrap_or(i64::MAX);
        let healthy = self
            .allocs()
            .filter(|(alloc, _)| alloc.task_group == name && alloc.is_canary())
            .filter(|(alloc, _)| alloc.is_healthy() && !alloc.terminal_status())
            .count();
        count(group.placed_canaries.len()) >= group.desired_canaries
            && count(healthy) >= group.desired_canaries
    }

    /// Whether some allocation is still to be judged, so that one evaluation may see several verdicts.
    fn expects_verdicts(&self) -> bool {
        self.allocs().any(|(alloc, _)| {
            let judged = alloc
                .deployment_status
                .is_some_and(|status| status.healthy.is_some());
            !judged && !alloc.terminal_status()
        })
    }

    /// Whether every group has what it wants, so that the rollout only has to be called successful.
    fn all_healthy(&self) -> bool {
        self.deployment.task_groups.values().all(|group| {
            group.healthy_allocs >= group.desired_total
                && (group.desired_canaries == 0 || group.promoted)
        })
    }

    /// Whether a verdict is newer than what the job's evaluations have seen.
    fn has_news(&self) -> bool {
        let newest_verdict = self
            .allocs()
            .filter_map(|(alloc, _)| alloc.deployment_status)
            .filter(AllocDeploymentStatus::is_healthy)
            .map(|status| status.modify_index)
            .max();
        let seen = self
            .state
            .evals_of_job(&self.key)
            .map(|eval| self.seen_by(eval))
            .max();
        newest_verdict > seen && !self.waits_for_verdicts()
    }

    /// Has the job looked at again.
    fn carry_on(&self, ids: &mut Ids<'_>) -> Command {
        let evals = vec![watcher_eval(self.deployment, self.job, self.now, ids)];
        Command::UpsertEvals {
            evals,
            now: self.now,
        }
    }

    /// Whether everything is placed and some of it not yet judged: looking at the job would change nothing. What was
    /// placed and has ended since does not count: its place is taken, or still to be filled.
    fn waits_for_verdicts(&self) -> bool {
        let placed = |(name, group): (&String, &DeploymentState)| {
            let live = |(alloc, _): &(&Arc<Allocation>, _)| {
                alloc.task_group == *name && !alloc.terminal_status()
            };
            let live = i64::try_from(self.allocs().filter(live).count()).unwrap_or(i64::MAX);
            live >= group.desired_total && (group.desired_canaries == 0 || group.promoted)
        };
        let mut groups = self.deployment.task_groups.iter();
        groups.all(placed) && self.expects_verdicts()
    }

    /// The newest index that an evaluation has seen, or is sure to see.
    fn seen_by(&self, eval: &Evaluation) -> u64 {
        let now = Timestamp::from(self.now);
        let delayed = eval.wait_until > now || !eval.wait.is_zero();
        match eval.status {
            // It is looked at with the state of then; if its look began before the verdict, its end says so.
            EvalStatus::Pending if !delayed => u64::MAX,
            EvalStatus::Complete | EvalStatus::Failed if eval.snapshot_index == 0 => {
                eval.create_index
            }
            EvalStatus::Complete | EvalStatus::Failed | EvalStatus::Blocked => eval.snapshot_index,
            EvalStatus::Pending | EvalStatus::Canceled => 0,
        }
    }
}

/// Whether the policy of an allocation's group allows a replacement.
fn replaceable(alloc: &Allocation) -> bool {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let policy = group.and_then(|group| group.reschedule_policy.as_ref());
    let tracker = alloc.reschedule_tracker.as_deref();
    policy.is_some_and(|policy| policy.allows(tracker, alloc.last_event_time()))
}
