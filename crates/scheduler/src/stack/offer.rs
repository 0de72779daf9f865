//! What an allocation gets on the node that was chosen: ports, cores and devices on top of the template.

use crate::ask::GroupAsk;
use crate::feasible::devices;
use crate::ports;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::Held;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an allocation of the group gets on this node, or which dimension is exhausted.
pub(crate) fn make(
    node: &Node,
    held: Option<&Held>,
    ask: &GroupAsk,
    rng: &mut Rng,
) -> Result<(Arc<AllocatedResources>, Option<f64>), String> {
    if ask.is_plain() {
        return Ok((Arc::clone(&ask.template), None));
    }
    let mut given = AllocatedResources::clone(&ask.template);
    let used = ports::Taken::new(node, held.map(|held| &held.ports));
    if let Some(network) = &ask.network {
        let offer = ports::offer_group(node, &used, network, rng)
            .map_err(|why| format!("network: {why}"))?;
        given.shared.networks = vec![offer.network];
        given.shared.ports = offer.ports;
    }
    let mut taken: BTreeSet<(String, i64)> = given
        .shared
        .ports
        .iter()
        .map(|port| (port.host_ip.clone(), port.value))
        .collect();
    let mut bandwidth = BTreeMap::new();
    for (task, network) in &ask.task_networks {
        let offer = ports::offer_task(node, held, &used, network, &mut taken, &mut bandwidth, rng)
            .map_err(|why| format!("network: {why}"))?;
        if let Some(task) = given.tasks.get_mut(task.as_str()) {
            task.networks = vec![offer];
        }
    }
    let mut score = None;
    if !ask.devices.is_empty() {
        let offer = devices::offer(node, held.map(|held| &held.devices), &ask.devices)
            .map_err(|why| format!("devices: {why}"))?;
        score = offer.score;
        for (task, device) in offer.devices {
            if let Some(task) = given.tasks.get_mut(task.as_str()) {
                task.devices.push(device);
            }
        }
    }
    give_cores(node, held, ask, &mut given)?;
    Ok((Arc::new(given), score))
}

fn give_cores(
    node: &Node,
    held: Option<&Held>,
    ask: &GroupAsk,
    given: &mut AllocatedResources,
) -> Result<(), String> {
    if ask.cores.is_empty() {
        return Ok(());
    }
    let mut free: Vec<u16> = usable_cores(node)
        .into_iter()
        .filter(|core| !held.is_some_and(|held| held.cores.contains_key(core)))
        .collect();
    for (task, wanted) in &ask.cores {
        if free.len() < *wanted {
            return Err("cores".to_owned());
        }
        let mine: Vec<u16> = free.drain(..*wanted).collect();
        if let Some(task) = given.tasks.get_mut(task.as_str()) {
            task.cpu.cpu_shares = mine.iter().map(|core| speed(node, *core)).sum();
            task.cpu.reserved_cores = mine;
        }
    }
    Ok(())
}

/// The cores that tasks may reserve, lowest first.
fn usable_cores(node: &Node) -> Vec<u16> {
    let Some(resources) = &node.node_resources else {
        return Vec::new();
    };
    let reserved = node
        .reserved_resources
        .as_ref()
        .map_or(&[][..], |r| &r.cpu.reserved_cpu_cores[..]);
    let mut cores: Vec<u16> = match &resources.processors.topology {
        Some(topology) => topology
            .cores
            .iter()
            .filter(|core| !core.disable)
            .map(|core| core.id)
            .collect(),
        None => resources.cpu.reservable_cpu_cores.clone(),
    };
    cores.retain(|core| !reserved.contains(core));
    cores.sort_unstable();
    cores
}

fn speed(node: &Node, id: u16) -> i64 {
    let Some(resources) = &node.node_resources else {
        return 0;
    };
    let topology = resources.processors.topology.as_ref();
    let core = topology.and_then(|topology| topology.cores.iter().find(|core| core.id == id));
    let mhz = core.map_or(0, |core| {
        [core.base_speed, core.max_speed, core.guess_speed]
            .into_iter()
            .find(|mhz| *mhz > 0)
            .unwrap_or(0)
    });
    if mhz > 0 {
        return i64::try_from(mhz).unwrap_or(i64::MAX);
    }
    let cores = i64::from(resources.cpu.total_cpu_cores).max(1);
    resources.cpu.cpu_shares / cores
}
