//! The life of one task as a state machine: what happened goes in, what to do comes out.
//!
//! It reads no clock and does nothing itself. [`TaskMachine::wake_at`] says when it wants an [`Input::Tick`].
//! Here is what the machine remembers and where each input goes; `events` holds the inputs and actions, `start` the way
//! to a run, `stop` how a run is broken off, `end` what follows a run.

use caravan_model::task_event as event;
use caravan_model::{
    Duration, RestartPolicy, Task, TaskEvent, TaskPhase, TaskState, Timestamp, UnixNanos,
};

use super::restart::Tracker;
use crate::clock::after;

mod end;
mod events;
mod start;
mod stop;
#[cfg(test)]
mod tests;

pub(crate) use events::{Action, Failure, Input};

/// When a task runs among the tasks of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Prestart,
    Main,
    Poststart,
    Poststop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Preparing,
    Starting,
    Running,
    /// Its services are withdrawn, and it gets time before it is told to end.
    Delaying {
        until: UnixNanos,
    },
    Stopping {
        tries: u32,
        again_at: Option<UnixNanos>,
    },
    Backoff {
        until: UnixNanos,
    },
    Dead,
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct TaskMachine {
    pub(crate) name: String,
    pub(crate) stage: Stage,
    pub(crate) sidecar: bool,
    pub(crate) leader: bool,
    pub(crate) state: TaskState,
    phase: Phase,
    tracker: Tracker,
    shutdown_delay: Duration,
    kill_timeout: Duration,
    killed: bool,
    /// The event of the kill was told by whoever asked for it.
    killing_told: bool,
    /// A restart was asked for; whether it counts.
    restart: Option<bool>,
    ran: bool,
    /// When its last run began, by a clock that was not set since.
    since: UnixNanos,
}

/// The stage of a task.
pub(crate) fn stage_of(task: &Task) -> Stage {
    if task.is_prestart() {
        Stage::Prestart
    } else if task.is_poststart() {
        Stage::Poststart
    } else if task.is_poststop() {
        Stage::Poststop
    } else {
        Stage::Main
    }
}

fn kill_timeout(task: &Task, most: Duration) -> Duration {
    Duration(task.kill_timeout.0.min(most.0))
}

fn stamp(now: UnixNanos) -> Timestamp {
    Timestamp(now.0)
}

impl TaskMachine {
    /// A task that was just received. `batch`: it is not started again after it ended well.
    pub(crate) fn new(
        task: &Task,
        policy: RestartPolicy,
        batch: bool,
        max_kill_timeout: Duration,
        now: UnixNanos,
        seed: u64,
    ) -> Self {
        let stage = stage_of(task);
        let sidecar = task.is_sidecar() && stage != Stage::Poststop;
        let on_success = sidecar || (stage == Stage::Main && !batch);
        let mut machine = Self {
            name: task.name.clone(),
            stage,
            sidecar,
            leader: task.leader,
            state: TaskState::default(),
            phase: Phase::Waiting,
            tracker: Tracker::new(policy, on_success, now, seed),
            shutdown_delay: task.shutdown_delay,
            kill_timeout: kill_timeout(task, max_kill_timeout),
            killed: false,
            killing_told: false,
            restart: None,
            ran: false,
            since: now,
        };
        machine.note(TaskEvent::new(event::RECEIVED, now));
        machine
    }

    /// Takes a stored state over: dead tasks stay dead, the others wait for [`Input::Readopted`],
    /// [`Input::Lost`] or their turn.
    pub(crate) fn restore(&mut self, state: TaskState) {
        self.ran = !state.started_at.is_zero();
        self.since = UnixNanos(state.started_at.0);
        self.phase = if state.state == TaskPhase::Dead {
            Phase::Dead
        } else {
            Phase::Waiting
        };
        self.state = state;
    }

    /// The clock was set: every deadline moves along, so that waits last as long as they were to.
    pub(crate) fn shift(&mut self, by: Duration) {
        self.tracker.shift(by);
        self.since = after(self.since, by);
        match &mut self.phase {
            Phase::Delaying { until } | Phase::Backoff { until } => *until = after(*until, by),
            Phase::Stopping {
                again_at: Some(at), ..
            } => *at = after(*at, by),
            Phase::Stopping { again_at: None, .. }
            | Phase::Waiting
            | Phase::Preparing
            | Phase::Starting
            | Phase::Running
            | Phase::Dead => {}
        }
    }

    /// When its last run began.
    pub(crate) fn running_since(&self) -> UnixNanos {
        self.since
    }

    /// Takes settings of a new version of the job over that need no restart.
    pub(crate) fn update(
        &mut self,
        task: &Task,
        policy: RestartPolicy,
        max_kill_timeout: Duration,
    ) {
        self.shutdown_delay = task.shutdown_delay;
        self.kill_timeout = kill_timeout(task, max_kill_timeout);
        self.tracker.set_policy(policy);
    }

    /// The allocation could not be set up.
    pub(crate) fn fail_setup(&mut self, why: &str, now: UnixNanos) {
        self.note(
            TaskEvent::new(event::SETUP_FAILURE, now)
                .setup_error(why)
                .fails_task(),
        );
        self.state.failed = true;
        self.die(now, &mut Vec::new());
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.phase == Phase::Dead
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// Whether its process is there and was not asked to end.
    pub(crate) fn is_running(&self) -> bool {
        self.state.state == TaskPhase::Running
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.killed
    }

    /// Whether it has run at least once.
    pub(crate) fn has_run(&self) -> bool {
        self.ran
    }

    pub(crate) fn wake_at(&self) -> Option<UnixNanos> {
        match self.phase {
            Phase::Delaying { until } | Phase::Backoff { until } => Some(until),
            Phase::Stopping { again_at, .. } => again_at,
            Phase::Waiting | Phase::Preparing | Phase::Starting | Phase::Running | Phase::Dead => {
                None
            }
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: UnixNanos) -> Vec<Action> {
        let mut out = Vec::new();
        match input {
            Input::Go => self.go(&mut out),
            Input::Prepared(result) => self.prepared(result, now, &mut out),
            Input::Started(result) => self.started(result, now, &mut out),
            Input::Exited(result) => self.exited(&result, now, &mut out),
            Input::StopFailed(error) => self.stop_failed(&error, now, &mut out),
            Input::Kill { why, no_delay } => self.kill(why, no_delay, now, &mut out),
            Input::Restart {
                why,
                failure,
                dead_too,
            } => self.asked_to_restart(why, failure, dead_too, &mut out),
            Input::Note(note) => self.note(note),
            Input::Readopted => self.readopted(now, &mut out),
            Input::Lost(why) => self.note(TaskEvent::new(event::RESTORE_FAILED, now).message(why)),
            Input::Tick => self.tick(now, &mut out),
        }
        out
    }

    fn note(&mut self, note: TaskEvent) {
        self.state.add_event(note);
    }

    fn tick(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Backoff { until } if now >= until => {
                self.phase = Phase::Preparing;
                out.push(Action::Prepare { again: true });
            }
            Phase::Delaying { until } if now >= until => self.stop_to_kill(now, out),
            Phase::Stopping {
                tries,
                again_at: Some(at),
            } if now >= at => self.stop(tries, out),
            _ => {}
        }
    }
}
