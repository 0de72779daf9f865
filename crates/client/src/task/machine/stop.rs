//! How a run is broken off: the task is killed for good, or stopped to start again. A stop that fails is tried again.

use caravan_model::task_event as event;
use caravan_model::{Duration, TaskEvent, TaskPhase, Timestamp, UnixNanos};

use super::{Action, Phase, TaskMachine};
use crate::clock::after;

const STOP_RETRY: Duration = Duration::from_secs(5);
const STOP_RETRY_MOST: Duration = Duration::from_secs(120);
const STOP_TRIES: u32 = 5;

impl TaskMachine {
    pub(super) fn kill(
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
            if no_delay {
                self.skip_shutdown_delay(now, out);
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
                    self.wait_shutdown_delay(now);
                } else {
                    self.stop_to_kill(now, out);
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

    fn wait_shutdown_delay(&mut self, now: UnixNanos) {
        let text = format!(
            "Waiting for shutdown_delay of {} before killing the task.",
            self.shutdown_delay
        );
        self.note(TaskEvent::new(event::WAITING_SHUTDOWN_DELAY, now).message(text));
        self.phase = Phase::Delaying {
            until: after(now, self.shutdown_delay),
        };
    }

    fn skip_shutdown_delay(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Delaying { .. }) {
            return;
        }
        self.note(
            TaskEvent::new(event::SKIPPING_SHUTDOWN_DELAY, now).message("Skipping shutdown_delay"),
        );
        self.stop_to_kill(now, out);
    }

    pub(super) fn stop_to_kill(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.note_killing(now);
        self.stop(0, out);
    }

    fn note_killing(&mut self, now: UnixNanos) {
        if std::mem::take(&mut self.killing_told) {
            return;
        }
        self.note(TaskEvent::new(event::KILLING, now).kill_timeout(self.kill_timeout));
    }

    /// Tells the process to end, which `tries` stops before could not.
    pub(super) fn stop(&mut self, tries: u32, out: &mut Vec<Action>) {
        self.phase = Phase::Stopping {
            tries,
            again_at: None,
        };
        out.push(Action::Stop {
            timeout: self.kill_timeout,
        });
    }

    pub(super) fn stop_failed(&mut self, error: &str, now: UnixNanos, out: &mut Vec<Action>) {
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

    pub(super) fn asked_to_restart(
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
                self.stop(0, out);
            }
            Phase::Starting => {
                self.note(why);
                self.restart = Some(failure);
            }
            Phase::Dead if dead_too => {
                self.note(why);
                self.revive();
            }
            _ => {}
        }
    }

    /// A dead task waits for its turn again.
    fn revive(&mut self) {
        self.killed = false;
        self.state.state = TaskPhase::Pending;
        self.state.failed = false;
        self.state.finished_at = Timestamp::default();
        self.state.restarts += 1;
        self.phase = Phase::Waiting;
    }
}
