//! The controllers that a leader runs: each is asked again when something that concerns it changed, or its time has
//! come.

use crate::clock;
use crate::config::ServerConfig;
use crate::server::Shared;
use caravan_control::{Controller, Ids, Settings};
use caravan_state::{Applied, Command};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use tokio::sync::Notify;

/// Every controller, fresh: what it remembers begins with this leadership.
pub(crate) fn all(config: &ServerConfig) -> Vec<Arc<Duty>> {
    let controllers = caravan_control::controllers(&Settings { gc: config.gc });
    let duty = |controller: Box<dyn Controller>| Duty {
        name: controller.name(),
        controller: Mutex::new(controller),
        concerned: Notify::new(),
    };
    controllers.into_iter().map(duty).map(Arc::new).collect()
}

/// A controller and what wakes it.
pub(crate) struct Duty {
    name: &'static str,
    controller: Mutex<Box<dyn Controller>>,
    concerned: Notify,
}

impl Duty {
    /// Wakes the controller if it is concerned.
    pub(crate) fn observe(&self, batch: &[Applied]) {
        let controller = match self.controller.try_lock() {
            Ok(controller) => controller,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // What would concern it is being decided.
            Err(TryLockError::WouldBlock) => return self.suspect(),
        };
        let mut changes = batch.iter().flat_map(|applied| &applied.changes);
        if changes.any(|change| controller.concerns(change)) {
            self.concerned.notify_one();
        }
    }

    /// Wakes the controller, which may be concerned.
    pub(crate) fn suspect(&self) {
        self.concerned.notify_one();
    }

    /// Does what the controller says until dropped.
    pub(crate) async fn run(&self, shared: &Shared) {
        loop {
            let step = self
                .controller
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .step(
                    &shared.store.snapshot(),
                    clock::now(),
                    &mut Ids(&mut clock::fresh),
                );
            for command in &step.commands {
                self.propose(shared, command).await;
            }
            tokio::select! {
                () = self.concerned.notified() => {}
                () = tokio::time::sleep(clock::pause_until(step.wake_at)) => {}
            }
        }
    }

    async fn propose(&self, shared: &Shared, command: &Command) {
        if let Err(error) = shared.proposer.propose(command).await {
            tracing::warn!(controller = self.name, %error, "a change was not made");
        }
    }
}
