//! How one task of an allocation stands.

use crate::shape;
use crate::small_map::SmallMap;
use crate::task_event::{KEPT, TaskEvent};
use crate::text_enum::text_enum;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

text_enum! {
    /// Whether a task runs.
    TaskPhase as "task state" {
        Pending = "pending",
        Running = "running",
        Dead = "dead",
    }
}

/// How the tasks of an allocation stand, by task name.
pub type TaskStates = SmallMap<String, TaskState>;

/// How one task of an allocation stands.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskState {
    /// Whether it runs.
    pub state: TaskPhase,
    /// Whether it failed for good.
    pub failed: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// When it was last started again.
    pub last_restart: Timestamp,
    /// When it last started.
    pub started_at: Timestamp,
    /// When it ended for good.
    pub finished_at: Timestamp,
    /// The last ten events, oldest first.
    #[serde(with = "shape::nullable")]
    pub events: Vec<TaskEvent>,
    /// Why it is paused: empty, `force_run`, `scheduled_pause` or `force_pause`.
    pub paused: Box<str>,
}

impl TaskState {
    /// Whether it ended for good and did not fail.
    #[must_use]
    pub fn successful(&self) -> bool {
        self.state == TaskPhase::Dead && !self.failed
    }

    /// Adds an event and drops the oldest beyond what is kept.
    pub fn add_event(&mut self, event: TaskEvent) {
        self.events.push(event);
        let surplus = self.events.len().saturating_sub(KEPT);
        self.events.drain(..surplus);
    }
}
