//! Reads job files and shows what they become: `parse [--canonical|--admit|--format|--time] FILE…`.

use caravan_jobspec::{
    Inputs, NoCluster, Source, admit, canonicalize, error_text, format_source, parse, warning_text,
};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (flags, files): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with("--"));
    let mode = flags.first().map_or("", |flag| flag.as_str());
    for file in files {
        let bytes = std::fs::read(file).expect("the file can be read");
        let source = Source::new(file.as_str(), bytes);
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
