//! Who leads, as a value that can be watched.

use openraft::{ServerState, async_runtime::watch::WatchReceiver as _, metrics::RaftServerMetrics};
use tokio::sync::watch;

use crate::{
    Member,
    raft::{Types, WatchReceiver},
    status::member,
};

/// The leader as this node knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    pub term: u64,
    /// This node leads. Wait for a barrier before acting on the state: entries of earlier leaders
    /// may not be applied yet.
    pub is_leader: bool,
    pub leader: Option<Member>,
    /// Set once raft has ended on this node, by shutdown or by failure; nothing changes after it.
    pub stopped: Option<String>,
}

impl Leadership {
    pub(crate) fn of(metrics: &RaftServerMetrics<Types>) -> Leadership {
        Leadership {
            term: metrics.vote.leader_id.term,
            is_leader: metrics.state == ServerState::Leader,
            leader: metrics
                .current_leader
                .and_then(|id| member(&metrics.membership_config, id)),
            stopped: None,
        }
    }
}

/// Copies the library's server metrics into `sender` until raft ends.
pub(crate) async fn follow(
    mut metrics: WatchReceiver<RaftServerMetrics<Types>>,
    sender: watch::Sender<Leadership>,
    why_stopped: impl FnOnce() -> String,
) {
    loop {
        let now = Leadership::of(&metrics.borrow_watched());
        publish(&sender, now);
        if metrics.changed().await.is_err() {
            break;
        }
    }
    let mut ended = sender.borrow().clone();
    ended.is_leader = false;
    ended.leader = None;
    ended.stopped = Some(why_stopped());
    publish(&sender, ended);
}

fn publish(sender: &watch::Sender<Leadership>, now: Leadership) {
    sender.send_if_modified(|current| {
        let changed = *current != now;
        *current = now;
        changed
    });
}
