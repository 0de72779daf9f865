//! What registering a job would do as a whole: the scheduler is asked again and again in a copy of the state in
//! which every new allocation becomes healthy, until nothing is left to do.

mod nodes;

use crate::command::to_command;
use crate::rng::Rng;
use crate::run::{EvalRun, Step};
use crate::settings::Settings;
use crate::verify::verify;
use caravan_model::*;
use caravan_state::{Command, JobKey, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longer rollouts are told to be longer.
const MOST_STEPS: usize = 100;
/// Attempts of one evaluation.
const MOST_ATTEMPTS: usize = 10;

/// The rollout of `job`, and the nodes that it may use.
#[must_use]
pub fn rollout(state: &State, job: &Arc<Job>, settings: &Settings) -> Rollout {
    let mut world = World {
        state: state.clone(),
        key: JobKey::new(job.namespace.clone(), job.id.clone()),
        settings: *settings,
        evaluations: 0,
    };
    let unchanged = state.job(&world.key).is_some_and(|old| old.same_spec(job));
    if !unchanged {
        world.register(job);
    }
    let Some(registered) = world.state.job(&world.key).cloned() else {
        return Rollout::default();
    };
    let mut found = Rollout {
        nodes: nodes::of_job(state, &registered),
        ..Rollout::default()
    };
    let mut trigger = trigger::JOB_REGISTER;
    while found.steps.len() < MOST_STEPS {
        let mut step = RolloutStep::default();
        if trigger == trigger::DEPLOYMENT_WATCHER {
            world.promote(&mut step);
        }
        step.updates = world.evaluate(&registered, trigger);
        if step.updates.is_empty() && step.promotes.is_empty() {
            break;
        }
        found.steps.push(step);
        found.deployment |= world.is_deploying(&registered);
        world.settle();
        trigger = trigger::DEPLOYMENT_WATCHER;
    }
    found.truncated = found.steps.len() >= MOST_STEPS;
    found
}

/// A copy of the state in which things go well.
struct World {
    state: State,
    key: JobKey,
    settings: Settings,
    evaluations: u64,
}

impl World {
    /// A command that the state refuses changes nothing, and so ends the rollout.
    fn apply(&mut self, command: Command) {
        let index = self.state.index().max(99) + 1;
        let _refused = self.state.apply(index, command);
    }

    fn register(&mut self, job: &Arc<Job>) {
        let policy_ids = job
            .task_groups
            .iter()
            .map(|group| group.name.clone())
            .collect();
        self.apply(Command::RegisterJob {
            job: Arc::clone(job),
            submission: None,
            eval: None,
            policy_ids,
            now: self.settings.now,
        });
    }

    /// Evaluates the job once; what that does to the allocations of each group that it touches.
    fn evaluate(&mut self, job: &Job, trigger: &str) -> BTreeMap<String, DesiredUpdates> {
        self.evaluations += 1;
        let settings = Settings {
            seed: self.settings.seed.wrapping_add(self.evaluations),
            ..self.settings
        };
        let eval = Evaluation {
            id: EvalId(Rng::new(settings.seed, uuid::Uuid::nil()).uuid()),
            namespace: job.namespace.clone(),
            priority: job.priority,
            r#type: job.r#type.clone(),
            triggered_by: trigger.to_owned(),
            job_id: job.id.clone(),
            job_modify_index: job.job_modify_index,
            status: EvalStatus::Pending,
            annotate_plan: true,
            ..Evaluation::default()
        };
        let mut run = EvalRun::new(Arc::new(eval));
        let mut touched: BTreeMap<String, DesiredUpdates> = BTreeMap::new();
        for _ in 0..MOST_ATTEMPTS {
            let Step::Submit { plan, create: _ } = run.step(&self.state, &settings) else {
                break;
            };
            let result = verify(&self.state, &plan);
            if !result.is_no_op() {
                for (group, updates) in plan
                    .annotations
                    .iter()
                    .flat_map(|notes| &notes.desired_tg_updates)
                {
                    if touches(updates) {
                        touched.insert(group.clone(), *updates);
                    }
                }
                let command = to_command(&plan, &result, &self.state, settings.seed, settings.now);
                self.apply(Command::ApplyPlan(Box::new(command)));
            }
            run.submitted(&result);
        }
        touched
    }

    /// Promotes the canaries that wait for it.
    fn promote(&mut self, step: &mut RolloutStep) {
        let Some(deployment) = self.state.latest_deployment(&self.key).cloned() else {
            return;
        };
        let waiting = deployment
            .task_groups
            .iter()
            .filter(|(_, group)| group.desired_canaries > 0 && !group.promoted);
        step.promotes = waiting.clone().map(|(name, _)| name.clone()).collect();
        if step.promotes.is_empty() {
            return;
        }
        step.auto_promote = waiting.clone().all(|(_, group)| group.auto_promote);
        self.apply(Command::PromoteDeployment {
            deployment: deployment.id,
            groups: Vec::new(),
            eval: None,
            now: self.settings.now,
        });
    }

    /// Whether a deployment of this version of the job goes on.
    fn is_deploying(&self, job: &Job) -> bool {
        let latest = self.state.latest_deployment(&self.key);
        latest.is_some_and(|latest| {
            latest.job_version == job.version
                && latest.job_create_index == job.create_index
                && latest.is_active()
        })
    }

    /// What was started runs and is healthy; what was stopped has ended.
    fn settle(&mut self) {
        let now = self.settings.now;
        let told = self
            .state
            .allocs_of_job(&self.key)
            .filter_map(|alloc| settled(alloc));
        let told: Vec<Allocation> = told.collect();
        self.apply(Command::UpdateAllocsFromClient {
            allocs: told,
            evals: Vec::new(),
            now,
        });
        let latest = self.state.latest_deployment(&self.key);
        let Some(deployment) = latest.filter(|it| it.is_active()).map(|it| it.id) else {
            return;
        };
        let waiting = self.state.allocs_of_job(&self.key).filter(|alloc| {
            alloc.deployment_id == deployment && !alloc.terminal_status() && !alloc.is_healthy()
        });
        let healthy = waiting.map(|alloc| alloc.id).collect();
        self.apply(Command::SetAllocHealth {
            deployment,
            healthy,
            unhealthy: Vec::new(),
            update: None,
            job: None,
            eval: None,
            now,
        });
    }
}

/// What the client of an allocation would tell when all is well, if that is news.
fn settled(alloc: &Allocation) -> Option<Allocation> {
    if alloc.client_terminal() {
        return None;
    }
    let status = match alloc.desired_status {
        DesiredStatus::Run => ClientStatus::Running,
        _ => ClientStatus::Complete,
    };
    (alloc.client_status != status).then(|| Allocation {
        client_status: status,
        ..alloc.clone()
    })
}

/// Whether anything is done beside leaving alone.
fn touches(updates: &DesiredUpdates) -> bool {
    // exhaustive
    let DesiredUpdates {
        ignore: _,
        place,
        migrate,
        stop,
        in_place_update,
        destructive_update,
        canary,
        preemptions,
        disconnect,
        reconnect,
        reschedule_now,
        reschedule_later: _,
    } = *updates;
    [
        place,
        migrate,
        stop,
        in_place_update,
        destructive_update,
        canary,
        preemptions,
        disconnect,
        reconnect,
        reschedule_now,
    ]
    .into_iter()
    .any(|count| count > 0)
}
