//! How much of a node an allocation needs at least: what tells, without scheduling, who cannot be helped by a node.

use caravan_model::*;
use caravan_state::{JobKey, State};
use std::sync::Arc;

/// Room on a node, free or asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room {
    /// MHz.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// MiB.
    pub disk: i64,
}

impl Room {
    /// Whether this much could hold what is asked for.
    #[must_use]
    pub fn holds(self, asked: Self) -> bool {
        self.cpu >= asked.cpu && self.memory >= asked.memory && self.disk >= asked.disk
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
            disk: self.disk + other.disk,
        }
    }

    /// What is left after taking this often.
    #[must_use]
    pub fn minus(self, other: Self, times: i64) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(other.cpu.saturating_mul(times)),
            memory: self
                .memory
                .saturating_sub(other.memory.saturating_mul(times)),
            disk: self.disk.saturating_sub(other.disk.saturating_mul(times)),
        }
    }

    /// What is left to ask for where this much is given back.
    fn beyond(self, given: Self) -> Self {
        Self {
            cpu: (self.cpu - given.cpu).max(0),
            memory: (self.memory - given.memory).max(0),
            disk: (self.disk - given.disk).max(0),
        }
    }

    /// The larger of each.
    fn at_least(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            disk: self.disk.max(other.disk),
        }
    }

    fn of_alloc(alloc: &Allocation) -> Self {
        alloc
            .allocated_resources
            .as_ref()
            .map_or_else(Self::default, |resources| {
                let taken = resources.comparable();
                Self {
                    cpu: taken.cpu_shares,
                    memory: taken.memory_mb,
                    disk: taken.disk_mb,
                }
            })
    }
}

/// What is free on a node; nothing on one that takes no allocations.
#[must_use]
pub fn room_on(state: &State, node: &Node) -> Option<Room> {
    if !node.is_ready() {
        return None;
    }
    let has = node.node_resources.as_ref()?;
    let mut room = Room {
        cpu: has.cpu.cpu_shares,
        memory: has.memory.memory_mb,
        disk: has.disk.disk_mb,
    };
    if let Some(reserved) = &node.reserved_resources {
        let reserved = Room {
            cpu: reserved.cpu.cpu_shares,
            memory: reserved.memory.memory_mb,
            disk: reserved.disk.disk_mb,
        };
        room = room.minus(reserved, 1);
    }
    let taken = state
        .allocs_of_node(&node.id)
        .filter(|alloc| !alloc.terminal_status())
        .fold(Room::default(), |sum, alloc| {
            sum.plus(Room::of_alloc(alloc))
        });
    Some(room.minus(taken, 1))
}

/// The least that an evaluation needs on one node for each group that it could not place, with how many are wanted.
///
/// It is never more than what the scheduler will ask for, so that whom it rules out would have failed. Where it
/// cannot be known (the group is gone, lower priorities could be evicted) it is nothing. What is replaced makes room for
/// what replaces it.
#[must_use]
pub fn least_asked(state: &State, eval: &Evaluation) -> Vec<(Room, i64)> {
    let key = crate::follow_up::key_of_eval(eval);
    let job = state.job(&key);
    let evicts = may_evict(state, &eval.r#type);
    let mut asks: Vec<(Room, i64)> = eval
        .failed_tg_allocs
        .keys()
        .map(|name| {
            let group = job.and_then(|job| job.lookup_task_group(name));
            let room = job.zip(group).filter(|_| !evicts);
            let room = room.map_or_else(Room::default, |(job, group)| {
                least_of(group).beyond(most_given_back(state, job, group, eval.node_id))
            });
            let wanted = eval.queued_allocations.get(name).copied().unwrap_or(1);
            (room, wanted.max(1))
        })
        .collect();
    if asks.is_empty() {
        asks.push((Room::default(), 1));
    }
    asks.sort_unstable();
    asks
}

/// Tasks that run beside each other for the whole life of the group. Others may come and go before them.
fn least_of(group: &TaskGroup) -> Room {
    let mut room = Room {
        disk: group.ephemeral_disk.size_mb,
        ..Room::default()
    };
    for task in group.tasks.iter().filter(|task| task.lifecycle.is_none()) {
        // Whole cores are worth what the node's cores are worth.
        if task.resources.cores == 0 {
            room.cpu += task.resources.cpu;
        }
        room.memory += task.resources.memory_mb;
    }
    room
}

/// The most that a group gives back anywhere, or on the only node that may serve, when an allocation of it that does not
/// run the job as it is now is replaced.
fn most_given_back(state: &State, job: &Job, group: &TaskGroup, only: NodeId) -> Room {
    let gives_back = |alloc: &Allocation| {
        let current = alloc.job.as_ref().is_some_and(|of| {
            of.job_modify_index == job.job_modify_index && of.create_index == job.create_index
        });
        alloc.task_group == group.name && !current && !alloc.client_terminal()
    };
    let most = |most: Room, alloc: &Arc<Allocation>| match gives_back(alloc) {
        true => most.at_least(Room::of_alloc(alloc)),
        false => most,
    };
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    if only.is_nil() {
        return state.allocs_of_job(&key).fold(Room::default(), most);
    }
    // System jobs wait on each node by itself: all their allocations, for each, would be many.
    let here = state.allocs_of_node(&only);
    here.filter(|alloc| alloc.job_id == job.id && alloc.namespace == job.namespace)
        .fold(Room::default(), most)
}

fn may_evict(state: &State, kind: &str) -> bool {
    let Some(config) = state.scheduler_config() else {
        return true;
    };
    let preemption = &config.preemption_config;
    match kind {
        job_type::SERVICE => preemption.service_scheduler_enabled,
        job_type::BATCH => preemption.batch_scheduler_enabled,
        job_type::SYSTEM => preemption.system_scheduler_enabled,
        _ => preemption.sys_batch_scheduler_enabled,
    }
}
