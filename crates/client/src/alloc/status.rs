//! How an allocation stands, derived from how its tasks stand (runtime sheet §J).

use caravan_model::{ClientStatus, TaskPhase, TaskState, client_description};

/// The status of an allocation and its text.
pub(crate) fn client_status<'a>(
    tasks: impl Iterator<Item = &'a TaskState>,
) -> (ClientStatus, &'static str) {
    let (mut failed, mut running, mut pending) = (false, false, false);
    for task in tasks {
        match task.state {
            TaskPhase::Running => running = true,
            TaskPhase::Pending => pending = true,
            TaskPhase::Dead => failed |= task.failed,
        }
    }
    if failed {
        (ClientStatus::Failed, client_description::FAILED)
    } else if running {
        (ClientStatus::Running, client_description::RUNNING)
    } else if pending {
        (ClientStatus::Pending, client_description::PENDING)
    } else {
        (ClientStatus::Complete, client_description::COMPLETE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: TaskPhase, failed: bool) -> TaskState {
        TaskState {
            state,
            failed,
            ..TaskState::default()
        }
    }

    #[test]
    fn failed_goes_before_running_before_pending_before_complete() {
        use TaskPhase::{Dead, Pending, Running};
        let of = |states: &[TaskState]| client_status(states.iter()).0;
        let (dead, pending, running) = (
            state(Dead, false),
            state(Pending, false),
            state(Running, false),
        );
        assert_eq!(of(std::slice::from_ref(&dead)), ClientStatus::Complete);
        assert_eq!(of(&[dead.clone(), pending.clone()]), ClientStatus::Pending);
        assert_eq!(
            of(&[dead.clone(), pending.clone(), running.clone()]),
            ClientStatus::Running
        );
        assert_eq!(of(&[state(Dead, true), running]), ClientStatus::Failed);
    }
}
