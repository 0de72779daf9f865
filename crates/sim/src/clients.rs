//! Simulated nodes: they beat, take up what is desired of them, and tell how it goes, each at its own pace.

use crate::world::World;
use caravan_control::client_update::follow_ups;
use caravan_control::liveness::status_of_beating;
use caravan_control::node_update::{node_update_evals, status_matters};
use caravan_model::*;
use caravan_state::Command;
use std::collections::BTreeMap;

/// A node and the client on it.
pub(crate) struct Client {
    pub(crate) id: NodeId,
    /// Whether it runs and reaches the servers.
    pub(crate) up: bool,
    /// How many times slower than others it is.
    pub(crate) slowness: i64,
    next_beat: UnixNanos,
    tasks: BTreeMap<AllocId, Task>,
}

/// What the client knows of an allocation.
#[derive(Clone, Copy)]
struct Task {
    status: ClientStatus,
    healthy: Option<bool>,
    /// When the next thing happens to it, and what.
    next: Option<(UnixNanos, Event)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Starts,
    IsJudged(bool),
    Ends(ClientStatus),
    Stops,
}

impl Client {
    pub(crate) fn new(id: NodeId) -> Self {
        Self {
            id,
            up: true,
            slowness: 1,
            next_beat: UnixNanos(0),
            tasks: BTreeMap::new(),
        }
    }

    /// Whether something is still going on here.
    pub(crate) fn is_busy(&self) -> bool {
        self.tasks.values().any(|task| task.next.is_some())
    }

    /// Whether something is to be done that cannot wait for chance.
    pub(crate) fn is_due(&self, now: UnixNanos) -> bool {
        let mut tasks = self.tasks.values().filter_map(|task| task.next);
        self.up && (self.next_beat <= now || tasks.any(|(at, _)| at <= now))
    }

    /// Beats when it is time, takes up its work, and tells what happened. `failing` permille of tasks fail.
    pub(crate) fn step(&mut self, world: &mut World, failing: usize) {
        if !self.up {
            return;
        }
        if world.now >= self.next_beat {
            self.beat(world);
        }
        self.pull(world);
        self.advance(world, failing);
        self.tell(world);
    }

    fn beat(&mut self, world: &mut World) {
        let Some(node) = world.state.node(&self.id).cloned() else {
            return;
        };
        let status = status_of_beating(&world.state, &node, NodeStatus::Ready);
        if status != node.status {
            set_status(world, &node, status);
        }
        let spread = world.random.fraction();
        let ttl = world.liveness.beat(self.id, world.now, spread);
        self.next_beat = world.now + Duration(ttl.0 / 2);
    }

    fn pull(&mut self, world: &mut World) {
        let state = world.state.clone();
        self.tasks.retain(|id, _| state.alloc(id).is_some());
        for alloc in state.allocs_of_node(&self.id) {
            let pace = Duration::from_millis(world.random.between(200, 3000) * self.slowness);
            match self.tasks.get_mut(&alloc.id) {
                None if alloc.client_terminal() => {}
                None => {
                    let event = if alloc.server_terminal() {
                        Event::Stops
                    } else {
                        Event::Starts
                    };
                    let task = Task {
                        status: alloc.client_status,
                        healthy: None,
                        next: Some((world.now + pace, event)),
                    };
                    self.tasks.insert(alloc.id, task);
                }
                Some(task) => {
                    let stopping = matches!(task.next, Some((_, Event::Stops)));
                    if alloc.server_terminal() && !task.status.is_terminal() && !stopping {
                        task.next = Some((world.now + pace, Event::Stops));
                    }
                    // What ran already may join a deployment, which waits for a verdict on it.
                    let joined = !alloc.deployment_id.is_nil() && task.healthy.is_none();
                    if joined && task.next.is_none() && task.status == ClientStatus::Running {
                        task.next = Some((world.now + pace, Event::IsJudged(true)));
                    }
                }
            }
        }
    }

    fn advance(&mut self, world: &mut World, failing: usize) {
        for (id, task) in &mut self.tasks {
            let due = task.next.filter(|(at, _)| *at <= world.now);
            let Some((_, event)) = due else { continue };
            let Some(alloc) = world.state.alloc(id) else {
                continue;
            };
            let kind = alloc.job.as_ref().map_or("", |job| job.r#type.as_str());
            let batch = kind == job_type::BATCH || kind == job_type::SYSBATCH;
            let judged = !alloc.deployment_id.is_nil();
            let later =
                |seconds: i64, event| Some((world.now + Duration::from_secs(seconds), event));
            let fails = world.random.chance(failing);
            match event {
                Event::Starts => {
                    task.status = ClientStatus::Running;
                    task.next = match (batch, judged, fails) {
                        (true, _, true) => later(3, Event::Ends(ClientStatus::Failed)),
                        (true, _, false) => later(15, Event::Ends(ClientStatus::Complete)),
                        (false, true, _) => later(5 * self.slowness, Event::IsJudged(!fails)),
                        (false, false, true) => later(20, Event::Ends(ClientStatus::Failed)),
                        (false, false, false) => None,
                    };
                }
                Event::IsJudged(healthy) => {
                    task.healthy = Some(healthy);
                    task.next = None;
                    if !healthy {
                        task.next = later(1, Event::Ends(ClientStatus::Failed));
                    }
                }
                Event::Ends(status) => {
                    task.status = status;
                    task.next = None;
                }
                Event::Stops => {
                    task.status = ClientStatus::Complete;
                    task.next = None;
                }
            }
        }
    }

    fn tell(&mut self, world: &mut World) {
        let Some(node) = world.state.node(&self.id).cloned() else {
            return;
        };
        if matches!(node.status, NodeStatus::Down | NodeStatus::Disconnected) {
            return;
        }
        // Who was away tells everything, for the servers wait to hear it.
        let tells_all = node.status == NodeStatus::Initializing;
        let mut updates = Vec::new();
        for (id, task) in &self.tasks {
            let Some(stored) = world.state.alloc(id) else {
                continue;
            };
            let verdict = stored.deployment_status.and_then(|status| status.healthy);
            let news = task.healthy.is_some() && task.healthy != verdict;
            if stored.client_status == task.status && !news && !tells_all {
                continue;
            }
            // What the servers have given up stays given up, unless it is only unknown to them.
            if stored.client_terminal() {
                continue;
            }
            let mut update = Allocation::clone(stored);
            update.client_status = task.status;
            if task.healthy.is_some() {
                let status = update.deployment_status.get_or_insert_default();
                status.healthy = task.healthy;
                status.timestamp = world.now.into();
            }
            update.task_states = task_states(task.status, world.now);
            updates.push(update);
        }
        if updates.is_empty() {
            return;
        }
        let now = world.now;
        let random = &mut world.random;
        let evals = follow_ups(
            &world.state,
            &updates,
            &mut || EvalId::from_u128(random.id()),
            now,
        );
        world.apply(Command::UpdateAllocsFromClient {
            allocs: updates,
            evals,
            now,
        });
    }
}

fn task_states(status: ClientStatus, now: UnixNanos) -> TaskStates {
    let dead = status.is_terminal();
    let state = TaskState {
        state: if dead {
            TaskPhase::Dead
        } else {
            TaskPhase::Running
        },
        failed: status == ClientStatus::Failed,
        finished_at: if dead { now.into() } else { Timestamp::ZERO },
        ..TaskState::default()
    };
    [("t".to_owned(), state)].into()
}

/// Sets a node's status with the evaluations that follow.
pub(crate) fn set_status(world: &mut World, node: &Node, status: NodeStatus) {
    let now = world.now;
    let evals = if status_matters(node.status, status) {
        let random = &mut world.random;
        node_update_evals(
            &world.state,
            node,
            &mut || EvalId::from_u128(random.id()),
            now,
        )
    } else {
        Vec::new()
    };
    world.tell(|| format!("{} is {status}", node.name));
    world.apply(Command::UpdateNodeStatus {
        node: node.id,
        status,
        event: None,
        evals,
        now,
    });
}
