//! What a Rust file must have and must not have, line by line.

use std::sync::LazyLock;

use regex::Regex;

use super::layers::Layers;
use super::{RustFile, Violation, violation};
use crate::source::without_tests;

const BANNED_NAMES: [&str; 6] = [
    "util.rs",
    "utils.rs",
    "common.rs",
    "misc.rs",
    "helpers.rs",
    "helper.rs",
];

/// What a pure room must not say, and why.
static IMPURE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (
            r"\b(HashMap|HashSet|RandomState|DefaultHasher)\b",
            "order must not depend on hashing: use BTreeMap, IndexMap or imbl",
        ),
        (
            r"\bstd::fs\b|\bFile::(open|create)\b",
            "no files: contents are inputs",
        ),
        (
            r"\b(TcpStream|TcpListener|UdpSocket|UnixStream|UnixListener|ToSocketAddrs)\b",
            "no sockets",
        ),
        (
            r"\b(SystemTime|Instant|Timestamp|Zoned|Utc|Local)::now\b",
            "no clock: `now` is an input",
        ),
        (r"\bstd::env\b|\benv::var", "no environment: it is an input"),
        (r"\bstd::process\b", "no processes"),
        (r"\bstd::thread\b|\bthread::(spawn|sleep)\b", "no threads"),
        (r"\b(tokio|async_std|smol)::", "no async runtime"),
        (r"\basync\s+fn\b|\.await\b", "a pure room is synchronous"),
        (
            r"\b(tracing|log)::|\b(println|eprintln|print|eprint)!",
            "no logging: the reason for an outcome is an output",
        ),
        (
            r"\bnew_v4\b|\bthread_rng\b|(?:^|[^:\w])rand::|\bgetrandom\b",
            "no randomness: ids and seeds are inputs",
        ),
    ]
    .into_iter()
    .filter_map(|(pattern, why)| Some((Regex::new(pattern).ok()?, why)))
    .collect()
});

/// What no file must say.
static NOWHERE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b(todo|unimplemented|dbg)!\s*\(", "not in finished code"),
        (
            r"#\[ignore\b",
            "a test runs, or says `SKIPPED: name: reason` when something is missing",
        ),
    ]
    .into_iter()
    .filter_map(|(pattern, why)| Some((Regex::new(pattern).ok()?, why)))
    .collect()
});

static UNSAFE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\bunsafe\b").ok());
static UNBOUNDED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bunbounded(_channel)?\s*(::<[^>]*>)?\(").ok());

pub(crate) fn check(file: &RustFile, layers: &Layers) -> Vec<Violation> {
    let mut found = Vec::new();
    let name = file
        .path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if BANNED_NAMES.contains(&name) {
        found.push(violation(
            &file.path,
            1,
            format!("a file is named after what it holds, not {name}"),
        ));
    }
    if !file.text.trim_start().starts_with("//!") {
        found.push(violation(
            &file.path,
            1,
            "the first line says what the file is for: `//! …`",
        ));
    }
    for (index, line) in file.code.lines().enumerate() {
        for (pattern, why) in NOWHERE.iter() {
            if let Some(hit) = pattern.find(line) {
                found.push(violation(
                    &file.path,
                    index + 1,
                    format!("`{}`: {why}", hit.as_str().trim_end_matches('(')),
                ));
            }
        }
    }
    if layers.is_pure(file.room()) && !file.is_test() {
        found.extend(impure(file));
    }
    found.extend(unsafe_code(file));
    if !file.is_test() {
        found.extend(queues(file));
    }
    found
}

fn impure(file: &RustFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in without_tests(&file.code).lines().enumerate() {
        for (pattern, why) in IMPURE.iter() {
            if let Some(hit) = pattern.find(line) {
                found.push(violation(
                    &file.path,
                    index + 1,
                    format!("`{}` in a pure room: {why}", hit.as_str()),
                ));
            }
        }
    }
    found
}

/// `unsafe` is for `host` alone, and each has its reason above it.
fn unsafe_code(file: &RustFile) -> Vec<Violation> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in file.code.lines().enumerate() {
        if !UNSAFE
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(line))
        {
            continue;
        }
        if file.room() != "host" {
            found.push(violation(
                &file.path,
                index + 1,
                "`unsafe` is only allowed in crates/host",
            ));
        } else if !reason_above(&lines, index, "SAFETY:") {
            found.push(violation(
                &file.path,
                index + 1,
                "`unsafe` needs a `// SAFETY:` comment above it",
            ));
        }
    }
    found
}

fn queues(file: &RustFile) -> Vec<Violation> {
    let lines: Vec<&str> = file.text.lines().collect();
    let code = without_tests(&file.code);
    let hits = code.lines().enumerate().filter(|(_, line)| {
        UNBOUNDED
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(line))
    });
    hits.filter(|(index, _)| !reason_above(&lines, *index, "bounded by"))
        .map(|(index, _)| violation(&file.path, index + 1, "every queue is bounded; say `// bounded by …` above if something else bounds this one"))
        .collect()
}

/// Whether the comment directly above (or on) a line says `word`. Attributes and up to three lines of the
/// same statement may stand between.
fn reason_above(lines: &[&str], index: usize, word: &str) -> bool {
    if lines.get(index).is_some_and(|line| line.contains(word)) {
        return true;
    }
    let mut code_lines = 0;
    for line in lines[..index].iter().rev() {
        let line = line.trim_start();
        if line.starts_with("//") {
            if line.contains(word) {
                return true;
            }
        } else {
            code_lines += 1;
            if code_lines > 3 {
                return false;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_only;

    fn file(path: &str, text: &str) -> RustFile {
        RustFile {
            path: path.into(),
            text: text.into(),
            code: code_only(text),
        }
    }

    fn messages(path: &str, text: &str) -> Vec<String> {
        let layers = Layers::read().expect("layers.toml");
        check(&file(path, text), &layers)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_pure_room_has_no_clock_and_no_hashing() {
        let text = "//! x\nuse std::collections::HashMap;\nfn f() { Instant::now(); }\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n";
        let found = messages("crates/state/src/x.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/state/src/x.rs:2: `HashMap` in a pure room"));
        assert_eq!(
            messages("crates/server/src/x.rs", text),
            Vec::<String>::new()
        );
        assert_eq!(
            messages("crates/state/src/x/tests.rs", text),
            Vec::<String>::new()
        );
    }

    #[test]
    fn unsafe_is_for_host_with_a_reason() {
        let bare = "//! x\nfn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(
            messages("crates/http/src/x.rs", bare),
            ["crates/http/src/x.rs:3: `unsafe` is only allowed in crates/host"]
        );
        assert_eq!(messages("crates/host/src/x.rs", bare).len(), 1);
        assert_eq!(
            messages(
                "crates/host/src/x.rs",
                "//! x\nfn f() {\n    // SAFETY: g has no conditions\n    unsafe { g() }\n}\n"
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn files_say_what_they_are_for() {
        assert_eq!(messages("crates/http/src/util.rs", "fn f() {}\n").len(), 2);
    }

    #[test]
    fn queues_are_bounded() {
        let text = "//! x\nfn f() { let (a, b) = mpsc::unbounded_channel(); }\n";
        assert_eq!(messages("crates/http/src/x.rs", text).len(), 1);
        assert_eq!(
            messages(
                "crates/http/src/x.rs",
                &text.replace("fn f", "// bounded by the number of tasks\nfn f")
            ),
            Vec::<String>::new()
        );
    }
}
