//! The end of a run, and what follows: another run after a while, or death.

use caravan_driver::ExitResult;
use caravan_model::task_event as event;
use caravan_model::{TaskEvent, TaskPhase, UnixNanos};

use super::{Action, Phase, TaskMachine, stamp};
use crate::clock::after;
use crate::task::restart::{Cause, Decision};

impl TaskMachine {
    pub(super) fn exited(&mut self, result: &ExitResult, now: UnixNanos, out: &mut Vec<Action>) {
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

    pub(super) fn after_end(&mut self, cause: Cause, now: UnixNanos, out: &mut Vec<Action>) {
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

    pub(super) fn die(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.phase = Phase::Dead;
        self.state.state = TaskPhase::Dead;
        self.state.finished_at = stamp(now);
        out.push(Action::Finish);
    }

    pub(super) fn die_killed(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
        self.note(TaskEvent::new(event::KILLED, now));
        self.die(now, out);
    }
}
