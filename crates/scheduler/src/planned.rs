//! What the plan in the making changes on nodes, as a log that every reader follows at its own pace.

use caravan_model::*;
use caravan_state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A change of what runs on a node.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) alloc: Arc<Allocation>,
    /// Whether it comes or goes.
    pub(crate) comes: bool,
}

/// The plan in the making, as far as room on nodes is concerned.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    gone: BTreeSet<AllocId>,
    placed: BTreeMap<NodeId, Vec<Arc<Allocation>>>,
    preempted: Vec<Arc<Allocation>>,
    log: Vec<Change>,
}

impl Planned {
    /// Frees what an existing allocation takes.
    pub(crate) fn stop(&mut self, alloc: &Arc<Allocation>) {
        if self.gone.insert(alloc.id) && !alloc.client_terminal() {
            self.log.push(Change {
                alloc: Arc::clone(alloc),
                comes: false,
            });
        }
    }

    /// Takes a stop back.
    pub(crate) fn keep(&mut self, alloc: &Arc<Allocation>) {
        if self.gone.remove(&alloc.id) && !alloc.client_terminal() {
            self.log.push(Change {
                alloc: Arc::clone(alloc),
                comes: true,
            });
        }
    }

    /// Adds a new allocation, or a changed one whose old form was stopped.
    pub(crate) fn place(&mut self, alloc: Arc<Allocation>) {
        self.placed
            .entry(alloc.node_id)
            .or_default()
            .push(Arc::clone(&alloc));
        self.log.push(Change { alloc, comes: true });
    }

    /// Evicts an allocation of another job.
    pub(crate) fn preempt(&mut self, alloc: &Arc<Allocation>) {
        self.stop(alloc);
        self.preempted.push(Arc::clone(alloc));
    }

    pub(crate) fn preempted(&self) -> impl Iterator<Item = &Arc<Allocation>> {
        self.preempted.iter()
    }

    /// The changes since a place in the log.
    pub(crate) fn since(&self, at: usize) -> &[Change] {
        &self.log[at.min(self.log.len())..]
    }

    pub(crate) fn length(&self) -> usize {
        self.log.len()
    }

    /// What would run on a node.
    pub(crate) fn proposed<'a>(
        &'a self,
        state: &'a State,
        node: NodeId,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> {
        let stays = state
            .allocs_of_node(&node)
            .filter(|alloc| !alloc.client_terminal() && !self.gone.contains(&alloc.id));
        stays.chain(self.placed.get(&node).into_iter().flatten())
    }
}
