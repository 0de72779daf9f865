//! The servers' side: the state, the leader's queues, and the one way in which anything changes.

use crate::random::Random;
use caravan_control::Queues;
use caravan_control::liveness::{Liveness, Pace};
use caravan_model::*;
use caravan_state::{Applied, Change, Command, JobKey, State};
use std::collections::BTreeSet;

/// The leader's world.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: UnixNanos,
    pub(crate) random: Random,
    pub(crate) queues: Queues,
    pub(crate) liveness: Liveness,
    /// Applied, and not yet told to the queues.
    unheard: Vec<Applied>,
    /// What changed since the invariants were last checked.
    pub(crate) touched: Touched,
    /// The last things that happened, for whoever reads a failure.
    pub(crate) story: Vec<String>,
}

/// Rows that changed.
#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) nodes: BTreeSet<NodeId>,
    pub(crate) jobs: BTreeSet<JobKey>,
    pub(crate) evals: BTreeSet<EvalId>,
}

/// How many lines of the story are kept.
const STORY: usize = 400;

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = Self {
            state: State::initial(),
            now: UnixNanos(1_800_000_000_000_000_000),
            random: Random::new(seed),
            queues: Queues::default(),
            liveness: Liveness::new(Pace::default()),
            unheard: Vec::new(),
            touched: Touched::default(),
            story: Vec::new(),
        };
        world.queues.establish(&world.state, world.now);
        let mut config = SchedulerConfiguration::initial();
        config.preemption_config.system_scheduler_enabled = world.random.chance(500);
        config.preemption_config.service_scheduler_enabled = world.random.chance(200);
        world.apply(Command::SetSchedulerConfig {
            config: Box::new(config),
            check_index: None,
        });
        world
    }

    /// Notes what happened.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.story.len() >= STORY {
            self.story.drain(..STORY / 2);
        }
        let line = format!("{} {}", self.now.0 / 1_000_000 % 100_000_000, line());
        self.story.push(line);
    }

    /// Applies a command. The queues hear of it at the next [`World::listen`].
    pub(crate) fn apply(&mut self, command: Command) -> Option<u64> {
        let index = self.state.index().max(10) + 1;
        match self.state.apply(index, command) {
            Ok(applied) => {
                self.note(&applied);
                self.unheard.push(applied);
                Some(index)
            }
            Err(error) => {
                self.tell(|| format!("refused: {error}"));
                None
            }
        }
    }

    fn note(&mut self, applied: &Applied) {
        for change in &applied.changes {
            match change {
                Change::Node(node) => {
                    self.touched.nodes.insert(node.id);
                }
                Change::Alloc { alloc, .. } | Change::AllocRemoved(alloc) => {
                    self.touched.nodes.insert(alloc.node_id);
                    let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
                    self.touched.jobs.insert(key);
                }
                Change::Eval(eval) => {
                    self.touched.evals.insert(eval.id);
                }
                _ => {}
            }
        }
    }

    /// The queues hear of what was applied.
    pub(crate) fn listen(&mut self) {
        let batch = std::mem::take(&mut self.unheard);
        if !batch.is_empty() {
            self.queues.observe(&batch, &self.state, self.now);
        }
    }

    /// Whether the queues know all that was applied.
    pub(crate) fn has_heard_all(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Another leader takes over: queues and timers are made anew from the state.
    pub(crate) fn change_leader(&mut self) {
        self.unheard.clear();
        self.queues.revoke();
        self.queues.establish(&self.state, self.now);
        self.liveness.revoke();
        self.liveness.establish(&self.state, self.now);
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Registers a job with its evaluation.
    pub(crate) fn register(&mut self, mut job: Job) {
        job.submit_time = self.now;
        let eval = self.evaluation(&job, trigger::JOB_REGISTER);
        let now = self.now;
        self.apply(Command::RegisterJob {
            job: std::sync::Arc::new(job),
            submission: None,
            eval: Some(eval),
            policy_ids: Vec::new(),
            now,
        });
    }

    /// An evaluation of a job.
    pub(crate) fn evaluation(&mut self, job: &Job, why: &str) -> Evaluation {
        Evaluation {
            id: EvalId::from_u128(self.random.id()),
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            r#type: job.r#type.clone(),
            priority: job.priority,
            triggered_by: why.to_owned(),
            job_modify_index: job.job_modify_index,
            status: EvalStatus::Pending,
            create_time: self.now,
            modify_time: self.now,
            ..Evaluation::default()
        }
    }
}
