//! What an allocation was given on its node.

use crate::network::NetworkResource;
use crate::resources::Resources;
use crate::shape;
use crate::small_map::SmallMap;
use crate::task::Lifecycle;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an allocation was given, by task and shared by its tasks.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedResources {
    /// By task.
    #[serde(with = "shape::nullable")]
    pub tasks: SmallMap<String, AllocatedTaskResources>,
    /// When each task runs: none for main tasks.
    #[serde(with = "shape::nullable")]
    pub task_lifecycles: SmallMap<String, Option<Lifecycle>>,
    /// Shared by the tasks.
    pub shared: AllocatedSharedResources,
}

/// What a task was given.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedTaskResources {
    /// Processor.
    pub cpu: AllocatedCpuResources,
    /// Memory.
    pub memory: AllocatedMemoryResources,
    /// Networks of the task's own (jobs of old).
    #[serde(with = "shape::nullable")]
    pub networks: Vec<NetworkResource>,
    /// Devices.
    #[serde(with = "shape::nullable")]
    pub devices: Vec<AllocatedDeviceResource>,
}

/// Processor given to a task.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedCpuResources {
    /// MHz; with reserved cores, the sum of theirs.
    pub cpu_shares: i64,
    /// Cores that no other task uses.
    #[serde(with = "shape::nullable")]
    pub reserved_cores: Vec<u16>,
}

/// Memory given to a task.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocatedMemoryResources {
    /// MiB reserved.
    #[serde(rename = "MemoryMB")]
    pub memory_mb: i64,
    /// MiB it may use at most: zero is what is reserved, −1 without limit.
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mb: i64,
}

/// Devices of one kind given to a task.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedDeviceResource {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub r#type: String,
    /// Its model.
    pub name: String,
    /// Which of them.
    #[serde(rename = "DeviceIDs", with = "shape::nullable")]
    pub device_ids: Vec<String>,
}

/// What the tasks of an allocation share.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedSharedResources {
    /// The group's network as asked for, with values filled in.
    #[serde(with = "shape::nullable")]
    pub networks: Vec<NetworkResource>,
    /// MiB of disk.
    #[serde(rename = "DiskMB")]
    pub disk_mb: i64,
    /// Ports by label.
    #[serde(with = "shape::nullable")]
    pub ports: Vec<AllocatedPort>,
}

/// A port of the host given to an allocation. Zero members are absent in JSON.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocatedPort {
    /// The name the job gave it.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub label: String,
    /// The port on the host.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub value: i64,
    /// The port inside the allocation's network; zero is the same.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub to: i64,
    /// The address on the host.
    #[serde(rename = "HostIP", skip_serializing_if = "shape::is_default")]
    pub host_ip: String,
    /// Whether others may hold the same port.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub ignore_collision: bool,
}

/// Amounts that can be added up and compared.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ComparableResources {
    /// MHz.
    pub cpu_shares: i64,
    /// Cores that no other task uses.
    pub reserved_cores: BTreeSet<u16>,
    /// MiB reserved.
    pub memory_mb: i64,
    /// MiB used at most, where tasks may use more than they reserve.
    pub memory_max_mb: i64,
    /// MiB of disk.
    pub disk_mb: i64,
}

#[derive(Default, Clone, Copy)]
struct Amount {
    cpu: i64,
    memory: i64,
    memory_max: i64,
}

impl Amount {
    fn add(&mut self, task: &AllocatedTaskResources) {
        if task.cpu.reserved_cores.is_empty() {
            self.cpu += task.cpu.cpu_shares;
        }
        let memory = &task.memory;
        self.memory += memory.memory_mb;
        self.memory_max += if memory.memory_max_mb == 0 {
            memory.memory_mb
        } else {
            memory.memory_max_mb
        };
    }

    fn max(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            memory_max: self.memory_max.max(other.memory_max),
        }
    }
}

impl AllocatedResources {
    /// What it takes at most at one time: tasks that never run together are not added up, but reserved cores always
    /// are.
    #[must_use]
    pub fn comparable(&self) -> ComparableResources {
        let (mut main, mut before, mut after) =
            (Amount::default(), Amount::default(), Amount::default());
        let mut total = ComparableResources {
            disk_mb: self.shared.disk_mb,
            ..ComparableResources::default()
        };
        for (name, task) in &self.tasks {
            let lifecycle = self.task_lifecycles.get(name).and_then(Option::as_ref);
            match lifecycle.map(|lifecycle| (lifecycle.hook.as_str(), lifecycle.sidecar)) {
                Some(("prestart", true)) => {
                    before.add(task);
                    main.add(task);
                }
                Some(("prestart", false)) => before.add(task),
                Some(("poststop", _)) => after.add(task),
                _ => main.add(task),
            }
            if !task.cpu.reserved_cores.is_empty() {
                total.cpu_shares += task.cpu.cpu_shares;
                total.reserved_cores.extend(&task.cpu.reserved_cores);
            }
        }
        let most = main.max(before).max(after);
        total.cpu_shares += most.cpu;
        total.memory_mb = most.memory;
        total.memory_max_mb = most.memory_max;
        total
    }

    /// The older sum over the allocation.
    #[must_use]
    pub fn legacy_sum(&self) -> Resources {
        let sum = self.comparable();
        Resources {
            cpu: sum.cpu_shares,
            memory_mb: sum.memory_mb,
            memory_max_mb: sum.memory_max_mb,
            disk_mb: sum.disk_mb,
            networks: self.shared.networks.clone(),
            ..Resources::default()
        }
    }

    /// The older form of what the tasks share.
    #[must_use]
    pub fn legacy_shared(&self) -> Resources {
        Resources {
            disk_mb: self.shared.disk_mb,
            networks: self.shared.networks.clone(),
            ..Resources::default()
        }
    }

    /// The older form of what each task has.
    #[must_use]
    pub fn legacy_tasks(&self) -> SmallMap<String, Resources> {
        let legacy = |task: &AllocatedTaskResources| Resources {
            cpu: task.cpu.cpu_shares,
            memory_mb: task.memory.memory_mb,
            memory_max_mb: task.memory.memory_max_mb,
            networks: task.networks.clone(),
            ..Resources::default()
        };
        self.tasks
            .iter()
            .map(|(name, task)| (name.clone(), legacy(task)))
            .collect()
    }

    /// The host's port of this label.
    #[must_use]
    pub fn port(&self, label: &str) -> Option<&AllocatedPort> {
        self.shared.ports.iter().find(|port| port.label == label)
    }
}

impl ComparableResources {
    /// Adds what another takes.
    pub fn add(&mut self, other: &Self) {
        self.cpu_shares += other.cpu_shares;
        self.reserved_cores.extend(&other.reserved_cores);
        self.memory_mb += other.memory_mb;
        self.memory_max_mb += other.memory_max_mb;
        self.disk_mb += other.disk_mb;
    }

    /// Takes away what another takes.
    pub fn subtract(&mut self, other: &Self) {
        self.cpu_shares -= other.cpu_shares;
        self.reserved_cores
            .retain(|core| !other.reserved_cores.contains(core));
        self.memory_mb -= other.memory_mb;
        self.memory_max_mb -= other.memory_max_mb;
        self.disk_mb -= other.disk_mb;
    }

    /// Whether `other` fits into it; else the first dimension that is missing.
    ///
    /// # Errors
    /// The dimension's name: `cpu`, `cores`, `memory` or `disk`.
    pub fn holds(&self, other: &Self) -> Result<(), &'static str> {
        if self.cpu_shares < other.cpu_shares {
            return Err("cpu");
        }
        if !self.reserved_cores.is_empty()
            && !self.reserved_cores.is_superset(&other.reserved_cores)
        {
            return Err("cores");
        }
        if self.memory_mb < other.memory_mb {
            return Err("memory");
        }
        if self.disk_mb < other.disk_mb {
            return Err("disk");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(cpu: i64, memory: i64, cores: &[u16]) -> AllocatedTaskResources {
        AllocatedTaskResources {
            cpu: AllocatedCpuResources {
                cpu_shares: cpu,
                reserved_cores: cores.to_vec(),
            },
            memory: AllocatedMemoryResources {
                memory_mb: memory,
                memory_max_mb: 0,
            },
            ..AllocatedTaskResources::default()
        }
    }

    fn hook(hook: &str, sidecar: bool) -> Option<Lifecycle> {
        Some(Lifecycle {
            hook: hook.to_owned(),
            sidecar,
        })
    }

    #[test]
    fn tasks_that_never_run_together_are_not_added_up() {
        let given = AllocatedResources {
            tasks: SmallMap::from([
                ("main".to_owned(), task(100, 100, &[])),
                ("init".to_owned(), task(500, 50, &[])),
                ("side".to_owned(), task(10, 10, &[])),
                ("last".to_owned(), task(20, 900, &[])),
                ("pinned".to_owned(), task(2000, 1, &[3, 4])),
            ]),
            task_lifecycles: SmallMap::from([
                ("main".to_owned(), None),
                ("init".to_owned(), hook("prestart", false)),
                ("side".to_owned(), hook("prestart", true)),
                ("last".to_owned(), hook("poststop", false)),
                ("pinned".to_owned(), None),
            ]),
            ..AllocatedResources::default()
        };
        let sum = given.comparable();
        assert_eq!(sum.cpu_shares, 510 + 2000);
        assert_eq!(sum.memory_mb, 900);
        assert_eq!(sum.reserved_cores, BTreeSet::from([3, 4]));
    }
}
