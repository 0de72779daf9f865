//! What is taken of one node by what runs there and what the plan adds.

use crate::feasible::devices::InUse;
use crate::fit::{Amount, taken};
use crate::ports::{PortsInUse, holds_any};
use caravan_model::*;
use std::collections::BTreeMap;

/// What is taken of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) amount: Amount,
    pub(crate) count: i64,
    pub(crate) cores: BTreeMap<u16, u32>,
    pub(crate) ports: PortsInUse,
    pub(crate) devices: InUse,
}

impl Usage {
    /// A node on which nothing runs: only its own reserved ports are taken.
    pub(crate) fn idle(node: &Node) -> Self {
        Self {
            ports: PortsInUse::reserved(node),
            ..Self::default()
        }
    }

    /// Adds an allocation; whether one of its ports or cores was taken already.
    pub(crate) fn add(&mut self, alloc: &Allocation) -> bool {
        let Some(resources) = &alloc.allocated_resources else {
            return false;
        };
        self.amount.add(taken(alloc));
        self.count += 1;
        let mut collided = false;
        for task in resources.tasks.values() {
            for core in &task.cpu.reserved_cores {
                let count = self.cores.entry(*core).or_default();
                *count += 1;
                collided |= *count > 1;
            }
            for device in &task.devices {
                for key in device_keys(device) {
                    *self.devices.entry(key).or_default() += 1;
                }
            }
        }
        if holds_any(alloc) {
            collided |= self.ports.add(alloc);
        }
        collided
    }

    /// Takes an allocation out.
    pub(crate) fn remove(&mut self, alloc: &Allocation) {
        let Some(resources) = &alloc.allocated_resources else {
            return;
        };
        self.amount.subtract(taken(alloc));
        self.count -= 1;
        for task in resources.tasks.values() {
            for core in &task.cpu.reserved_cores {
                release(&mut self.cores, core);
            }
            for device in &task.devices {
                for key in device_keys(device) {
                    release(&mut self.devices, &key);
                }
            }
        }
        if holds_any(alloc) {
            self.ports.remove(alloc);
        }
    }

    /// Whether a device is given to more than one.
    pub(crate) fn devices_oversubscribed(&self) -> bool {
        self.devices.values().any(|count| *count > 1)
    }
}

fn device_keys(device: &AllocatedDeviceResource) -> impl Iterator<Item = (String, String)> {
    let group = format!("{}/{}/{}", device.vendor, device.r#type, device.name);
    device
        .device_ids
        .iter()
        .map(move |id| (group.clone(), id.clone()))
}

fn release<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
