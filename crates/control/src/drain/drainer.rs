//! The drainer: has allocations leave draining nodes, and ends drains.

use super::groups::{leaving, may_leave};
use super::update::{drain_event, noted};
use crate::follow_up::evaluation;
use crate::{Controller, Ids, Step};
use caravan_model::*;
use caravan_state::{Change, Command, DrainUpdate, JobKey, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a forced drain may be taken back or softened before anything leaves.
const SECOND_THOUGHTS: Duration = Duration::from_secs(1);

/// The most allocations that one command tells to leave.
const BATCH: usize = 7281;

/// Empties every node that drains.
///
/// It remembers nothing that matters: what it wants follows from the state and the time alone.
#[derive(Debug, Default)]
pub struct Drainer {
    /// Whether some node drained at the last look, so that allocations matter.
    draining: bool,
}

impl Controller for Drainer {
    fn name(&self) -> &'static str {
        "drain"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Node(node) => node.drain_strategy.is_some(),
            Change::Alloc { .. } | Change::AllocRemoved(_) | Change::Job(_) => self.draining,
            _ => false,
        }
    }

    fn step(&mut self, state: &State, now: UnixNanos, ids: &mut Ids<'_>) -> Step {
        let mut pass = Pass::new(state, now);
        self.draining = !pass.draining.is_empty();
        pass.judge_nodes();
        pass.empty_gradually();
        pass.into_step(ids)
    }
}

/// One look at all draining nodes.
struct Pass<'a> {
    state: &'a State,
    now: UnixNanos,
    draining: BTreeSet<NodeId>,
    /// Allocations to be told to leave, with their jobs.
    wishes: BTreeMap<AllocId, DesiredTransition>,
    jobs: BTreeMap<JobKey, Arc<Job>>,
    ended: BTreeMap<NodeId, DrainUpdate>,
    wake_at: Option<UnixNanos>,
}

impl<'a> Pass<'a> {
    fn new(state: &'a State, now: UnixNanos) -> Self {
        let draining = state.nodes().filter(|node| node.drain_strategy.is_some());
        Self {
            state,
            now,
            draining: draining.map(|node| node.id).collect(),
            wishes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            ended: BTreeMap::new(),
            wake_at: None,
        }
    }

    /// Ends the drains of nodes that are empty or whose time is over; whatever is left on them leaves now.
    fn judge_nodes(&mut self) {
        let state = self.state;
        for id in self.draining.clone() {
            let Some(node) = state.node(&id) else {
                continue;
            };
            let Some(strategy) = &node.drain_strategy else {
                continue;
            };
            let deadline = deadline(node, strategy);
            let overdue = !deadline.is_zero() && deadline <= self.now;
            if !overdue && strategy.deadline.0 < 0 {
                self.draining.remove(&id);
                self.wake_at = Some(self.wake_at.map_or(deadline, |at| at.min(deadline)));
                continue;
            }
            let empty = !state
                .allocs_of_node(&id)
                .any(|alloc| !goes_last(alloc) && !alloc.client_terminal());
            if overdue || empty {
                self.end(node, strategy, overdue && !empty);
            } else if !deadline.is_zero() {
                self.wake_at = Some(self.wake_at.map_or(deadline, |at| at.min(deadline)));
            }
        }
    }

    fn end(&mut self, node: &Node, strategy: &DrainStrategy, deadline_reached: bool) {
        let state = self.state;
        for alloc in state
            .allocs_of_node(&node.id)
            .filter(|alloc| may_leave(alloc))
        {
            if !(strategy.ignore_system_jobs && is_system(alloc)) {
                self.tell(alloc);
            }
        }
        let mut event = drain_event(node_event::DRAIN_COMPLETE, self.now);
        if deadline_reached {
            event
                .details
                .insert("deadline_reached".to_owned(), "true".to_owned());
        }
        let last = node.last_drain.as_ref();
        let complete = DrainStatus::Complete;
        let metadata = noted(
            last,
            strategy.started_at,
            complete,
            StringMap::new(),
            self.now,
        );
        let update = DrainUpdate {
            strategy: None,
            mark_eligible: false,
            metadata: Some(metadata),
            event: Some(event),
        };
        self.ended.insert(node.id, update);
    }

    /// Tells as many allocations of services to leave as their groups can spare. Batch work may go on.
    fn empty_gradually(&mut self) {
        let state = self.state;
        let emptying: BTreeSet<NodeId> = self
            .draining
            .iter()
            .filter(|id| !self.ended.contains_key(id))
            .copied()
            .collect();
        let services: BTreeSet<JobKey> = emptying
            .iter()
            .flat_map(|node| state.allocs_of_node(node))
            .filter(|alloc| may_leave(alloc))
            .map(|alloc| JobKey::new(alloc.namespace.clone(), alloc.job_id.clone()))
            .collect();
        for key in services {
            let Some(job) = state.job(&key).filter(|job| job.is_service()) else {
                continue;
            };
            for id in leaving(state, &key, job, &emptying, &self.wishes) {
                if let Some(alloc) = state.alloc(&id) {
                    self.tell(alloc);
                }
            }
        }
    }

    /// Tells an allocation to leave. A batch allocation is not begun anew elsewhere.
    fn tell(&mut self, alloc: &Arc<Allocation>) {
        let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
        let Some(job) = self.state.job(&key).or(alloc.job.as_ref()) else {
            return;
        };
        let wish = DesiredTransition {
            migrate: Some(true),
            migrate_disable_placement: job.is_batch_like().then_some(true),
            ..DesiredTransition::default()
        };
        self.wishes.insert(alloc.id, wish);
        self.jobs.entry(key).or_insert_with(|| Arc::clone(job));
    }

    fn into_step(self, ids: &mut Ids<'_>) -> Step {
        let now = self.now;
        let mut commands = Vec::new();
        let mut evals: Vec<Evaluation> = self
            .jobs
            .values()
            .map(|job| evaluation(job, trigger::NODE_DRAIN, ids.eval(), now))
            .collect();
        let mut wishes = self.wishes.into_iter().peekable();
        while wishes.peek().is_some() {
            let transitions = wishes.by_ref().take(BATCH).collect();
            // Evaluations come with the last wishes, so that they see all of them.
            let last = wishes.peek().is_none();
            let evals = if last {
                std::mem::take(&mut evals)
            } else {
                Vec::new()
            };
            commands.push(Command::UpdateDesiredTransitions {
                transitions,
                evals,
                now,
            });
        }
        if !self.ended.is_empty() {
            commands.push(Command::UpdateNodeDrains {
                updates: self.ended,
                evals: Vec::new(),
                now,
            });
        }
        Step {
            commands,
            wake_at: self.wake_at,
        }
    }
}

/// When everything is to leave; zero for never.
fn deadline(node: &Node, strategy: &DrainStrategy) -> UnixNanos {
    if strategy.deadline.0 >= 0 {
        return strategy.force_deadline.into();
    }
    let asked = node
        .last_drain
        .as_ref()
        .map_or(strategy.started_at, |last| last.updated_at);
    UnixNanos::from(asked) + SECOND_THOUGHTS
}

fn is_system(alloc: &Allocation) -> bool {
    alloc
        .job
        .as_ref()
        .is_some_and(|job| job.r#type == job_type::SYSTEM)
}

/// Whether an allocation leaves after all others: system jobs, and plugins that others need to let their
/// volumes go.
fn goes_last(alloc: &Allocation) -> bool {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let is_plugin = group.is_some_and(|group| {
        group
            .tasks
            .iter()
            .any(|task| task.csi_plugin_config.is_some())
    });
    is_system(alloc) || is_plugin
}
