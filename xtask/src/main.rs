//! The project's automation: `cargo xtask <what>`.

mod agent;
mod bench;
mod demo;
mod docs;
mod http;
mod source;
mod tests_run;
mod tidy;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <what>

  demo [--once] [--bin PATH]
                  build the release binary (or take PATH), start an agent and walk through what it does
  test            run every test there is; ends with `N passed, N failed, N skipped`
  tidy            check the laws of the house (docs/laws.md)
  docs            check links and commands in the documentation
  bench [name…] [--runs=N] [--bin PATH]
                  measure; without a name, say what there is
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let done = match args.first().map(String::as_str) {
        Some("bench") => bench::run(rest),
        Some("demo") => demo::run(rest),
        Some("docs") => docs::run(rest),
        Some("test") => tests_run::run(rest),
        Some("tidy") => tidy::run(rest),
        Some("help" | "-h" | "--help") => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
