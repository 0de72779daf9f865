//! Which allocations of lower priority make room on a node (scheduler sheet §11).

use crate::ask::GroupAsk;
use crate::planned::Planned;
use crate::rng::Rng;
use crate::stack::make_offer;
use caravan_model::*;
use caravan_state::{Amount, State, Usage, capacity};
use std::sync::Arc;

/// How much lower a priority must be.
const PRIORITY_DELTA: i64 = 10;
/// What each eviction beyond a group's `migrate.max_parallel` costs.
const PARALLEL_PENALTY: f64 = 50.0;

/// Room made on a node.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) preempted: Vec<Arc<Allocation>>,
    pub(crate) resources: Arc<AllocatedResources>,
    /// What is taken of the node then, the new allocation included.
    pub(crate) used: Amount,
    pub(crate) device_score: Option<f64>,
}

/// Finds room for an allocation by evicting others, when that is possible.
pub(crate) fn on_node(
    state: &State,
    planned: &Planned,
    node: &Node,
    job: &Job,
    ask: &GroupAsk,
    rng: &mut Rng,
) -> Option<Room> {
    let running: Vec<Arc<Allocation>> = planned.proposed(state, node.id).cloned().collect();
    let mut usage = Usage::default();
    for alloc in &running {
        usage.add(alloc);
    }
    let mut preemptible: Vec<Arc<Allocation>> = running
        .into_iter()
        .filter(|alloc| may_evict(state, job, alloc))
        .collect();
    preemptible.sort_by_key(|alloc| (priority(alloc), alloc.id));
    let room = capacity(node);
    let mut chosen: Vec<Arc<Allocation>> = Vec::new();
    loop {
        match place(node, &usage, ask, room, rng) {
            Ok((resources, used, device_score)) => {
                let preempted = without_redundant(node, &usage, ask, room, chosen, rng);
                let (resources, used, device_score) = match preempted.1 {
                    Some(better) => better,
                    None => (resources, used, device_score),
                };
                return Some(Room {
                    preempted: preempted.0,
                    resources,
                    used,
                    device_score,
                });
            }
            Err(missing) => {
                let next = choose(planned, ask, &preemptible, &chosen, &missing)?;
                let alloc = preemptible.remove(next);
                usage.remove(&alloc);
                chosen.push(alloc);
            }
        }
    }
}

type Placed = (Arc<AllocatedResources>, Amount, Option<f64>);

/// What is missing: amounts, or something that only certain allocations hold.
enum Missing {
    Amount(Amount),
    Other,
}

fn place(
    node: &Node,
    usage: &Usage,
    ask: &GroupAsk,
    room: Amount,
    rng: &mut Rng,
) -> Result<Placed, Missing> {
    let (resources, device_score) =
        make_offer(node, usage.held.as_deref(), ask, rng).map_err(|_| Missing::Other)?;
    let mut used = usage.amount;
    used.add(Amount::of(&resources));
    if room.lacks(used).is_some() {
        let mut over = used;
        over.subtract(room);
        return Err(Missing::Amount(over));
    }
    Ok((resources, used, device_score))
}

/// What an allocation takes of its node; nothing once its client is done with it.
fn taken(alloc: &Allocation) -> Amount {
    match &alloc.allocated_resources {
        Some(resources) if !alloc.client_terminal() => Amount::of(resources),
        _ => Amount::default(),
    }
}

fn may_evict(state: &State, job: &Job, alloc: &Allocation) -> bool {
    let key = caravan_state::JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
    let own = alloc.job_id == job.id && alloc.namespace == job.namespace;
    let known = alloc.job.is_some() || state.job(&key).is_some();
    !own && known && priority(alloc) <= job.priority - PRIORITY_DELTA
}

fn priority(alloc: &Allocation) -> i64 {
    alloc.job.as_ref().map_or(i64::MAX, |job| job.priority)
}

/// The next to evict: of the lowest priority, the one closest to what is missing.
fn choose(
    planned: &Planned,
    ask: &GroupAsk,
    preemptible: &[Arc<Allocation>],
    chosen: &[Arc<Allocation>],
    missing: &Missing,
) -> Option<usize> {
    let mut needed = ask.amount;
    for alloc in chosen {
        needed.subtract(taken(alloc));
    }
    let useful = |alloc: &Allocation| match missing {
        Missing::Amount(over) => {
            let has = taken(alloc);
            (over.cpu > 0 && has.cpu > 0)
                || (over.memory > 0 && has.memory > 0)
                || (over.disk > 0 && has.disk > 0)
        }
        Missing::Other => holds_what_is_asked(alloc, ask),
    };
    let candidates: Vec<usize> = (0..preemptible.len())
        .filter(|at| useful(&preemptible[*at]))
        .collect();
    let lowest = candidates
        .iter()
        .map(|at| priority(&preemptible[*at]))
        .min()?;
    candidates
        .into_iter()
        .filter(|at| priority(&preemptible[*at]) == lowest)
        .min_by(|left, right| {
            let cost = |at: usize| {
                let alloc = &preemptible[at];
                distance(needed, taken(alloc)) + penalty(planned, chosen, alloc)
            };
            cost(*left).total_cmp(&cost(*right))
        })
}

/// Whether an allocation holds ports, cores or devices that the group asks for.
fn holds_what_is_asked(alloc: &Allocation, ask: &GroupAsk) -> bool {
    let Some(resources) = &alloc.allocated_resources else {
        return false;
    };
    let fixed = |value: i64| {
        let of_group = ask
            .network
            .iter()
            .flat_map(|network| &network.reserved_ports);
        let of_tasks = ask
            .task_networks
            .iter()
            .flat_map(|(_, network)| &network.reserved_ports);
        of_group.chain(of_tasks).any(|port| port.value == value)
    };
    let of_tasks = || resources.tasks.values();
    let networks = resources
        .shared
        .networks
        .iter()
        .chain(of_tasks().flat_map(|t| &t.networks));
    resources.shared.ports.iter().any(|port| fixed(port.value))
        || networks
            .flat_map(NetworkResource::ports)
            .any(|port| fixed(port.value))
        || (!ask.cores.is_empty() && of_tasks().any(|task| !task.cpu.reserved_cores.is_empty()))
        || (!ask.devices.is_empty() && of_tasks().any(|task| !task.devices.is_empty()))
}

fn distance(needed: Amount, has: Amount) -> f64 {
    let part = |needed: i64, has: i64| {
        if needed > 0 {
            ((needed - has) as f64 / needed as f64).powi(2)
        } else {
            0.0
        }
    };
    (part(needed.memory, has.memory) + part(needed.cpu, has.cpu) + part(needed.disk, has.disk))
        .sqrt()
}

fn penalty(planned: &Planned, chosen: &[Arc<Allocation>], alloc: &Allocation) -> f64 {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let most = group
        .and_then(|group| group.migrate.as_ref())
        .map_or(0, |migrate| migrate.max_parallel);
    let same = |other: &&Arc<Allocation>| {
        other.job_id == alloc.job_id
            && other.namespace == alloc.namespace
            && other.task_group == alloc.task_group
    };
    let already = chosen.iter().filter(same).count() + planned.preempted().filter(same).count();
    let already = i64::try_from(already).unwrap_or(i64::MAX);
    if most > 0 && already >= most {
        PARALLEL_PENALTY * (already + 1 - most) as f64
    } else {
        0.0
    }
}

/// Gives those back that turn out not to be needed: the ones furthest from the ask are tried last.
fn without_redundant(
    node: &Node,
    usage: &Usage,
    ask: &GroupAsk,
    room: Amount,
    mut chosen: Vec<Arc<Allocation>>,
    rng: &mut Rng,
) -> (Vec<Arc<Allocation>>, Option<Placed>) {
    let mut usage = usage.clone();
    let mut placed = None;
    chosen.sort_by(|left, right| {
        let cost = |alloc: &Allocation| distance(ask.amount, taken(alloc));
        cost(right).total_cmp(&cost(left))
    });
    let mut at = chosen.len();
    while at > 0 && chosen.len() > 1 {
        at -= 1;
        usage.add(&chosen[at]);
        match place(node, &usage, ask, room, rng) {
            Ok(better) => {
                placed = Some(better);
                chosen.remove(at);
            }
            Err(_) => usage.remove(&chosen[at]),
        }
    }
    (chosen, placed)
}

/// How little the evictions hurt, from 0 to 1.
pub(crate) fn score(preempted: &[Arc<Allocation>]) -> f64 {
    let priorities: Vec<f64> = preempted
        .iter()
        .map(|alloc| priority(alloc) as f64)
        .collect();
    let most = priorities.iter().copied().fold(0.0, f64::max);
    let sum: f64 = priorities.iter().sum();
    let pain = if most > 0.0 { most + sum / most } else { 0.0 };
    1.0 / (1.0 + (0.0048 * (pain - 2048.0)).exp())
}
