//! A page of the node table: the columns of a few slots, copied together when one of them is written.

use super::amount::{Amount, capacity};
use super::held::Held;
use super::usage::Usage;
use caravan_model::{Node, NodeId};
use std::sync::Arc;

/// Columns of [`Page::SLOTS`] slots. A vacant slot is not ready and of no kind.
#[derive(Clone)]
pub struct Page {
    /// Whose slot it is.
    pub ids: Vec<NodeId>,
    /// Whether new allocations may be placed there: ready, eligible, not draining.
    pub ready: Vec<bool>,
    /// The node's kind.
    pub kinds: Vec<u32>,
    /// What of it is for tasks.
    pub capacity: Vec<Amount>,
    /// What of that is free.
    pub free: Vec<Amount>,
    /// How many allocations it may take at most; 0 is without limit.
    pub most: Vec<u32>,
    /// How many it has that their client is not done with.
    pub allocs: Vec<u32>,
    /// The cores, ports and devices that these hold, where any do.
    pub held: Vec<Option<Arc<Held>>>,
}

impl Page {
    /// How many slots a page has.
    pub const SLOTS: usize = 128;
    /// The kind of a vacant slot.
    pub const NO_KIND: u32 = u32::MAX;

    pub(super) fn vacant() -> Self {
        Self {
            ids: vec![NodeId::NIL; Self::SLOTS],
            ready: vec![false; Self::SLOTS],
            kinds: vec![Self::NO_KIND; Self::SLOTS],
            capacity: vec![Amount::default(); Self::SLOTS],
            free: vec![Amount::default(); Self::SLOTS],
            most: vec![0; Self::SLOTS],
            allocs: vec![0; Self::SLOTS],
            held: vec![None; Self::SLOTS],
        }
    }

    /// What is taken of a slot's node.
    #[must_use]
    pub fn usage(&self, at: usize) -> Usage {
        let mut amount = self.capacity[at];
        amount.subtract(self.free[at]);
        Usage {
            amount,
            allocs: self.allocs[at],
            held: self.held[at].clone(),
        }
    }

    fn set_usage(&mut self, at: usize, usage: Usage) {
        let mut free = self.capacity[at];
        free.subtract(usage.amount);
        self.free[at] = free;
        self.allocs[at] = usage.allocs;
        self.held[at] = usage.held;
    }

    pub(super) fn occupy(&mut self, at: usize, node: &Node, kind: u32, usage: Usage) {
        self.ids[at] = node.id;
        self.set_usage(at, usage);
        self.update(at, node, kind);
    }

    /// Takes a node's new row in. Returns the kind it had.
    pub(super) fn update(&mut self, at: usize, node: &Node, kind: u32) -> u32 {
        let usage = self.usage(at);
        self.capacity[at] = capacity(node);
        self.set_usage(at, usage);
        self.ready[at] = node.is_ready();
        self.most[at] = u32::try_from(node.node_max_allocs).unwrap_or(0);
        std::mem::replace(&mut self.kinds[at], kind)
    }

    /// Empties a slot. Returns the kind it had.
    pub(super) fn vacate(&mut self, at: usize) -> u32 {
        self.ids[at] = NodeId::NIL;
        self.ready[at] = false;
        self.capacity[at] = Amount::default();
        self.most[at] = 0;
        self.set_usage(at, Usage::default());
        std::mem::replace(&mut self.kinds[at], Self::NO_KIND)
    }

    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Usage)) {
        let mut usage = self.usage(at);
        // Not shared with the row while it changes, so that it is changed where it lies.
        self.held[at] = None;
        change(&mut usage);
        self.set_usage(at, usage);
    }
}
