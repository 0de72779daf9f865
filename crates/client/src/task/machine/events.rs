//! What a task's machine is told ([`Input`]) and what it answers ([`Action`]).

use caravan_driver::ExitResult;
use caravan_model::{Duration, TaskEvent};

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
