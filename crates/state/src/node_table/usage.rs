//! What is taken of one node.

use super::amount::Amount;
use super::held::Held;
use caravan_model::Allocation;
use std::sync::Arc;

/// What is taken of one node by allocations that their client is not done with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor, memory and disk.
    pub amount: Amount,
    /// How many allocations there are.
    pub allocs: u32,
    /// Cores, ports and devices, where any are held.
    pub held: Option<Arc<Held>>,
}

impl Usage {
    /// Adds an allocation; whether one of its ports or cores was taken already.
    pub fn add(&mut self, alloc: &Allocation) -> bool {
        let Some(resources) = &alloc.allocated_resources else {
            return false;
        };
        self.amount.add(Amount::of(resources));
        self.allocs += 1;
        Held::is_any(resources) && Arc::make_mut(self.held.get_or_insert_default()).add(resources)
    }

    /// Takes an allocation out that was added before.
    pub fn remove(&mut self, alloc: &Allocation) {
        let Some(resources) = &alloc.allocated_resources else {
            return;
        };
        self.amount.subtract(Amount::of(resources));
        self.allocs = self.allocs.saturating_sub(1);
        if Held::is_any(resources)
            && let Some(held) = &mut self.held
        {
            Arc::make_mut(held).remove(resources);
            if held.is_empty() {
                self.held = None;
            }
        }
    }
}
