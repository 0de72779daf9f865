//! `cargo xtask bench`: measurements of the release binary (median of five runs, data on disk), and a
//! front door to the benchmarks of each room.

mod measures;
mod process;
mod subject;
mod tasks;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Metadata};
use measures::{MEASURES, Measure};

const RUNS: usize = 5;

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let metadata = workspace::metadata()?;
    let (given, args) = crate::agent::given_binary(args)?;
    let rooms = room_benches(&metadata);
    let runs = args
        .iter()
        .find_map(|arg| arg.strip_prefix("--runs="))
        .map_or(Ok(RUNS), str::parse)
        .context("--runs needs a number")?;
    let tsv = args.iter().position(|arg| arg == "--tsv");
    let tsv = tsv.and_then(|at| args.get(at + 1)).map(String::as_str);
    let names: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !arg.starts_with("--") && Some(*arg) != tsv)
        .collect();
    if names.is_empty() {
        list(&rooms);
        return Ok(true);
    }
    let mut chosen: Vec<&Measure> = Vec::new();
    for name in &names {
        match (
            MEASURES.iter().find(|measure| measure.name == *name),
            rooms.iter().find(|room| room.0 == *name),
        ) {
            (Some(measure), _) => chosen.push(measure),
            (None, Some((_, package, bench))) => room_bench(package, bench, tsv)?,
            (None, None) if *name == "agent" => chosen.extend(MEASURES),
            (None, None) => bail!("there is no benchmark {name:?}; `cargo xtask bench` lists them"),
        }
    }
    if !chosen.is_empty() {
        table(&chosen, runs, given)?;
    }
    Ok(true)
}

/// Name, package, bench target.
fn room_benches(metadata: &Metadata) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        for target in package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bench"))
        {
            found.push((
                format!("{}-{}", package.room(), target.name),
                package.name.clone(),
                target.name.clone(),
            ));
        }
    }
    found
}

fn list(rooms: &[(String, String, String)]) {
    println!(
        "Measurements of the release binary (`agent` runs all of them; --runs=N instead of {RUNS}, --bin PATH measures that one):\n"
    );
    for measure in MEASURES {
        println!("  {:<14} {}", measure.name, measure.what);
    }
    println!("\nBenchmarks of the rooms (cargo bench; scheduler-matrix takes --tsv FILE):\n");
    for (name, ..) in rooms {
        println!("  {name}");
    }
}

fn room_bench(package: &str, bench: &str, tsv: Option<&str>) -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["bench", "--package", package, "--bench", bench]);
    if let Some(file) = tsv {
        // The benchmark runs in its package's folder.
        let file = std::path::absolute(file).context("the path of --tsv")?;
        cargo.args(["--", "matrix", "--tsv"]).arg(file);
    }
    let status = cargo.status().context("running cargo bench")?;
    if !status.success() {
        bail!("the benchmark {bench} of {package} failed");
    }
    Ok(())
}

fn table(chosen: &[&Measure], runs: usize, given: Option<PathBuf>) -> Result<()> {
    let binary = crate::agent::binary(given)?;
    println!("\n| What | Reference | Target | Measured, median of {runs} |\n|---|---|---|---|");
    for measure in chosen {
        let mut results: Vec<Vec<f64>> = Vec::new();
        let mut failed = None;
        for _ in 0..runs {
            match (measure.run)(&binary) {
                Ok(values) => results.push(values),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let measured = match failed {
            Some(error) => format!("failed: {error:#}").replace('\n', " "),
            None => medians(&results)
                .into_iter()
                .zip(measure.units)
                .map(|(value, unit)| text(value, unit))
                .collect::<Vec<_>>()
                .join(" / "),
        };
        println!(
            "| {} | {} | {} | {measured} |",
            measure.what, measure.reference, measure.target
        );
    }
    Ok(())
}

fn medians(results: &[Vec<f64>]) -> Vec<f64> {
    let columns = results.first().map_or(0, Vec::len);
    (0..columns)
        .map(|column| {
            percentile(
                results
                    .iter()
                    .filter_map(|row| row.get(column).copied())
                    .collect(),
                0.5,
            )
        })
        .collect()
}

/// The value below which this share of the values lies.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * share).round().max(0.0) as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn text(value: f64, unit: &str) -> String {
    if value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.2} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(
            medians(&[vec![3.0, 1.0], vec![1.0, 1.0], vec![2.0, 5.0]]),
            [2.0, 1.0]
        );
        assert_eq!(percentile((1..=100).map(f64::from).collect(), 0.99), 99.0);
    }
}
