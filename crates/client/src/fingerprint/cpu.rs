//! Cores, their speed, and what they add up to.

use std::collections::BTreeSet;
use std::fs;

use caravan_model::{CpuCore, CpuTopology, Node};

use super::{resources, set};
use crate::config::ClientConfig;

/// MHz of a core nothing is known about.
const GUESS: u64 = 1000;

pub(super) fn look(config: &ClientConfig, node: &mut Node) {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let ids = online();
    let reservable = reservable(config, &ids);
    let cores: Vec<CpuCore> = ids
        .iter()
        .map(|id| core(*id, &info, &config.reserved.cores))
        .collect();
    let speed = |core: &CpuCore| {
        [core.max_speed, core.base_speed, core.guess_speed]
            .into_iter()
            .find(|mhz| *mhz > 0)
            .unwrap_or(0)
    };
    let found: u64 = cores.iter().map(speed).sum();
    let total = if config.cpu_total_compute > 0 {
        config.cpu_total_compute
    } else {
        found
    };
    let reserved = u64::try_from(config.reserved.cpu).unwrap_or(0);
    let frequency = cores.first().map_or(0, speed);
    if let Some(model) = field(&info, "model name").next() {
        set(node, "cpu.modelname", model);
    }
    set(node, "cpu.numcores", cores.len().to_string());
    set(node, "cpu.frequency", frequency.to_string());
    set(node, "cpu.reservablecores", reservable.len().to_string());
    set(node, "cpu.totalcompute", total.to_string());
    set(
        node,
        "cpu.usablecompute",
        total.saturating_sub(reserved).to_string(),
    );
    set(node, "numa.node.count", "1");
    set(node, "numa.node0.cores", ranges(&ids));
    let all = resources(node);
    all.cpu.cpu_shares = i64::try_from(total).unwrap_or(i64::MAX);
    all.cpu.total_cpu_cores = u16::try_from(cores.len()).unwrap_or(u16::MAX);
    all.cpu.reservable_cpu_cores = reservable;
    all.processors.topology = Some(CpuTopology {
        cores,
        distances: None,
        nodes: vec![0],
        override_total_compute: config.cpu_total_compute,
        override_withold_compute: reserved,
    });
}

fn online() -> Vec<u16> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let found = parse_list(text.trim());
    if found.is_empty() {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        return (0..u16::try_from(count).unwrap_or(1)).collect();
    }
    found
}

fn reservable(config: &ClientConfig, all: &[u16]) -> Vec<u16> {
    let wanted: BTreeSet<u16> = parse_list(&config.reservable_cores).into_iter().collect();
    let reserved = &config.reserved.cores;
    let open =
        |core: &&u16| (wanted.is_empty() || wanted.contains(core)) && !reserved.contains(core);
    all.iter().filter(open).copied().collect()
}

fn field<'a>(info: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs
        .filter(move |(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn core(id: u16, info: &str, reserved: &[u16]) -> CpuCore {
    let file = |name: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{id}/cpufreq/{name}");
        let khz: u64 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
        Some(khz / 1000)
    };
    let max = file("cpuinfo_max_freq").unwrap_or(0);
    let listed = || {
        field(info, "cpu MHz")
            .nth(usize::from(id))
            .and_then(|mhz| mhz.parse::<f64>().ok())
    };
    let base = file("base_frequency")
        .or_else(|| listed().map(|mhz| mhz as u64))
        .unwrap_or(0);
    CpuCore {
        id,
        base_speed: base,
        max_speed: max,
        guess_speed: if base == 0 && max == 0 { GUESS } else { 0 },
        grade: true,
        disable: reserved.contains(&id),
        ..CpuCore::default()
    }
}

/// `0-3,8` as numbers.
fn parse_list(text: &str) -> Vec<u16> {
    let part = |part: &str| -> Option<Vec<u16>> {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.trim().parse().ok()?..=to.trim().parse().ok()?).collect())
    };
    text.split(',').filter_map(part).flatten().collect()
}

/// Numbers as `0-3,8`.
fn ranges(ids: &[u16]) -> String {
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, end)) if *end + 1 == *id => *end = *id,
            _ => parts.push((*id, *id)),
        }
    }
    let text = |(from, to): &(u16, u16)| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}-{to}")
        }
    };
    parts.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_and_written() {
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(ranges(&[0, 1, 2, 5]), "0-2,5");
        assert!(parse_list("").is_empty());
    }
}
