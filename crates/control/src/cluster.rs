//! A cluster in plain values for tests: every row gets into its state by a command.

use crate::{Controller, Ids};
use caravan_model::*;
use caravan_state::{Applied, Command, JobKey, PlanApply, State};
use std::sync::Arc;

/// So many seconds after the tests' first day began (a Wednesday).
pub(crate) fn at(seconds: i64) -> UnixNanos {
    UnixNanos(1_798_675_200_000_000_000) + Duration::from_secs(seconds)
}

pub(crate) fn alloc_id(number: u128) -> AllocId {
    AllocId::from_u128(number)
}

pub(crate) fn node_id(number: u128) -> NodeId {
    NodeId::from_u128(number << 64)
}

pub(crate) fn deployment_id(number: u128) -> DeploymentId {
    DeploymentId::from_u128(number << 32)
}

pub(crate) fn key(job: &str) -> JobKey {
    JobKey::new("default", job)
}

/// A service job with one group of this count.
pub(crate) fn service(id: &str, count: i64) -> Job {
    let group = TaskGroup {
        name: "web".to_owned(),
        count,
        migrate: Some(MigrateStrategy {
            max_parallel: 1,
            ..MigrateStrategy::default()
        }),
        reschedule_policy: Some(ReschedulePolicy {
            unlimited: true,
            ..ReschedulePolicy::default()
        }),
        ..TaskGroup::default()
    };
    Job {
        id: id.into(),
        name: id.to_owned(),
        namespace: "default".into(),
        node_pool: "default".to_owned(),
        datacenters: vec!["*".to_owned()],
        r#type: job_type::SERVICE.to_owned(),
        priority: 50,
        task_groups: vec![group],
        ..Job::default()
    }
}

pub(crate) struct Cluster {
    pub(crate) state: State,
    pub(crate) now: UnixNanos,
    next_id: u128,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            state: State::initial(),
            now: at(0),
            next_id: 1 << 100,
        }
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    #[track_caller]
    pub(crate) fn apply(&mut self, command: Command) -> Applied {
        let index = self.state.index().max(10) + 1;
        self.state
            .apply(index, command)
            .expect("the state takes the command")
    }

    /// What a controller wants, carried out. Its next step must want nothing.
    #[track_caller]
    pub(crate) fn settle(
        &mut self,
        controller: &mut dyn Controller,
    ) -> (Vec<Command>, Option<UnixNanos>) {
        let first = self.step(controller);
        for command in first.commands.clone() {
            self.apply(command);
        }
        let second = self.step(controller);
        assert!(
            second.commands.is_empty(),
            "a second step wants {:?}",
            second.commands
        );
        (first.commands, second.wake_at)
    }

    pub(crate) fn step(&mut self, controller: &mut dyn Controller) -> crate::Step {
        let next_id = &mut self.next_id;
        let mut fresh = || {
            *next_id += 1;
            *next_id
        };
        controller.step(&self.state, self.now, &mut Ids(&mut fresh))
    }

    /// Calls something with fresh ids.
    pub(crate) fn with_ids<T>(
        &mut self,
        call: impl FnOnce(&State, UnixNanos, &mut Ids<'_>) -> T,
    ) -> T {
        let next_id = &mut self.next_id;
        let mut fresh = || {
            *next_id += 1;
            *next_id
        };
        call(&self.state, self.now, &mut Ids(&mut fresh))
    }

    pub(crate) fn register(&mut self, mut job: Job) -> Arc<Job> {
        if job.submit_time.is_zero() {
            job.submit_time = self.now;
        }
        let key = crate::follow_up::key_of(&job);
        let command = Command::RegisterJob {
            job: Arc::new(job),
            submission: None,
            eval: None,
            policy_ids: Vec::new(),
            now: self.now,
        };
        self.apply(command);
        Arc::clone(self.state.job(&key).expect("it was registered"))
    }

    pub(crate) fn job(&self, id: &str) -> &Job {
        self.state.job(&key(id)).expect("a registered job")
    }

    pub(crate) fn add_node(&mut self, number: u128) -> NodeId {
        let id = node_id(number);
        let node = Node {
            id,
            name: format!("node-{number}"),
            datacenter: "dc1".to_owned(),
            node_pool: "default".to_owned(),
            status: NodeStatus::Ready,
            scheduling_eligibility: Eligibility::Eligible,
            ..Node::default()
        };
        let command = Command::RegisterNode {
            node: Box::new(node),
            create_pool: false,
            evals: Vec::new(),
            now: self.now,
        };
        self.apply(command);
        id
    }

    /// Places an allocation of the group `web` of a job; `change` may set what differs.
    pub(crate) fn place(
        &mut self,
        number: u128,
        job: &Job,
        change: impl FnOnce(&mut Allocation),
    ) -> AllocId {
        let mut alloc = Allocation {
            id: alloc_id(number),
            namespace: job.namespace.clone(),
            job_id: job.id.clone(),
            job: Some(Arc::new(job.clone())),
            name: Allocation::make_name(&job.id, "web", 0),
            task_group: "web".to_owned(),
            node_id: node_id(1),
            ..Allocation::default()
        };
        change(&mut alloc);
        let id = alloc.id;
        self.plan(PlanApply {
            allocs: vec![alloc],
            ..PlanApply::default()
        });
        id
    }

    pub(crate) fn plan(&mut self, plan: PlanApply) {
        let now = self.now;
        self.apply(Command::ApplyPlan(Box::new(PlanApply { now, ..plan })));
    }

    /// The client of an allocation says how it stands.
    pub(crate) fn tell(&mut self, id: AllocId, status: ClientStatus, healthy: Option<bool>) {
        let mut alloc = Allocation::clone(self.state.alloc(&id).expect("a placed allocation"));
        alloc.client_status = status;
        if healthy.is_some() {
            let verdict = alloc.deployment_status.get_or_insert_default();
            verdict.healthy = healthy;
            verdict.timestamp = self.now.into();
        }
        let now = self.now;
        self.apply(Command::UpdateAllocsFromClient {
            allocs: vec![alloc],
            evals: Vec::new(),
            now,
        });
    }

    /// Ends every open evaluation of a job, as if it had seen the state of now.
    pub(crate) fn finish_evals(&mut self, job: &str) -> usize {
        let seen = self.state.index();
        let evals: Vec<Evaluation> = self
            .state
            .open_evals_of_job(&key(job))
            .map(|eval| Evaluation {
                status: EvalStatus::Complete,
                snapshot_index: seen,
                ..Evaluation::clone(eval)
            })
            .collect();
        let count = evals.len();
        if count > 0 {
            self.apply(Command::UpsertEvals {
                evals,
                now: self.now,
            });
        }
        count
    }

    pub(crate) fn upsert_eval(&mut self, eval: Evaluation) {
        self.apply(Command::UpsertEvals {
            evals: vec![eval],
            now: self.now,
        });
    }
}
