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

/// The best time of several runs, in milliseconds: on the clock, or on the processor where other programs took
/// their share meanwhile. Throwing away what a run makes does not count.
fn best_ms<T>(mut run: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    for round in 0..200 {
        let (on_cpu, before) = (nanoseconds_on_cpu(), Instant::now());
        let made = std::hint::black_box(run());
        best = best.min(before.elapsed().as_secs_f64() * 1000.0);
        if let Some((before, after)) = on_cpu.zip(nanoseconds_on_cpu()) {
            best = best.min((after - before) as f64 / 1e6);
        }
        drop(made);
        if round >= 4 && start.elapsed().as_millis() > 400 {
            break;
        }
    }
    best
}

/// How long this thread has been on the processor so far, where the system tells.
fn nanoseconds_on_cpu() -> Option<u64> {
    // What the kernel tells is as of the last switch: this makes one.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}
