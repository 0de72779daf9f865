//! The life of one task as a state machine: what happened goes in, what to do comes out.
//!
//! It reads no clock and does nothing itself. [`TaskMachine::wake_at`] says when it wants an [`Input::Tick`].

use caravan_driver::ExitResult;
use caravan_model::task_event as event;
use caravan_model::{
    Duration, RestartPolicy, Task, TaskEvent, TaskPhase, TaskState, Timestamp, UnixNanos,
};

use super::restart::{Cause, Decision, Tracker};
use crate::clock::after;

#[cfg(test)]
mod tests;

/// When a task runs among the tasks of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Prestart,
    Main,
    Poststart,
    Poststop,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// It is its turn.
    Go,
    Prepared(Result<(), Failure>),
    Started(Result<(), Failure>),
    Exited(ExitResult),
    /// The driver could not stop it.
    StopFailed(String),
    /// It is to end for good. `why` is told first.
    Kill {
        why: Option<TaskEvent>,
        no_delay: bool,
    },
    /// It is to start again.
    Restart {
        why: TaskEvent,
        failure: bool,
        dead_too: bool,
    },
    /// Something worth telling.
    Note(TaskEvent),
    /// It was found running after the agent restarted.
    Readopted,
    /// It was running before the agent restarted and cannot be found.
    Lost(String),
    Tick,
}

/// Why a step failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) event: Option<TaskEvent>,
    pub(crate) recoverable: bool,
    /// It ends the task, whatever its restart policy.
    pub(crate) kills: bool,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Run the hooks before a start; `again` when it ran before.
    Prepare {
        again: bool,
    },
    /// Break off what [`Action::Prepare`] began; it answers with a failure.
    Abandon,
    Start,
    /// It runs: announce its services, watch its checks.
    Announce,
    /// It is about to end: withdraw its services.
    Withdraw,
    Stop {
        timeout: Duration,
    },
    /// It ended: let the driver forget it.
    Clean,
    /// It is dead for good.
    Finish,
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

const STOP_RETRY: Duration = Duration::from_secs(5);
const STOP_RETRY_MOST: Duration = Duration::from_secs(120);
const STOP_TRIES: u32 = 5;

/// The stage of a task and whether it runs beside the main tasks.
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
            kill_timeout: Duration(task.kill_timeout.0.min(max_kill_timeout.0)),
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
        self.kill_timeout = Duration(task.kill_timeout.0.min(max_kill_timeout.0));
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

    fn go(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Preparing;
            out.push(Action::Prepare { again: self.ran });
        }
    }

    fn prepared(&mut self, result: Result<(), Failure>, now: UnixNanos, out: &mut Vec<Action>) {
        if self.phase != Phase::Preparing {
            return;
        }
        match result {
            _ if self.killed => self.die_killed(now, out),
            Ok(()) => {
                self.phase = Phase::Starting;
                out.push(Action::Start);
            }
            Err(failure) => self.failed_to_start(failure, now, out),
        }
    }

    fn failed_to_start(&mut self, failure: Failure, now: UnixNanos, out: &mut Vec<Action>) {
        let Failure {
            event,
            recoverable,
            kills,
        } = failure;
        if let Some(event) = event {
            self.note(event);
        }
        if kills {
            self.state.failed = true;
            return self.die(now, out);
        }
        self.after_end(Cause::StartError { recoverable }, now, out);
    }

    fn started(&mut self, result: Result<(), Failure>, now: UnixNanos, out: &mut Vec<Action>) {
        if self.phase != Phase::Starting {
            return;
        }
        if let Err(failure) = result {
            if self.killed {
                return self.die_killed(now, out);
            }
            return self.failed_to_start(failure, now, out);
        }
        self.phase = Phase::Running;
        self.state.state = TaskPhase::Running;
        self.begun(now);
        if self.killed {
            self.begin_stop(now, out);
        } else if self.restart.is_some() {
            self.stop_for_restart(out);
        } else {
            out.push(Action::Announce);
        }
    }

    fn readopted(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        self.state.state = TaskPhase::Running;
        if !self.ran {
            // The agent was killed between the start and the note of it.
            self.begun(now);
        }
        out.push(Action::Announce);
    }

    fn begun(&mut self, now: UnixNanos) {
        self.ran = true;
        self.state.started_at = stamp(now);
        self.since = now;
        self.note(TaskEvent::new(event::STARTED, now));
    }

    fn exited(&mut self, result: &ExitResult, now: UnixNanos, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Running => out.push(Action::Withdraw),
            Phase::Delaying { .. } | Phase::Stopping { .. } => {}
            Phase::Waiting
            | Phase::Preparing
            | Phase::Starting
            | Phase::Backoff { .. }
            | Phase::Dead => return,
        }
        let message = result.err.as_deref().unwrap_or_default();
        let (code, signal) = (i64::from(result.exit_code), i64::from(result.signal));
        self.note(TaskEvent::new(event::TERMINATED, now).exit(
            code,
            signal,
            result.oom_killed,
            message,
        ));
        out.push(Action::Clean);
        if self.killed {
            return self.die_killed(now, out);
        }
        let cause = match self.restart.take() {
            Some(failure) => Cause::Triggered { failure },
            None => Cause::Exit {
                success: result.successful(),
            },
        };
        self.after_end(cause, now, out);
    }

    fn after_end(&mut self, cause: Cause, now: UnixNanos, out: &mut Vec<Action>) {
        self.restart = None;
        match self.tracker.decide(cause, now) {
            Decision::Restart { delay, reason } => {
                self.note(
                    TaskEvent::new(event::RESTARTING, now)
                        .restart_reason(reason)
                        .start_delay(delay),
                );
                self.state.state = TaskPhase::Pending;
                self.state.restarts += 1;
                self.state.last_restart = stamp(now);
                self.phase = Phase::Backoff {
                    until: after(now, delay),
                };
                self.tick(now, out);
            }
            Decision::Done => self.die(now, out),
            Decision::Fail { reason } => {
                self.note(
                    TaskEvent::new(event::NOT_RESTARTING, now)
                        .restart_reason(reason)
                        .fails_task(),
                );
                self.state.failed = true;
                self.die(now, out);
            }
        }
    }

    fn die(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.phase = Phase::Dead;
        self.state.state = TaskPhase::Dead;
        self.state.finished_at = stamp(now);
        out.push(Action::Finish);
    }

    fn die_killed(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.note(TaskEvent::new(event::KILLED, now));
        self.die(now, out);
    }

    fn kill(
        &mut self,
        why: Option<TaskEvent>,
        no_delay: bool,
        now: UnixNanos,
        out: &mut Vec<Action>,
    ) {
        if self.is_dead() {
            return;
        }
        if self.killed {
            if no_delay && matches!(self.phase, Phase::Delaying { .. }) {
                self.note(
                    TaskEvent::new(event::SKIPPING_SHUTDOWN_DELAY, now)
                        .message("Skipping shutdown_delay"),
                );
                self.begin_stop(now, out);
            }
            return;
        }
        self.killed = true;
        if let Some(why) = why {
            self.state.failed |= why.said().fails_task;
            self.killing_told = why.r#type == event::KILLING;
            self.note(why);
        }
        match self.phase {
            Phase::Running => {
                out.push(Action::Withdraw);
                if self.shutdown_delay.0 > 0 && !no_delay {
                    let text = format!(
                        "Waiting for shutdown_delay of {} before killing the task.",
                        self.shutdown_delay
                    );
                    self.note(TaskEvent::new(event::WAITING_SHUTDOWN_DELAY, now).message(text));
                    self.phase = Phase::Delaying {
                        until: after(now, self.shutdown_delay),
                    };
                } else {
                    self.begin_stop(now, out);
                }
            }
            Phase::Waiting | Phase::Backoff { .. } => {
                self.note_killing(now);
                self.die_killed(now, out);
            }
            Phase::Preparing => {
                self.note_killing(now);
                out.push(Action::Abandon);
            }
            // A restart is under way: the process was told already.
            Phase::Stopping { .. } => self.note_killing(now),
            Phase::Starting | Phase::Delaying { .. } | Phase::Dead => {}
        }
    }

    fn note_killing(&mut self, now: UnixNanos) {
        if std::mem::take(&mut self.killing_told) {
            return;
        }
        self.note(TaskEvent::new(event::KILLING, now).kill_timeout(self.kill_timeout));
    }

    fn begin_stop(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.note_killing(now);
        self.phase = Phase::Stopping {
            tries: 0,
            again_at: None,
        };
        out.push(Action::Stop {
            timeout: self.kill_timeout,
        });
    }

    fn stop_failed(&mut self, error: &str, now: UnixNanos, out: &mut Vec<Action>) {
        let Phase::Stopping {
            tries,
            again_at: None,
        } = self.phase
        else {
            return;
        };
        if tries + 1 >= STOP_TRIES {
            let text = format!("failed to kill task: {error}");
            self.note(TaskEvent::new(event::KILLED, now).kill_error(text));
            self.state.failed = true;
            return self.die(now, out);
        }
        let wait = STOP_RETRY
            .0
            .saturating_mul(4_i64.saturating_pow(tries))
            .min(STOP_RETRY_MOST.0);
        self.phase = Phase::Stopping {
            tries: tries + 1,
            again_at: Some(after(now, Duration(wait))),
        };
    }

    fn asked_to_restart(
        &mut self,
        why: TaskEvent,
        failure: bool,
        dead_too: bool,
        out: &mut Vec<Action>,
    ) {
        if self.killed && !self.is_dead() {
            return;
        }
        match self.phase {
            Phase::Running if self.restart.is_none() => {
                self.note(why);
                self.restart = Some(failure);
                out.push(Action::Withdraw);
                self.stop_for_restart(out);
            }
            Phase::Starting => {
                self.note(why);
                self.restart = Some(failure);
            }
            Phase::Dead if dead_too => {
                self.note(why);
                self.killed = false;
                self.state.state = TaskPhase::Pending;
                self.state.failed = false;
                self.state.finished_at = Timestamp::default();
                self.state.restarts += 1;
                self.phase = Phase::Waiting;
            }
            _ => {}
        }
    }

    fn stop_for_restart(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Stopping {
            tries: 0,
            again_at: None,
        };
        out.push(Action::Stop {
            timeout: self.kill_timeout,
        });
    }

    fn tick(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Backoff { until } if now >= until => {
                self.phase = Phase::Preparing;
                out.push(Action::Prepare { again: true });
            }
            Phase::Delaying { until } if now >= until => self.begin_stop(now, out),
            Phase::Stopping {
                tries,
                again_at: Some(at),
            } if now >= at => {
                self.phase = Phase::Stopping {
                    tries,
                    again_at: None,
                };
                out.push(Action::Stop {
                    timeout: self.kill_timeout,
                });
            }
            _ => {}
        }
    }
}
