//! What only one allocation can have at a time: cores, ports and devices.

use super::ports::{PortsInUse, ports_of};
use caravan_model::{AllocatedDeviceResource, AllocatedResources};
use std::collections::BTreeMap;

/// The cores, ports and devices held on one node, each with how many hold it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// By core.
    pub cores: BTreeMap<u16, u32>,
    /// By address and number.
    pub ports: PortsInUse,
    /// By group (see [`device_group`]) and instance.
    pub devices: BTreeMap<(String, String), u32>,
    /// Megabits per second by device, of networks that tasks of old have for their own.
    pub bandwidth: BTreeMap<String, i64>,
}

impl Held {
    /// Whether an allocation with these resources holds anything.
    #[must_use]
    pub fn is_any(resources: &AllocatedResources) -> bool {
        let shared = &resources.shared;
        !shared.ports.is_empty()
            || !shared.networks.is_empty()
            || resources.tasks.values().any(|task| {
                !task.networks.is_empty()
                    || !task.devices.is_empty()
                    || !task.cpu.reserved_cores.is_empty()
            })
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cores.is_empty()
            && self.devices.is_empty()
            && self.bandwidth.is_empty()
            && self.ports.is_empty()
    }

    /// Adds what an allocation holds; whether one of its ports or cores was taken already.
    pub fn add(&mut self, resources: &AllocatedResources) -> bool {
        let mut collided = false;
        for task in resources.tasks.values() {
            for core in &task.cpu.reserved_cores {
                let count = self.cores.entry(*core).or_default();
                *count += 1;
                collided |= *count > 1;
            }
            for key in task.devices.iter().flat_map(instances) {
                *self.devices.entry(key).or_default() += 1;
            }
            for network in task.networks.iter().filter(|network| network.m_bits > 0) {
                let device = network.device.clone();
                *self.bandwidth.entry(device).or_default() += network.m_bits;
            }
        }
        for (ip, port, shares) in ports_of(resources) {
            collided |= self.ports.take(ip, port, shares);
        }
        collided
    }

    /// Takes out what an allocation held.
    pub fn remove(&mut self, resources: &AllocatedResources) {
        for task in resources.tasks.values() {
            for core in &task.cpu.reserved_cores {
                release(&mut self.cores, core);
            }
            for key in task.devices.iter().flat_map(instances) {
                release(&mut self.devices, &key);
            }
            for network in task.networks.iter().filter(|network| network.m_bits > 0) {
                if let Some(used) = self.bandwidth.get_mut(&network.device) {
                    *used -= network.m_bits;
                    if *used <= 0 {
                        self.bandwidth.remove(&network.device);
                    }
                }
            }
        }
        for (ip, port, shares) in ports_of(resources) {
            self.ports.free(ip, port, shares);
        }
    }

    /// Whether a device is given to more than one.
    #[must_use]
    pub fn devices_are_oversubscribed(&self) -> bool {
        self.devices.values().any(|count| *count > 1)
    }
}

/// `<vendor>/<type>/<name>` of a device that was given.
#[must_use]
pub fn device_group(device: &AllocatedDeviceResource) -> String {
    format!("{}/{}/{}", device.vendor, device.r#type, device.name)
}

fn instances(device: &AllocatedDeviceResource) -> impl Iterator<Item = (String, String)> + '_ {
    let group = device_group(device);
    device
        .device_ids
        .iter()
        .map(move |id| (group.clone(), id.clone()))
}

fn release<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
