//! Processor, memory and disk: what is added up and compared.

use caravan_model::{AllocatedResources, Node};

/// An amount of what every task takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// MHz.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// MiB.
    pub disk: i64,
}

impl Amount {
    /// What an allocation with these resources takes at most at one time.
    #[must_use]
    pub fn of(resources: &AllocatedResources) -> Self {
        let sum = resources.comparable();
        Self {
            cpu: sum.cpu_shares,
            memory: sum.memory_mb,
            disk: sum.disk_mb,
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.disk += other.disk;
    }

    /// Takes another away.
    pub fn subtract(&mut self, other: Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.disk -= other.disk;
    }

    /// The first dimension in which `asked` is more than this.
    #[must_use]
    pub fn lacks(self, asked: Self) -> Option<&'static str> {
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
#[must_use]
pub fn capacity(node: &Node) -> Amount {
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
