//! Nodes on which room came free, until all who wait have had their chance at it.
//!
//! ```text
//!   room comes free ──▶ open ──wake some──▶ on trial ──all of them are done──▶ open ──nobody fits──▶ closed
//! ```
//!
//! Only as many are woken as the room may hold. The rest have their turn once those are done, if room is left: so a
//! node that comes back wakes a handful of a crowd, and nobody is passed over.

use caravan_model::*;
use std::collections::{BTreeMap, BTreeSet};

/// How long an event is remembered for evaluations that were scheduled on an older state.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// How long the others wait for those that were woken.
pub(super) const TRIAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Offer {
    /// When room last came free, in the log.
    index: u64,
    /// The same, on the clock.
    at: UnixNanos,
    open: bool,
    /// Who was woken for it and is not done.
    trying: BTreeSet<EvalId>,
    trial_ends: UnixNanos,
}

/// Nodes on which room came free.
#[derive(Debug, Default)]
pub(super) struct Offers {
    by_node: BTreeMap<NodeId, Offer>,
    by_index: BTreeSet<(u64, NodeId)>,
    open: BTreeSet<NodeId>,
    trying: BTreeMap<EvalId, NodeId>,
}

impl Offers {
    /// Room came free on a node at an index.
    pub(super) fn open(&mut self, node: NodeId, index: u64, now: UnixNanos) {
        if let Some(known) = self.by_node.get_mut(&node) {
            if index < known.index {
                return;
            }
            self.by_index.remove(&(known.index, node));
            known.index = index;
            known.at = now;
            known.open = true;
        } else {
            let offer = Offer {
                index,
                at: now,
                open: true,
                trying: BTreeSet::new(),
                trial_ends: now,
            };
            self.by_node.insert(node, offer);
        }
        self.by_index.insert((index, node));
        self.open.insert(node);
    }

    /// Opens again what came free after an index: somebody who has not seen it begins to wait.
    pub(super) fn open_after(&mut self, index: u64) {
        let missed = self.by_index.range((index + 1, NodeId::NIL)..);
        for (_, node) in missed {
            if let Some(offer) = self.by_node.get_mut(node) {
                offer.open = true;
                self.open.insert(*node);
            }
        }
    }

    /// Whether there is a node on which somebody may yet be woken.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The nodes on which somebody could be woken now.
    pub(super) fn due(&self, now: UnixNanos) -> Vec<NodeId> {
        let due = self.open.iter().filter(|node| {
            self.by_node
                .get(*node)
                .is_some_and(|offer| offer.trying.is_empty() || offer.trial_ends <= now)
        });
        due.copied().collect()
    }

    /// When room last came free on a node.
    pub(super) fn index(&self, node: NodeId) -> Option<u64> {
        self.by_node.get(&node).map(|offer| offer.index)
    }

    /// These were woken for a node.
    pub(super) fn on_trial(&mut self, node: NodeId, woken: &[EvalId], now: UnixNanos) {
        let Some(offer) = self.by_node.get_mut(&node) else {
            return;
        };
        // Who took too long is not waited for any more.
        for late in std::mem::take(&mut offer.trying) {
            self.trying.remove(&late);
        }
        offer.trying.extend(woken);
        offer.trial_ends = now + TRIAL;
        self.trying.extend(woken.iter().map(|id| (*id, node)));
    }

    /// Nobody who waits can use this node, unless those on trial leave room.
    pub(super) fn close(&mut self, node: NodeId) {
        if let Some(offer) = self.by_node.get_mut(&node).filter(|offer| offer.open) {
            offer.open = false;
            self.open.remove(&node);
        }
    }

    /// An evaluation is done, whatever came of it.
    pub(super) fn done(&mut self, id: EvalId) {
        if let Some(node) = self.trying.remove(&id)
            && let Some(offer) = self.by_node.get_mut(&node)
        {
            offer.trying.remove(&id);
        }
    }

    /// Forgets what is long over. Returns when a trial ends by itself.
    pub(super) fn tick(&mut self, now: UnixNanos) -> Option<UnixNanos> {
        let old: Vec<NodeId> = self
            .by_node
            .iter()
            .filter(|(_, offer)| !offer.open && offer.trying.is_empty())
            .filter(|(_, offer)| now.since(offer.at) > REMEMBERED)
            .map(|(node, _)| *node)
            .collect();
        for node in old {
            if let Some(offer) = self.by_node.remove(&node) {
                self.by_index.remove(&(offer.index, node));
            }
        }
        let trials = self.open.iter().filter_map(|node| self.by_node.get(node));
        trials.map(|offer| offer.trial_ends).min()
    }
}
