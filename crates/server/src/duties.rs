//! Which controllers a leader runs.

use crate::config::ServerConfig;
use caravan_control::Controller;

/// Every controller, fresh: what it remembers begins with this leadership.
pub(crate) fn controllers(_config: &ServerConfig) -> Vec<Box<dyn Controller>> {
    Vec::new()
}
