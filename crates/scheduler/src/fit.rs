//! What fits on a node: capacity, use, and the dimension that is exhausted (scheduler sheet §10.2).

use caravan_model::*;

/// What of a node is for tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// MHz.
    pub(crate) cpu: i64,
    /// MiB.
    pub(crate) memory: i64,
    /// MiB.
    pub(crate) disk: i64,
}

impl Amount {
    pub(crate) fn of(resources: &ComparableResources) -> Self {
        Self {
            cpu: resources.cpu_shares,
            memory: resources.memory_mb,
            disk: resources.disk_mb,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.disk += other.disk;
    }

    pub(crate) fn subtract(&mut self, other: Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.disk -= other.disk;
    }

    /// The first dimension in which `asked` is more than this.
    pub(crate) fn lacks(self, asked: Self) -> Option<&'static str> {
        if self.cpu < asked.cpu {
            Some("cpu")
        } else if self.memory < asked.memory {
            Some("memory")
        } else if self.disk < asked.disk {
            Some("disk")
        } else {
            None
        }
    }
}

/// What of a node is for tasks: all that it has less what is reserved.
pub(crate) fn capacity(node: &Node) -> Amount {
    let Some(has) = &node.node_resources else {
        return Amount::default();
    };
    let mut amount = Amount {
        cpu: has.cpu.cpu_shares,
        memory: has.memory.memory_mb,
        disk: has.disk.disk_mb,
    };
    if let Some(reserved) = &node.reserved_resources {
        amount.subtract(Amount {
            cpu: reserved.cpu.cpu_shares,
            memory: reserved.memory.memory_mb,
            disk: reserved.disk.disk_mb,
        });
    }
    amount
}

/// What an allocation takes of its node; nothing once its client is done with it.
pub(crate) fn taken(alloc: &Allocation) -> Amount {
    match &alloc.allocated_resources {
        Some(resources) if !alloc.client_terminal() => Amount::of(&resources.comparable()),
        _ => Amount::default(),
    }
}
