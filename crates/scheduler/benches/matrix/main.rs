//! How long evaluations take and how well they place.
//!
//! `cargo bench -p caravan-scheduler --bench matrix -- [matrix|workloads|quality]… [--tsv FILE]`, all parts without
//! a name. The matrix goes through 120 cases (nodes × racks × allocations, with and without spread), checks the
//! answer of each and writes a line for each pair: `nodes racks allocations no_spread_ms spread_ms`.

mod cases;
mod cluster;
mod quality;
mod sampled;
mod workloads;

use std::time::Instant;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (mut parts, mut tsv) = (Vec::new(), None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--tsv" => tsv = args.next(),
            _ => parts.push(arg),
        }
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|have| have == part);
    if wanted("matrix") {
        cases::run(tsv.as_deref())?;
    }
    if wanted("workloads") {
        workloads::run();
    }
    if wanted("quality") {
        quality::run();
    }
    Ok(())
}

/// The best time of several runs, in milliseconds.
fn best_ms(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    for round in 0..50 {
        let before = Instant::now();
        run();
        best = best.min(before.elapsed().as_secs_f64() * 1000.0);
        if round >= 2 && start.elapsed().as_millis() > 300 {
            break;
        }
    }
    best
}
