//! Which controllers a leader runs.

#[cfg(test)]
mod tests;

use crate::Controller;
use crate::deployments::DeploymentWatcher;
use crate::drain::Drainer;
use crate::gc::{GarbageCollector, GcThresholds};
use crate::periodic::PeriodicLauncher;

/// What the controllers need to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How long things stay after they are over.
    pub gc: GcThresholds,
}

/// Every controller, fresh: what it remembers begins with a leadership.
#[must_use]
pub fn controllers(settings: &Settings) -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(DeploymentWatcher::default()),
        Box::new(PeriodicLauncher::default()),
        Box::new(Drainer::default()),
        Box::new(GarbageCollector::new(settings.gc)),
    ]
}
