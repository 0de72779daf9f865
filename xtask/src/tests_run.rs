//! `cargo xtask test`: every test there is, one count at the end. A test that cannot run here prints
//! `SKIPPED: name: reason`; it is counted as skipped and not as passed.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::{tidy, workspace};

/// Long enough for a cold build on two cores; a test that hangs ends here.
const LIMIT: Duration = Duration::from_secs(50 * 60);
/// No line for so long: something hangs.
const SILENCE: Duration = Duration::from_secs(20 * 60);

/// What the output of libtest told so far.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failures: Vec<String>,
    skipped: BTreeMap<String, String>,
    /// Test binaries that began and did not finish.
    open: Option<String>,
    binary: String,
    quiet: bool,
}

impl Tally {
    /// Takes one line; whether it is worth showing.
    fn line(&mut self, line: &str) -> bool {
        let plain = line.trim();
        if let Some(skip) = plain.find("SKIPPED: ").map(|at| &plain[at + 9..])
            && let Some((name, reason)) = skip.split_once(": ")
        {
            self.skipped
                .insert(name.trim().to_owned(), reason.trim().to_owned());
            return true;
        }
        if let Some(binary) = plain
            .strip_prefix("Running ")
            .or_else(|| plain.strip_prefix("Doc-tests "))
        {
            self.end_binary();
            self.binary = binary.split(" (").next().unwrap_or(binary).to_owned();
        }
        if plain.starts_with("running ") && (plain.ends_with(" tests") || plain.ends_with(" test"))
        {
            self.open = Some(self.binary.clone());
            self.quiet = false;
        }
        if plain.starts_with("test result: ") {
            self.open = None;
            self.quiet = false;
            return true;
        }
        if plain == "successes:" {
            self.quiet = true;
        }
        if plain == "failures:" {
            self.quiet = false;
        }
        self.outcome(plain);
        !self.quiet
    }

    fn outcome(&mut self, plain: &str) {
        let Some(rest) = plain.strip_prefix("test ").filter(|_| !self.quiet) else {
            return;
        };
        let Some((name, outcome)) = rest.rsplit_once(" ... ") else {
            return;
        };
        match outcome.split(' ').next() {
            Some("ok") => self.passed += 1,
            Some("FAILED") => self.failures.push(format!("{name} ({})", self.binary)),
            Some("ignored") | Some("ignored,") => {
                self.skipped.insert(name.to_owned(), "ignored".to_owned());
            }
            _ => {}
        }
    }

    /// A binary that began and gave no result crashed.
    fn end_binary(&mut self) {
        if let Some(binary) = self.open.take() {
            self.failures
                .push(format!("{binary}: ended without a result"));
        }
    }
}

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let mut tally = Tally::default();
    cargo_test(args, &mut tally)?;
    match tidy::violations() {
        Ok(found) if found.is_empty() => tally.passed += 1,
        Ok(found) => {
            found.iter().for_each(|one| println!("{one}"));
            tally
                .failures
                .push(format!("tidy: {} violations", found.len()));
        }
        Err(error) => tally.failures.push(format!("tidy: {error:#}")),
    }
    Ok(report(&tally))
}

fn report(tally: &Tally) -> bool {
    println!();
    for failure in &tally.failures {
        println!("FAILED: {failure}");
    }
    for (name, reason) in &tally.skipped {
        println!("SKIPPED: {name}: {reason}");
    }
    let passed = tally.passed.saturating_sub(
        tally
            .skipped
            .values()
            .filter(|reason| *reason != "ignored")
            .count(),
    );
    println!(
        "{passed} passed, {} failed, {} skipped",
        tally.failures.len(),
        tally.skipped.len()
    );
    tally.failures.is_empty()
}

/// Runs all tests of the workspace. Success output is asked for, because that is where skips are said.
fn cargo_test(args: &[String], tally: &mut Tally) -> Result<()> {
    let mut command = workspace::cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(args)
        .args(["--", "--show-output"]);
    // One pipe for both, so that what cargo says stands in order with what the tests say.
    let (output, input) = std::io::pipe().context("making a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(input.try_clone().context("sharing a pipe")?)
        .stderr(input)
        .process_group(0);
    let mut child = command.spawn().context("starting cargo test")?;
    drop(command);
    let (lines, received) = mpsc::sync_channel::<String>(1024);
    let reader = forward(BufReader::new(output), lines);
    let started = Instant::now();
    loop {
        let left = LIMIT.saturating_sub(started.elapsed()).min(SILENCE);
        match received.recv_timeout(left) {
            Ok(line) => {
                if tally.line(&line) {
                    println!("{line}");
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tally.failures.push(format!(
                    "the tests hang (after {} s): stopped",
                    started.elapsed().as_secs()
                ));
                let group = format!("-{}", child.id());
                std::process::Command::new("kill")
                    .args(["-KILL", "--", &group])
                    .status()
                    .context("stopping cargo test")?;
                break;
            }
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    drop(received);
    drop(reader.join());
    tally.end_binary();
    if !status.success() && tally.failures.is_empty() {
        tally
            .failures
            .push("cargo test failed before or beside the tests; see above".into());
    }
    Ok(())
}

fn forward(
    mut from: impl std::io::BufRead + Send + 'static,
    to: mpsc::SyncSender<String>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        while from
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|read| read > 0)
        {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if to.send(line).is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.line(line);
        }
        tally.end_binary();
        tally
    }

    #[test]
    fn results_are_counted() {
        let tally = tally(&[
            "     Running unittests src/lib.rs (target/debug/deps/x)",
            "running 3 tests",
            "test a ... ok",
            "test b ... FAILED",
            "test c ... ok",
            "successes:",
            "---- c stdout ----",
            "SKIPPED: docker_c: no Docker engine",
            "test nested ... FAILED",
            "failures:",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        ]);
        assert_eq!(tally.passed, 2);
        assert_eq!(tally.failures, ["b (unittests src/lib.rs)"]);
        assert_eq!(
            tally.skipped,
            BTreeMap::from([("docker_c".into(), "no Docker engine".into())])
        );
    }

    #[test]
    fn a_crash_is_a_failure() {
        let tally = tally(&[
            "     Running tests/a.rs (x)",
            "running 2 tests",
            "test a ... ok",
            "     Running tests/b.rs (y)",
            "running 0 tests",
            "test result: ok. 0 passed",
        ]);
        assert_eq!(tally.failures, ["tests/a.rs: ended without a result"]);
    }

    #[test]
    fn what_passing_tests_print_is_hidden() {
        let mut tally = Tally::default();
        assert!(tally.line("running 1 test"));
        assert!(tally.line("test a ... ok"));
        tally.line("successes:");
        assert!(!tally.line("chatter"));
        assert!(tally.line("test result: ok. 1 passed"));
    }
}
