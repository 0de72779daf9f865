//! The nodes as the scheduler looks at them: a dense table beside the rows, so that one pass over a few columns
//! answers for every node of the cluster.
//!
//! A node has a *slot*, a small number that indexes every column. Columns lie in pages that snapshots share until
//! one is written, so that a snapshot costs nothing and a change copies one page. What is free of a node is kept
//! as allocations come and go, never counted anew. Nodes that no check could tell apart share a [`Kind`], so that
//! most questions are asked once a kind.
//!
//! The table is derived from nodes and allocations: it is not dumped, and two states with the same rows may have
//! nodes in different slots. Nothing that is decided may therefore depend on the number of a slot.

mod amount;
mod held;
mod kind;
mod page;
mod ports;
mod usage;

pub use amount::{Amount, capacity};
pub use held::{Held, device_group};
pub use kind::Kind;
pub use page::Page;
pub use ports::{PortsInUse, ports_of};
pub use usage::Usage;

use caravan_model::{Allocation, Node, NodeId, NodeStatus};
use imbl::{OrdMap, OrdSet, Vector};
use kind::Kinds;
use std::sync::Arc;

/// The place of a node in every column.
pub type Slot = usize;

/// The dense table of nodes.
#[derive(Clone, Default)]
pub struct NodeTable {
    slots: OrdMap<NodeId, Slot>,
    pages: Vector<Arc<Page>>,
    vacant: Vector<Slot>,
    kinds: Kinds,
    /// Nodes that allocations cannot stay on as they are: gone, down, disconnected or draining.
    tainted: OrdSet<NodeId>,
}

impl NodeTable {
    /// How many slots there are, vacant ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len() * Page::SLOTS
    }

    /// Whether there is no slot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The slot of a node.
    #[must_use]
    pub fn slot(&self, node: &NodeId) -> Option<Slot> {
        self.slots.get(node).copied()
    }

    /// Every node's slot, in the order of the nodes' ids.
    pub fn slots(&self) -> impl Iterator<Item = (NodeId, Slot)> + '_ {
        self.slots.iter().map(|(id, slot)| (*id, *slot))
    }

    /// The pages in the order of their slots: page `i` begins with slot `i * Page::SLOTS`.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().map(Arc::as_ref)
    }

    /// The page that holds a slot, and the slot's place in it.
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn at(&self, slot: Slot) -> (&Page, usize) {
        (&self.pages[slot / Page::SLOTS], slot % Page::SLOTS)
    }

    /// How many kinds there are, forgotten ones included: each node's kind is below this.
    #[must_use]
    pub fn kind_count(&self) -> usize {
        self.kinds.len()
    }

    /// A kind; none when no node is of it any more.
    #[must_use]
    pub fn kind(&self, kind: u32) -> Option<&Arc<Kind>> {
        self.kinds.get(kind)
    }

    /// Whether the allocations of this node cannot stay as they are: it is gone, down, disconnected or draining.
    #[must_use]
    pub fn is_tainted(&self, node: &NodeId) -> bool {
        self.tainted.contains(node)
    }

    /// Takes a node in, with what runs on it when it was not known before.
    pub(crate) fn put<'a>(
        &mut self,
        node: &Arc<Node>,
        running: impl IntoIterator<Item = &'a Arc<Allocation>>,
    ) {
        let kind = self.kinds.of(node);
        match self.slot(&node.id) {
            Some(slot) => {
                let (page, at) = self.page_mut(slot);
                let before = page.update(at, node, kind);
                self.kinds.release(before);
            }
            None => {
                let slot = self.vacant_slot();
                let mut usage = Usage::default();
                for alloc in running.into_iter().filter(|alloc| !alloc.client_terminal()) {
                    usage.add(alloc);
                }
                let (page, at) = self.page_mut(slot);
                page.occupy(at, node, kind, usage);
                self.slots.insert(node.id, slot);
            }
        }
        let tainted = node.drain_strategy.is_some()
            || matches!(node.status, NodeStatus::Down | NodeStatus::Disconnected);
        if tainted {
            self.tainted.insert(node.id);
        } else {
            self.tainted.remove(&node.id);
        }
    }

    /// Drops a node; `has_allocs` says whether allocations of it remain.
    pub(crate) fn remove(&mut self, node: NodeId, has_allocs: bool) {
        if let Some(slot) = self.slots.remove(&node) {
            let (page, at) = self.page_mut(slot);
            let kind = page.vacate(at);
            self.kinds.release(kind);
            self.vacant.push_back(slot);
        }
        if has_allocs {
            self.tainted.insert(node);
        } else {
            self.tainted.remove(&node);
        }
    }

    /// Takes in that an allocation is new, changed or gone.
    pub(crate) fn change(&mut self, old: Option<&Allocation>, new: Option<&Allocation>) {
        let uses = |alloc: Option<&Allocation>| alloc.is_some_and(|alloc| !alloc.client_terminal());
        if let (Some(old), Some(new)) = (old, new)
            && uses(Some(old)) == uses(Some(new))
            && old.node_id == new.node_id
            && (!uses(Some(new)) || same_resources(old, new))
        {
            return;
        }
        if let Some(old) = old.filter(|_| uses(old))
            && let Some(slot) = self.slot(&old.node_id)
        {
            let (page, at) = self.page_mut(slot);
            page.change(at, |usage| usage.remove(old));
        }
        let Some(new) = new else { return };
        match self.slot(&new.node_id) {
            Some(slot) if uses(Some(new)) => {
                let (page, at) = self.page_mut(slot);
                page.change(at, |usage| {
                    usage.add(new);
                });
            }
            Some(_) => {}
            None => {
                self.tainted.insert(new.node_id);
            }
        }
    }

    /// Forgets a node that is gone, once nothing of it remains.
    pub(crate) fn forget(&mut self, node: NodeId) {
        if self.slot(&node).is_none() {
            self.tainted.remove(&node);
        }
    }

    fn vacant_slot(&mut self) -> Slot {
        if self.vacant.is_empty() {
            let first = self.len();
            self.pages.push_back(Arc::new(Page::vacant()));
            self.vacant.extend(first..first + Page::SLOTS);
        }
        self.vacant.pop_front().unwrap_or(0)
    }

    fn page_mut(&mut self, slot: Slot) -> (&mut Page, usize) {
        let page = &mut self.pages[slot / Page::SLOTS];
        (Arc::make_mut(page), slot % Page::SLOTS)
    }
}

fn same_resources(old: &Allocation, new: &Allocation) -> bool {
    match (&old.allocated_resources, &new.allocated_resources) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
