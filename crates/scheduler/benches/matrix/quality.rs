//! How well is placed: all nodes looked at, against the reference's sample, on the same clusters with the same
//! demand, over 20 seeds.

use crate::cluster::{apply, eval, job, node, process, register, with_nodes};
use crate::sampled::{self, Demand, Machine, Placed, Random};
use caravan_model::*;
use caravan_state::{Command, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SEEDS: u64 = 20;

/// What is measured of a placement; less is better but for the score.
#[derive(Clone, Copy, Debug, Default)]
struct Quality {
    /// Nodes that something was placed on.
    touched: f64,
    /// Nodes that were idle before and are not any more.
    opened: f64,
    /// Σ |count − ideal| over the racks.
    spread_error: f64,
    /// Mean final score.
    score: f64,
    /// Allocations beside another of the job.
    collisions: f64,
}

/// Compares all cases and prints a line for each.
pub(crate) fn run() {
    println!("\nquality over {SEEDS} seeds: all nodes / sampled");
    println!("nodes\tallocs\tspread\ttouched\topened\tspread error\tmean score\tcollisions");
    for (nodes, count, spread) in [
        (500, 50, false),
        (500, 300, false),
        (1000, 600, false),
        (5000, 600, false),
        (500, 50, true),
        (500, 200, true),
        (1000, 300, true),
    ] {
        let (mut ours, mut theirs) = (Quality::default(), Quality::default());
        for seed in 0..SEEDS {
            let (a, b) = compare(nodes, count, spread, seed);
            ours.add(a);
            theirs.add(b);
        }
        let (ours, theirs) = (ours.mean(), theirs.mean());
        println!(
            "{nodes}\t{count}\t{spread}\t{:.1} / {:.1}\t{:.1} / {:.1}\t{:.1} / {:.1}\t{:.4} / {:.4}\t{:.1} / {:.1}",
            ours.touched,
            theirs.touched,
            ours.opened,
            theirs.opened,
            ours.spread_error,
            theirs.spread_error,
            ours.score,
            theirs.score,
            ours.collisions,
            theirs.collisions,
        );
        // Both are greedy, so one may be luckier by a node in a seed: half a percent is no difference. 300 spread over
        // 1000 nodes open 0.5 idle nodes of 49 more than the sample does (300 seeds), whatever breaks ties: when all
        // racks are even the formulas like the fullest node best that can take a second one, and a sample that misses
        // it takes one in a rack with fewer nodes to spare. As many nodes are used (286.6 and 286.5), the racks are as
        // even and the mean score is the same.
        let no_more = |ours: f64, theirs: f64| ours <= theirs * 1.005 + 1e-9;
        let never_worse = no_more(ours.opened, theirs.opened)
            && (!spread || no_more(ours.spread_error, theirs.spread_error))
            && no_more(theirs.score, ours.score);
        if !never_worse {
            println!("\tWORSE than the sample");
        }
    }
}

impl Quality {
    fn add(&mut self, other: Self) {
        self.touched += other.touched;
        self.opened += other.opened;
        self.spread_error += other.spread_error;
        self.score += other.score;
        self.collisions += other.collisions;
    }

    fn mean(mut self) -> Self {
        let n = SEEDS as f64;
        for value in [
            &mut self.touched,
            &mut self.opened,
            &mut self.spread_error,
            &mut self.score,
            &mut self.collisions,
        ] {
            *value /= n;
        }
        self
    }
}

fn compare(nodes: usize, count: usize, spread: bool, seed: u64) -> (Quality, Quality) {
    let racks = 25;
    let mut state = with_nodes((0..nodes).map(|number| node(number, racks)));
    let machines = load(&mut state, nodes, racks, seed);
    register(&mut state, job(racks, count as i64, spread));
    let plans = process(&state, &eval(&state, "bench", u128::from(seed) + 1), seed);
    let index: BTreeMap<NodeId, usize> = (0..nodes).map(|n| (node(n, racks).id, n)).collect();
    let ours: Placed = plans
        .iter()
        .flat_map(|plan| &plan.node_allocation)
        .flat_map(|(node, allocs)| allocs.iter().map(|alloc| (index[node], best(alloc))))
        .collect();
    let demand = Demand {
        count,
        ask: (6000.0, 6000.0),
        spread,
    };
    let theirs = sampled::place(&mut machines.clone(), demand, seed);
    assert_eq!(ours.len(), theirs.len(), "as many are placed");
    (
        judge(&machines, racks, &ours),
        judge(&machines, racks, &theirs),
    )
}

/// The score that an allocation was placed with.
fn best(alloc: &Allocation) -> f64 {
    let metric = alloc
        .metrics
        .as_ref()
        .and_then(|metric| metric.best_score());
    metric.map_or(0.0, |score| score.norm_score)
}

fn judge(machines: &[Machine], racks: usize, placed: &Placed) -> Quality {
    let touched: BTreeSet<usize> = placed.iter().map(|(machine, _)| *machine).collect();
    let opened = touched
        .iter()
        .filter(|at| machines[**at].used.0 == 0.0)
        .count();
    let mut by_rack = vec![0.0; racks / 2];
    for (machine, _) in placed {
        by_rack[machines[*machine].rack] += 1.0;
    }
    let ideal = placed.len() as f64 / by_rack.len() as f64;
    Quality {
        touched: touched.len() as f64,
        opened: opened as f64,
        spread_error: by_rack
            .iter()
            .map(|count: &f64| (count - ideal).abs())
            .sum(),
        score: placed.iter().map(|(_, score)| score).sum::<f64>() / placed.len().max(1) as f64,
        collisions: (placed.len() - touched.len()) as f64,
    }
}

/// Puts something of another job on every second node or so, as much as the seed says.
fn load(state: &mut State, nodes: usize, racks: usize, seed: u64) -> Vec<Machine> {
    let mut random = Random(seed ^ 0x10ad);
    let mut other = job(racks, 0, false);
    other.id = "other".into();
    register(state, other);
    let key = caravan_state::JobKey::new("default", "other");
    let job = state.job(&key).cloned();
    let mut machines = Vec::new();
    let mut allocs = Vec::new();
    for number in 0..nodes {
        let used = match random.below(2) {
            0 => 0,
            _ => 500 * (1 + random.below(10)) as i64,
        };
        machines.push(Machine {
            eligible: number % racks < racks / 2,
            rack: number % racks,
            capacity: (13_900.0, 31_744.0),
            used: (used as f64, used as f64),
            own: 0,
        });
        if used > 0 {
            allocs.push(alloc(number, racks, used));
        }
    }
    let plan = caravan_state::PlanApply {
        eval: EvalId::NIL,
        job,
        stops: Vec::new(),
        allocs,
        deployment: None,
        deployment_updates: Vec::new(),
        preemption_evals: Vec::new(),
        ineligible_nodes: Vec::new(),
        now: crate::cluster::EPOCH,
    };
    apply(state, Command::ApplyPlan(Box::new(plan)));
    machines
}

fn alloc(number: usize, racks: usize, used: i64) -> Allocation {
    let mut resources = AllocatedResources::default();
    let task = AllocatedTaskResources {
        cpu: AllocatedCpuResources {
            cpu_shares: used,
            ..AllocatedCpuResources::default()
        },
        memory: AllocatedMemoryResources {
            memory_mb: used,
            ..AllocatedMemoryResources::default()
        },
        ..AllocatedTaskResources::default()
    };
    resources.tasks.insert("web".into(), task);
    Allocation {
        id: AllocId::from_u128(0xa000_0000 + number as u128),
        namespace: "default".into(),
        job_id: "other".into(),
        task_group: "web".into(),
        name: Allocation::make_name("other", "web", number),
        node_id: node(number, racks).id,
        client_status: ClientStatus::Running,
        allocated_resources: Some(Arc::new(resources)),
        ..Allocation::default()
    }
}
