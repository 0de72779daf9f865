//! Reads job files and shows what they become: `parse [--canonical|--admit|--format|--time|--loop] FILE…`.

use caravan_jobspec::{
    Inputs, NoCluster, Source, admit, canonicalize, error_text, format_source, parse, warning_text,
};
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (flags, files): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with("--"));
    let mode = flags.first().map_or("", |flag| flag.as_str());
    for file in files {
        let bytes = std::fs::read(file).expect("the file can be read");
        let source = Source::new(file.as_str(), bytes);
        if mode == "--loop" {
            for step in ["parse", "canonicalize", "admit"] {
                println!("{file} {step}: {:?}", fastest(&source, step));
            }
            continue;
        }
        let start = Instant::now();
        let result = match mode {
            "--format" => format_source(&source),
            _ => parse(&source, &Inputs::default()).map(|parsed| show(mode, parsed.job)),
        };
        let took = start.elapsed();
        match result {
            _ if mode == "--time" => println!("{file}: {took:?}"),
            Ok(text) => print!("{text}"),
            Err(errors) => eprint!("{}", errors.render(false)),
        }
    }
}

/// The fastest of a hundred times.
fn fastest(source: &Source, step: &str) -> Duration {
    let once = || {
        let mut job = parse(source, &Inputs::default()).expect("a good file").job;
        let start = Instant::now();
        match step {
            "canonicalize" => canonicalize(&mut job),
            "admit" => drop(admit(job, &NoCluster)),
            _ => drop(parse(source, &Inputs::default())),
        }
        start.elapsed()
    };
    (0..100).map(|_| once()).min().unwrap_or_default()
}

fn show(mode: &str, mut job: caravan_model::api::ApiJob) -> String {
    if mode == "--canonical" {
        canonicalize(&mut job);
    }
    if mode == "--admit" || mode == "--time" {
        let admission = admit(job, &NoCluster);
        let errors = match admission.errors.as_slice() {
            [] => String::new(),
            errors => error_text(errors),
        };
        return errors + &warning_text(&admission.warnings);
    }
    serde_json::to_string_pretty(&job).expect("jobs are JSON") + "\n"
}
