//! Which cgroups there are.

use caravan_model::Node;

use super::set;
use crate::config::ClientConfig;

pub(super) fn look(_config: &ClientConfig, node: &mut Node) {
    set(
        node,
        "os.cgroups.version",
        caravan_host::cgroup::detect().as_str(),
    );
}
