//! The reference's way to place: the same formulas, asked of a sample of the nodes. Only here, to compare with.

/// A node of the comparison.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) eligible: bool,
    pub(crate) rack: usize,
    pub(crate) capacity: (f64, f64),
    pub(crate) used: (f64, f64),
    /// Allocations of the job that is placed.
    pub(crate) own: usize,
}

/// What is placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) count: usize,
    pub(crate) ask: (f64, f64),
    pub(crate) spread: bool,
}

/// How a demand was placed: the machine of each allocation, and its score.
pub(crate) type Placed = Vec<(usize, f64)>;

/// Places the demand as the reference does, in an order of nodes that the seed gives.
pub(crate) fn place(machines: &mut [Machine], demand: Demand, seed: u64) -> Placed {
    let order = shuffled(machines.len(), seed);
    let limit = if demand.spread {
        demand.count.max(100)
    } else {
        (machines.len() as f64).log2().ceil().max(2.0) as usize
    };
    let racks = machines
        .iter()
        .map(|machine| machine.rack)
        .max()
        .unwrap_or(0)
        + 1;
    let mut by_rack = vec![0; racks];
    let (mut offset, mut placed) = (0, Placed::new());
    for _ in 0..demand.count {
        let found = select(machines, demand, &order, &by_rack, limit, &mut offset);
        let Some((machine, score)) = found else { break };
        let chosen = &mut machines[machine];
        chosen.used.0 += demand.ask.0;
        chosen.used.1 += demand.ask.1;
        chosen.own += 1;
        by_rack[chosen.rack] += 1;
        placed.push((machine, score));
    }
    placed
}

/// One selection: options until the limit; up to three poor ones are set aside while there are others.
fn select(
    machines: &[Machine],
    demand: Demand,
    order: &[usize],
    by_rack: &[usize],
    limit: usize,
    offset: &mut usize,
) -> Option<(usize, f64)> {
    let (mut options, mut aside) = (Vec::new(), Vec::new());
    for _ in 0..order.len() {
        if options.len() >= limit {
            break;
        }
        let machine = order[*offset % order.len()];
        *offset += 1;
        let Some(score) = score(&machines[machine], demand, by_rack) else {
            continue;
        };
        if score <= 0.0 && aside.len() < 3 {
            aside.push((machine, score));
        } else {
            options.push((machine, score));
        }
    }
    let missing = limit.saturating_sub(options.len());
    options.extend(aside.into_iter().take(missing));
    let mut best: Option<(usize, f64)> = None;
    for option in options {
        if best.is_none_or(|(_, have)| option.1 > have) {
            best = Some(option);
        }
    }
    best
}

/// The score of a machine; none when it cannot take the demand.
pub(crate) fn score(machine: &Machine, demand: Demand, by_rack: &[usize]) -> Option<f64> {
    let used = (machine.used.0 + demand.ask.0, machine.used.1 + demand.ask.1);
    if !machine.eligible || used.0 > machine.capacity.0 || used.1 > machine.capacity.1 {
        return None;
    }
    let free = |used: f64, capacity: f64| 10f64.powf(1.0 - used / capacity);
    let total = free(used.0, machine.capacity.0) + free(used.1, machine.capacity.1);
    let mut scores = vec![(20.0 - total).clamp(0.0, 18.0) / 18.0];
    if machine.own > 0 {
        scores.push(-((machine.own + 1) as f64) / demand.count as f64);
    }
    if demand.spread {
        let boost = even(by_rack, machine.rack);
        if boost != 0.0 {
            scores.push(boost);
        }
    }
    Some(scores.iter().sum::<f64>() / scores.len() as f64)
}

fn even(by_rack: &[usize], rack: usize) -> f64 {
    let used = || by_rack.iter().copied().filter(|count| *count > 0);
    let (Some(min), Some(max)) = (used().min(), used().max()) else {
        return 0.0;
    };
    let (current, min, max) = (by_rack[rack] as f64, min as f64, max as f64);
    if current != min {
        (min - current) / min
    } else if min == max {
        -1.0
    } else {
        (max - min) / min
    }
}

/// The numbers below `length` in an order that the seed gives.
pub(crate) fn shuffled(length: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    let mut random = Random(seed);
    for at in (1..length).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

/// A splitmix64 generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}
