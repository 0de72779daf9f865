//! Things a driver says about a task while it works on it.

use std::collections::BTreeMap;

use tokio::sync::broadcast;

/// Becomes a task event of type `Driver` with `message` as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverEvent {
    pub task_id: String,
    pub alloc_id: String,
    pub task_name: String,
    pub message: String,
    pub annotations: BTreeMap<String, String>,
}

/// The sending half that a driver keeps. Events without a listener are dropped.
#[derive(Debug, Clone)]
pub struct EventSender(broadcast::Sender<DriverEvent>);

impl EventSender {
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::channel(256).0)
    }

    pub fn send(&self, event: DriverEvent) {
        // An error only says that nobody listens.
        let _ = self.0.send(event);
    }

    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<DriverEvent> {
        self.0.subscribe()
    }
}

impl Default for EventSender {
    fn default() -> Self {
        Self::new()
    }
}
