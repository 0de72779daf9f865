//! What follows from an allocation's members.

use super::{
    AllocState, Allocation, ClientStatus, DesiredStatus, RescheduleTracker, desired_description,
};
use crate::task_event::TaskEvent;
use crate::time::{Timestamp, UnixNanos};

impl ClientStatus {
    /// Whether the client is done with it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Lost)
    }
}

impl DesiredStatus {
    /// Whether the servers want it to end.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Stop | Self::Evict)
    }
}

impl Allocation {
    /// Why it was ended, where it ran for longer than its group allows.
    #[must_use]
    pub fn over_time_reason(&self) -> Option<&str> {
        let mut events = self.task_states.values().flat_map(|state| &state.events);
        events.find_map(TaskEvent::over_time_reason)
    }

    /// Whether the servers want it to end or the client is done with it.
    #[must_use]
    pub fn terminal_status(&self) -> bool {
        self.server_terminal() || self.client_terminal()
    }

    /// Whether the servers want it to end.
    #[must_use]
    pub fn server_terminal(&self) -> bool {
        self.desired_status.is_terminal()
    }

    /// Whether the client is done with it.
    #[must_use]
    pub fn client_terminal(&self) -> bool {
        self.client_status.is_terminal()
    }

    /// Whether it has tasks and all of them ended well.
    #[must_use]
    pub fn ran_successfully(&self) -> bool {
        !self.task_states.is_empty() && self.task_states.values().all(|task| task.successful())
    }

    /// Whether it tries a new version out.
    #[must_use]
    pub fn is_canary(&self) -> bool {
        self.deployment_status.is_some_and(|status| status.canary)
    }

    /// Whether its deployment's verdict is good.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.deployment_status
            .is_some_and(|status| status.is_healthy())
    }

    /// Whether its deployment's verdict is bad.
    #[must_use]
    pub fn is_unhealthy(&self) -> bool {
        self.deployment_status
            .is_some_and(|status| status.is_unhealthy())
    }

    /// Whether it is to run on, and its deployment has not heard that it is well.
    #[must_use]
    pub fn awaits_health(&self) -> bool {
        let under_way = matches!(
            self.client_status,
            ClientStatus::Pending | ClientStatus::Running
        );
        let stays = self.desired_status == DesiredStatus::Run;
        stays && under_way && !self.desired_transition.should_migrate() && !self.is_healthy()
    }

    /// Whether it has failed, and nothing has been decided about that.
    #[must_use]
    pub fn failed_unreplaced(&self) -> bool {
        self.client_status == ClientStatus::Failed
            && self.desired_status == DesiredStatus::Run
            && self.next_allocation.is_nil()
    }

    /// Whether it was stopped to be replaced, for its node was lost or drained, and nothing is in its place.
    #[must_use]
    pub fn stopped_unreplaced(&self) -> bool {
        const REPLACED: [&str; 2] = [desired_description::LOST, desired_description::MIGRATING];
        self.server_terminal()
            && self.next_allocation.is_nil()
            && REPLACED.contains(&&*self.desired_description)
    }

    /// The version of the job it runs; zero when the job is stripped.
    #[must_use]
    pub fn job_version(&self) -> u64 {
        self.job.as_ref().map_or(0, |job| job.version)
    }

    /// The number in its name.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        let (_, number) = self.name.strip_suffix(']')?.rsplit_once('[')?;
        number.parse().ok()
    }

    /// Notes a change of client status for what disconnection needs to know.
    pub fn push_client_state(&mut self, status: ClientStatus, time: Timestamp) {
        self.alloc_states.push(AllocState {
            field: AllocState::CLIENT_STATUS.to_owned(),
            value: status.as_str().to_owned(),
            time,
        });
    }

    fn client_states(&self) -> impl DoubleEndedIterator<Item = &AllocState> {
        self.alloc_states
            .iter()
            .filter(|state| state.field == AllocState::CLIENT_STATUS)
    }

    /// Whether it was last noted as unknown, so that its coming back must be dealt with.
    #[must_use]
    pub fn needs_to_reconnect(&self) -> bool {
        self.client_states()
            .rev()
            .find(|state| !state.value.is_empty())
            .is_some_and(|state| state.value == ClientStatus::Unknown.as_str())
    }

    /// Since when it is unknown: the first entry of the last run of such entries.
    #[must_use]
    pub fn last_unknown(&self) -> Option<Timestamp> {
        self.client_states()
            .rev()
            .skip_while(|state| state.value != ClientStatus::Unknown.as_str())
            .take_while(|state| state.value == ClientStatus::Unknown.as_str())
            .last()
            .map(|state| state.time)
    }

    /// When it was first noted as lost.
    #[must_use]
    pub fn first_lost(&self) -> Option<Timestamp> {
        self.client_states()
            .find(|state| state.value == ClientStatus::Lost.as_str())
            .map(|state| state.time)
    }

    /// When it ended: the latest end of a task, else its last change.
    #[must_use]
    pub fn last_event_time(&self) -> UnixNanos {
        let ended = self.task_states.values().map(|task| task.finished_at).max();
        match ended {
            Some(time) if !time.is_zero() => time.into(),
            _ => self.modify_time,
        }
    }

    /// Whether the last attempt to reschedule it found no node.
    #[must_use]
    pub fn last_reschedule_failed(&self) -> bool {
        self.reschedule_tracker
            .as_ref()
            .is_some_and(|tracker| tracker.last_reschedule == RescheduleTracker::NO_PLACEMENT)
    }
}
