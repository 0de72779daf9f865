//! Which controllers a leader runs.

use crate::config::ServerConfig;
use caravan_control::Controller;
use caravan_control::Settings;

/// Every controller, fresh: what it remembers begins with this leadership.
pub(crate) fn controllers(config: &ServerConfig) -> Vec<Box<dyn Controller>> {
    caravan_control::controllers(&Settings { gc: config.gc })
}
