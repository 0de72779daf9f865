//! The clock of raft, which wakes a server some thirty times a second: it stands where one server leads nobody but
//! itself, for then there is no heartbeat to send and no election to hold.

use std::sync::Weak;

use openraft::{ServerState, async_runtime::watch::WatchReceiver as _, metrics::RaftServerMetrics};

use crate::{
    StateMachine,
    handle::Inner,
    raft::{Types, WatchReceiver},
};

/// Stops and starts the clock with every change of members and leader, until raft ends.
pub(crate) async fn follow<M: StateMachine>(
    node: Weak<Inner<M>>,
    mut metrics: WatchReceiver<RaftServerMetrics<Types>>,
) {
    loop {
        let needed = !leads_nobody(&metrics.borrow_watched());
        let Some(node) = node.upgrade() else { return };
        node.raft.runtime_config().tick(needed);
        drop(node);
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

fn leads_nobody(metrics: &RaftServerMetrics<Types>) -> bool {
    metrics.state == ServerState::Leader && metrics.membership_config.nodes().count() == 1
}
