//! The way to a run: from its turn, over the hooks and the driver, to a process that is there.

use caravan_model::task_event as event;
use caravan_model::{TaskEvent, TaskPhase, UnixNanos};

use super::{Action, Failure, Phase, TaskMachine, stamp};
use crate::task::restart::Cause;

impl TaskMachine {
    pub(super) fn go(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Preparing;
            out.push(Action::Prepare { again: self.ran });
        }
    }

    pub(super) fn prepared(
        &mut self,
        result: Result<(), Failure>,
        now: UnixNanos,
        out: &mut Vec<Action>,
    ) {
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

    pub(super) fn started(
        &mut self,
        result: Result<(), Failure>,
        now: UnixNanos,
        out: &mut Vec<Action>,
    ) {
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
            self.stop_to_kill(now, out);
        } else if self.restart.is_some() {
            self.stop(0, out);
        } else {
            out.push(Action::Announce);
        }
    }

    pub(super) fn readopted(&mut self, now: UnixNanos, out: &mut Vec<Action>) {
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
}
