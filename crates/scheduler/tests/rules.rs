//! Every rule of the scheduler as a transcript: what happens to a cluster, and what is decided.
//!
//! The files in `rules/` hold cases; each begins with `== <section> <rule>`. Lines with `> ` are commands (see
//! `support/script.rs`), the lines below each are what was decided. `UPDATE_RULES=1` writes what is decided now;
//! whoever does that reads the difference.

mod support;

use std::path::{Path, PathBuf};
use support::script::Script;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let entries = std::fs::read_dir(folder).expect("the rules are there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

/// The transcript with what is decided now.
fn replay(text: &str) -> String {
    let mut out = String::new();
    let mut script = Script::new();
    for line in text.lines() {
        if line.starts_with("== ") {
            script = Script::new();
            out.push_str(line);
        } else if line.is_empty() || line.starts_with('#') {
            out.push_str(line);
        } else if let Some(command) = line.strip_prefix("> ") {
            out.push_str(line);
            for decided in script.run(command) {
                out.push('\n');
                out.push_str(&decided);
            }
        } else {
            continue;
        }
        out.push('\n');
    }
    out
}

fn check(name: &str) {
    let path = files()
        .into_iter()
        .find(|path| path.file_stem().is_some_and(|stem| stem == name))
        .unwrap_or_else(|| panic!("there is no tests/rules/{name}.txt"));
    let expected = std::fs::read_to_string(&path).expect("a text");
    let decided = replay(&expected);
    if std::env::var_os("UPDATE_RULES").is_some() {
        std::fs::write(&path, decided).expect("the file is written");
        return;
    }
    for (expected, decided) in expected.lines().zip(decided.lines()) {
        assert_eq!(expected, decided, "in {}", path.display());
    }
    assert_eq!(expected, decided, "in {}", path.display());
}

macro_rules! rules {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_file_is_checked() {
            let names: Vec<&str> = vec![$(stringify!($name)),*];
            for path in files() {
                let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
                assert!(names.contains(&name), "rules/{name}.txt is not among the tests");
            }
        }
    };
}

rules! {
    s07_driver
    s08_feasibility
    s09_ranking
    s10_resources
    s11_preemption
    s12_canaries
    s12_disconnect
    s12_reconcile
    s12_rolling
    s13_updates
    s14_reschedule
    s15_system
    s16_drain
    s17_explain
}
