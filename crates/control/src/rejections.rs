//! Nodes that reject too many plans (scheduler sheet §6.3): whatever is wrong with such a node, it holds up everybody
//! whose work is planned on it, so it takes no more until an operator has looked at it.

use caravan_model::{Duration, NodeId, UnixNanos};
use std::collections::{BTreeMap, VecDeque};

/// When a node has rejected too many plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectionLimit {
    /// As many rejections are too many,
    pub threshold: usize,
    /// when they come within this time.
    pub window: Duration,
}

/// The most nodes that are watched: beyond, the one that rejected longest ago is forgotten.
const MOST_NODES: usize = 50;
/// As many nodes may be given up at once,
const BURST: u32 = 10;
/// and one more after each such time: what makes many nodes reject is more likely the servers' fault.
const REFILL: Duration = Duration::from_secs(6 * 60);

/// The rejections of each node.
#[derive(Debug)]
pub struct Rejections {
    limit: RejectionLimit,
    by_node: BTreeMap<NodeId, VecDeque<UnixNanos>>,
    /// How many nodes may be given up now, and since when that is so.
    allowed: u32,
    refilled: UnixNanos,
}

impl Rejections {
    /// No node has rejected anything yet.
    #[must_use]
    pub fn new(limit: RejectionLimit, now: UnixNanos) -> Self {
        Self {
            limit,
            by_node: BTreeMap::new(),
            allowed: BURST,
            refilled: now,
        }
    }

    /// A node has rejected its part of a plan. Whether it takes no more from now on; if so, it begins anew with none.
    pub fn add(&mut self, node: NodeId, now: UnixNanos) -> bool {
        let window = self.limit.window;
        let times = self.by_node.entry(node).or_default();
        times.retain(|time| now.since(*time) < window);
        times.push_back(now);
        let too_many = times.len() >= self.limit.threshold.max(1);
        if too_many && self.take_turn(now) {
            self.by_node.remove(&node);
            return true;
        }
        self.forget_the_oldest();
        false
    }

    fn take_turn(&mut self, now: UnixNanos) -> bool {
        let passed = now.since(self.refilled).0.max(0) / REFILL.0;
        let gained = u32::try_from(passed).unwrap_or(BURST);
        self.refilled = self.refilled + Duration(passed * REFILL.0);
        self.allowed = self.allowed.saturating_add(gained).min(BURST);
        let may = self.allowed > 0;
        self.allowed = self.allowed.saturating_sub(1);
        may
    }

    fn forget_the_oldest(&mut self) {
        if self.by_node.len() <= MOST_NODES {
            return;
        }
        let oldest = self
            .by_node
            .iter()
            .min_by_key(|(_, times)| times.back().copied());
        if let Some(node) = oldest.map(|(node, _)| *node) {
            self.by_node.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RejectionLimit = RejectionLimit {
        threshold: 3,
        window: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> UnixNanos {
        UnixNanos(1_700_000_000_000_000_000) + Duration::from_secs(seconds)
    }

    fn node(number: u128) -> NodeId {
        NodeId::from_u128(number)
    }

    /// What each rejection at these seconds comes to, all of one node.
    fn told(seconds: &[i64]) -> Vec<bool> {
        let mut rejections = Rejections::new(LIMIT, at(0));
        seconds
            .iter()
            .map(|second| rejections.add(node(1), at(*second)))
            .collect()
    }

    #[test]
    fn so_many_within_the_window_are_too_many() {
        assert_eq!(told(&[0, 10, 59]), [false, false, true]);
        assert_eq!(
            told(&[0, 10, 60, 61]),
            [false, false, false, true],
            "the first is forgotten by then"
        );
    }

    #[test]
    fn a_node_that_was_given_up_begins_anew() {
        assert_eq!(
            told(&[0, 1, 2, 3, 4, 5]),
            [false, false, true, false, false, true]
        );
    }

    #[test]
    fn each_node_is_counted_by_itself() {
        let mut rejections = Rejections::new(LIMIT, at(0));
        for number in 1..=2 {
            assert!(!rejections.add(node(number), at(0)));
            assert!(!rejections.add(node(number), at(1)));
        }
        assert!(rejections.add(node(1), at(2)));
    }

    #[test]
    fn only_so_many_nodes_are_given_up_in_a_while() {
        let once = RejectionLimit {
            threshold: 1,
            ..LIMIT
        };
        let mut rejections = Rejections::new(once, at(0));
        let given_up = |rejections: &mut Rejections, second| {
            (0..20)
                .filter(|number| rejections.add(node(*number), at(second)))
                .count()
        };
        assert_eq!(given_up(&mut rejections, 0), 10);
        assert_eq!(given_up(&mut rejections, 359), 0);
        assert_eq!(given_up(&mut rejections, 1800), 5);
        assert_eq!(given_up(&mut rejections, 1_000_000), 10);
    }

    #[test]
    fn a_crowd_of_nodes_is_not_remembered() {
        let mut rejections = Rejections::new(LIMIT, at(0));
        for number in 0..1000 {
            rejections.add(
                node(number),
                at(i64::try_from(number).expect("small") / 100),
            );
        }
        assert_eq!(rejections.by_node.len(), MOST_NODES);
    }
}
