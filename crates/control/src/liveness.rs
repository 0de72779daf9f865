//! Which nodes are alive (server sheet §6): how long a heartbeat lasts, and whose has run out.

use caravan_model::*;
use caravan_state::State;
use std::collections::BTreeMap;

/// How heartbeats are paced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The shortest time to live.
    pub min_ttl: Duration,
    /// How many heartbeats a second the servers are willing to take.
    pub max_per_second: f64,
    /// How long past its time to live a node is still waited for.
    pub grace: Duration,
    /// The time to live that every node gets from a new leader.
    pub failover_ttl: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(10),
            max_per_second: 50.0,
            grace: Duration::from_secs(10),
            failover_ttl: Duration::from_secs(300),
        }
    }
}

/// The nodes that are expected to beat, and until when.
#[derive(Debug, Default)]
pub struct Liveness {
    pace: Pace,
    deadlines: BTreeMap<NodeId, UnixNanos>,
    /// When the last tick asked for the next one.
    next_tick: Option<UnixNanos>,
}

impl Liveness {
    /// Nobody is expected yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            ..Self::default()
        }
    }

    /// Begins to lead: every node that is not down is waited for.
    pub fn establish(&mut self, state: &State, now: UnixNanos) {
        self.deadlines = state
            .nodes()
            .filter(|node| node.status != NodeStatus::Down)
            .map(|node| (node.id, now + self.pace.failover_ttl))
            .collect();
    }

    /// Stops leading: nobody is waited for.
    pub fn revoke(&mut self) {
        self.deadlines.clear();
    }

    /// A node has beaten. `spread` in 0..1 sets its next time to live between once and twice the base.
    pub fn beat(&mut self, node: NodeId, now: UnixNanos, spread: f64) -> Duration {
        let expected = self.deadlines.len().max(1) as f64 / self.pace.max_per_second;
        let base = self.pace.min_ttl.as_secs_f64().max(expected);
        let ttl = Duration(((base + spread.clamp(0.0, 1.0) * base) * 1e9) as i64);
        self.deadlines.insert(node, now + ttl + self.pace.grace);
        ttl
    }

    /// Whether a node's time runs out before the tick that was asked for last, as that of a new one may: a beat alone
    /// only puts its end off.
    #[must_use]
    pub fn is_due_sooner(&self, node: NodeId) -> bool {
        let due = self.deadlines.get(&node);
        due.is_some_and(|due| self.next_tick.is_none_or(|next| *due < next))
    }

    /// A node is not waited for any more.
    pub fn forget(&mut self, node: NodeId) {
        self.deadlines.remove(&node);
    }

    /// The nodes whose time has run out, and when to be asked again. A node is named once.
    pub fn tick(&mut self, now: UnixNanos) -> (Vec<NodeId>, Option<UnixNanos>) {
        let silent: Vec<NodeId> = self
            .deadlines
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(node, _)| *node)
            .collect();
        for node in &silent {
            self.deadlines.remove(node);
        }
        self.next_tick = self.deadlines.values().min().copied();
        (silent, self.next_tick)
    }

    /// How many nodes are waited for.
    #[must_use]
    pub fn active(&self) -> usize {
        self.deadlines.len()
    }
}

/// What becomes of a silent node: disconnected while some allocation on it may come back, else down.
#[must_use]
pub fn status_of_silent(state: &State, node: &Node, now: UnixNanos) -> NodeStatus {
    let was_there = matches!(node.status, NodeStatus::Ready | NodeStatus::Disconnected);
    let may_return = state.allocs_of_node(&node.id).any(|alloc| {
        let group = alloc
            .job
            .as_ref()
            .and_then(|job| job.lookup_task_group(&alloc.task_group));
        let lost_after = group
            .and_then(TaskGroup::disconnect_lost_after)
            .filter(|length| length.0 > 0);
        let Some(lost_after) = lost_after else {
            return false;
        };
        let expired = alloc.client_status == ClientStatus::Unknown
            && alloc
                .last_unknown()
                .is_some_and(|since| since + lost_after <= Timestamp::from(now));
        alloc.desired_status == DesiredStatus::Run && !alloc.client_terminal() && !expired
    });
    if was_there && may_return {
        NodeStatus::Disconnected
    } else {
        NodeStatus::Down
    }
}

/// What a node that beats may call itself: one that was disconnected is ready only after it told of its allocations.
#[must_use]
pub fn status_of_beating(state: &State, node: &Node, wanted: NodeStatus) -> NodeStatus {
    if wanted != NodeStatus::Ready {
        return wanted;
    }
    match node.status {
        NodeStatus::Disconnected => NodeStatus::Initializing,
        NodeStatus::Initializing => {
            let told = node.last_alloc_update_index > node.last_missed_heartbeat_index;
            let idle = !state
                .allocs_of_node(&node.id)
                .any(|alloc| !alloc.terminal_status());
            if told || idle {
                NodeStatus::Ready
            } else {
                NodeStatus::Initializing
            }
        }
        NodeStatus::Ready | NodeStatus::Down => NodeStatus::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Cluster, node_id, service};
    use caravan_state::Command;

    #[test]
    fn a_node_that_beats_in_time_is_never_named() {
        let mut liveness = Liveness::new(Pace::default());
        let node = NodeId::from_u128(1);
        let ttl = liveness.beat(node, UnixNanos(0), 0.0);
        assert_eq!(ttl, Duration::from_secs(10));
        assert_eq!(liveness.tick(UnixNanos(0) + Duration::from_secs(19)).0, []);
        liveness.beat(node, UnixNanos(0) + Duration::from_secs(19), 0.5);
        assert_eq!(liveness.tick(UnixNanos(0) + Duration::from_secs(20)).0, []);
        let (silent, wake) = liveness.tick(UnixNanos(0) + Duration::from_secs(19 + 15 + 10));
        assert_eq!((silent, wake), (vec![node], None));
    }

    #[test]
    fn who_keeps_the_deadlines_is_woken_by_new_nodes_and_not_by_each_beat() {
        let mut liveness = Liveness::new(Pace::default());
        let at = |seconds| UnixNanos(0) + Duration::from_secs(seconds);
        let [old, new] = [1, 2].map(NodeId::from_u128);
        liveness.beat(old, at(0), 1.0);
        assert!(liveness.is_due_sooner(old));
        assert_eq!(liveness.tick(at(0)).1, Some(at(30)));
        liveness.beat(old, at(9), 1.0);
        assert!(!liveness.is_due_sooner(old));
        liveness.beat(new, at(9), 0.0);
        assert!(liveness.is_due_sooner(new));
        // What was put off is found at the next tick.
        assert_eq!(liveness.tick(at(30)), (vec![new], Some(at(39))));
    }

    #[test]
    fn heartbeats_are_as_far_apart_as_the_servers_can_take_them() {
        let mut liveness = Liveness::new(Pace::default());
        for number in 0..1000 {
            liveness.beat(NodeId::from_u128(number), UnixNanos(0), 0.0);
        }
        // 1000 nodes at 50 a second: every 20 s, and up to as long again.
        let node = NodeId::from_u128(1);
        let seconds = Duration::from_secs;
        assert_eq!(liveness.beat(node, UnixNanos(0), 0.0), seconds(20));
        assert_eq!(liveness.beat(node, UnixNanos(0), 0.5), seconds(30));
        assert_eq!(liveness.beat(node, UnixNanos(0), 7.0), seconds(40));
    }

    #[test]
    fn a_new_leader_waits_longer_for_everybody_who_is_not_down() {
        let mut cluster = Cluster::new();
        for number in [1, 2] {
            cluster.add_node(number);
        }
        set(&mut cluster, NodeStatus::Down);
        let mut liveness = Liveness::new(Pace::default());
        liveness.establish(&cluster.state, cluster.now);
        assert_eq!(liveness.active(), 1);
        let after = |seconds| cluster.now + Duration::from_secs(seconds);
        assert_eq!(liveness.tick(after(299)).0, []);
        assert_eq!(liveness.tick(after(300)).0, [node_id(2)]);
        liveness.revoke();
        assert_eq!(liveness.active(), 0);
    }

    #[test]
    fn a_silent_node_is_disconnected_while_something_on_it_may_return() {
        let seconds = Duration::from_secs;
        let told = |lost_after: Option<Duration>, change: fn(&mut Allocation), pass: i64| {
            let mut cluster = Cluster::new();
            let node = cluster.add_node(1);
            let mut job = service("web", 1);
            job.task_groups[0].disconnect = lost_after.map(|lost_after| DisconnectStrategy {
                lost_after,
                ..DisconnectStrategy::default()
            });
            let job = cluster.register(job);
            let now = cluster.now;
            cluster.place(1, &job, |alloc| {
                alloc.node_id = node;
                alloc.client_status = ClientStatus::Running;
                change(alloc);
                if alloc.client_status == ClientStatus::Unknown {
                    alloc.push_client_state(ClientStatus::Unknown, now.into());
                }
            });
            cluster.pass(pass);
            let row = cluster.state.node(&node).expect("a node");
            status_of_silent(&cluster.state, row, cluster.now)
        };
        let (down, away) = (NodeStatus::Down, NodeStatus::Disconnected);
        let hour = Some(seconds(3600));
        let unknown = |alloc: &mut Allocation| alloc.client_status = ClientStatus::Unknown;
        assert_eq!(told(hour, |_| {}, 0), away);
        assert_eq!(told(None, |_| {}, 0), down);
        assert_eq!(told(Some(seconds(0)), |_| {}, 0), down);
        assert_eq!(told(hour, unknown, 60), away);
        assert_eq!(told(hour, unknown, 3600), down, "it was waited for");
        let stopped = |alloc: &mut Allocation| alloc.desired_status = DesiredStatus::Stop;
        assert_eq!(told(hour, stopped, 0), down);
        let over = |alloc: &mut Allocation| alloc.client_status = ClientStatus::Complete;
        assert_eq!(told(hour, over, 0), down);
    }

    #[test]
    fn a_node_that_was_not_there_cannot_be_disconnected() {
        let mut cluster = Cluster::new();
        let node = cluster.add_node(1);
        let mut job = service("web", 1);
        job.task_groups[0].disconnect = Some(DisconnectStrategy {
            lost_after: Duration::from_secs(3600),
            ..DisconnectStrategy::default()
        });
        let job = cluster.register(job);
        cluster.place(1, &job, |alloc| alloc.node_id = node);
        for (status, becomes) in [
            (NodeStatus::Ready, NodeStatus::Disconnected),
            (NodeStatus::Disconnected, NodeStatus::Disconnected),
            (NodeStatus::Initializing, NodeStatus::Down),
            (NodeStatus::Down, NodeStatus::Down),
        ] {
            set(&mut cluster, status);
            let row = cluster.state.node(&node).expect("a node");
            let found = status_of_silent(&cluster.state, row, cluster.now);
            assert_eq!(found, becomes, "{status:?}");
        }
    }

    /// What node 1 is called after it beats as ready.
    fn beats(cluster: &mut Cluster) -> NodeStatus {
        let node = node_id(1);
        let row = cluster.state.node(&node).expect("a node");
        let status = status_of_beating(&cluster.state, row, NodeStatus::Ready);
        set(cluster, status);
        status
    }

    fn set(cluster: &mut Cluster, status: NodeStatus) {
        cluster.apply(Command::UpdateNodeStatus {
            node: node_id(1),
            status,
            event: None,
            evals: Vec::new(),
            now: cluster.now,
        });
    }

    #[test]
    fn a_node_that_was_disconnected_is_ready_once_it_told_of_its_allocations() {
        let mut cluster = Cluster::new();
        let node = cluster.add_node(1);
        let job = cluster.register(service("web", 1));
        let alloc = cluster.place(1, &job, |alloc| alloc.node_id = node);
        set(&mut cluster, NodeStatus::Disconnected);
        assert_eq!(beats(&mut cluster), NodeStatus::Initializing);
        assert_eq!(beats(&mut cluster), NodeStatus::Initializing);
        cluster.tell(alloc, ClientStatus::Running, None);
        assert_eq!(beats(&mut cluster), NodeStatus::Ready);
    }

    #[test]
    fn a_node_with_work_that_never_told_of_any_is_not_yet_ready() {
        let mut cluster = Cluster::new();
        let node = cluster.add_node(1);
        let job = cluster.register(service("web", 1));
        cluster.place(1, &job, |alloc| alloc.node_id = node);
        set(&mut cluster, NodeStatus::Initializing);
        assert_eq!(beats(&mut cluster), NodeStatus::Initializing);
    }

    #[test]
    fn a_node_without_work_is_ready_as_soon_as_it_may_be() {
        let mut cluster = Cluster::new();
        cluster.add_node(1);
        set(&mut cluster, NodeStatus::Disconnected);
        assert_eq!(beats(&mut cluster), NodeStatus::Initializing);
        assert_eq!(beats(&mut cluster), NodeStatus::Ready);
        set(&mut cluster, NodeStatus::Down);
        assert_eq!(beats(&mut cluster), NodeStatus::Ready);
    }

    #[test]
    fn a_node_that_calls_itself_anything_else_is_taken_at_its_word() {
        let mut cluster = Cluster::new();
        let node = cluster.add_node(1);
        let row = cluster.state.node(&node).expect("a node");
        let status = status_of_beating(&cluster.state, row, NodeStatus::Initializing);
        assert_eq!(status, NodeStatus::Initializing);
    }
}
