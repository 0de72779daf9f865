//! A thousand small clusters and some big ones, from trouble to rest. A failure names its seed: repeat it with
//! `CARAVAN_SIM_SEED=<seed> cargo test -p caravan-sim`. `CARAVAN_SIM_SEEDS=10000` runs as many small clusters.

use caravan_sim::{Report, Simulation, Size};

fn chosen() -> Option<u64> {
    std::env::var("CARAVAN_SIM_SEED").ok()?.parse().ok()
}

/// How many small clusters there are.
fn many() -> u64 {
    let asked = std::env::var("CARAVAN_SIM_SEEDS").ok();
    asked.and_then(|many| many.parse().ok()).unwrap_or(1000)
}

/// Runs these seeds, some on each thread, and shows every failure.
fn run_all(seeds: std::ops::Range<u64>, size: Size) -> Vec<Report> {
    let seeds: Vec<u64> = chosen().map_or_else(|| seeds.collect(), |seed| vec![seed]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = seeds.len().div_ceil(threads).max(1);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = seeds
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    part.iter()
                        .map(|seed| Simulation::run(*seed, size))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        runs.into_iter()
            .flat_map(|run| run.join().expect("a run ends"))
            .collect()
    });
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let failures: Vec<_> = bad.into_iter().filter_map(Result::err).collect();
    if let Some(first) = failures.first() {
        let seeds: Vec<u64> = failures.iter().map(|failure| failure.seed).collect();
        panic!(
            "{first:?}\n{} of {} failed: {seeds:?}",
            seeds.len(),
            seeds.len() + good.len()
        );
    }
    good.into_iter().filter_map(Result::ok).collect()
}

#[test]
fn a_thousand_small_clusters_come_to_rest() {
    let reports = run_all(0..many(), Size::SMALL);
    let allocs: usize = reports.iter().map(|report| report.allocs).sum();
    assert!(
        chosen().is_some() || allocs > reports.len(),
        "work was done: {allocs}"
    );
}

#[test]
fn a_big_cluster_comes_to_rest() {
    run_all(0..1, Size::BIG);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = || {
        Simulation::run(7, Size::SMALL)
            .map(|report| (report.rounds, report.commands, report.allocs))
    };
    assert_eq!(run().ok(), run().ok());
}
