//! Files that would eat time or memory are refused, quickly, and nothing makes the parser fall over.

use caravan_jobspec::{Inputs, NoCluster, Source, admit, canonicalize, format_source, parse};
use std::time::{Duration, Instant};

/// Generous: the point is that nothing takes seconds.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 });

fn refused(what: &str, text: String) {
    let start = Instant::now();
    let source = Source::new("bomb.hcl", text);
    let parsed = parse(&source, &Inputs::default());
    assert!(parsed.is_err(), "{what} was not refused");
    let took = start.elapsed();
    assert!(took < LONGEST, "{what} took {took:?}");
}

fn in_meta(value: &str) -> String {
    format!("job \"j\" {{\n  meta {{\n    a = {value}\n  }}\n}}\n")
}

#[test]
fn bombs_are_refused() {
    let many = 200_000;
    refused("10 MB", "#".repeat(10 << 20));
    refused("too many tokens", "{".repeat(3 << 20));
    refused("blocks in blocks", "a {\n".repeat(many));
    refused("one-line blocks", "a { ".repeat(many));
    refused("lists in lists", in_meta(&"[".repeat(many)));
    refused("objects in objects", in_meta(&"{ a = ".repeat(many)));
    refused("templates in templates", in_meta(&"\"${".repeat(many)));
    refused(
        "directives",
        in_meta(&format!("\"{}\"", "%{ if true }".repeat(many))),
    );
    refused("broken lines", "x = [\n".repeat(many));
    refused("broken strings", "x = \"\n".repeat(many));
    refused("stray words", "a b c\n".repeat(many));
    refused("one long line of errors", "= ".repeat(many));
    refused("long chain", in_meta(&format!("1{}", " + 1".repeat(many))));
    let chains = "(".repeat(100) + "1" + &(" + 1".repeat(200) + ")").repeat(100);
    refused("chains in chains", in_meta(&chains));
    refused("json", format!("{{\"job\":{}", "[".repeat(many)));
    refused("range", in_meta("range(0, 100000000)"));
    refused("width", in_meta("format(\"%1000000000d\", 1)"));
    let doubling: String = (1..64)
        .map(|n| format!("  l{n} = \"${{local.l{0}}}${{local.l{0}}}\"\n", n - 1))
        .collect();
    refused(
        "doubling text",
        format!(
            "locals {{\n  l0 = \"0123456789\"\n{doubling}}}\n{}",
            in_meta("local.l63")
        ),
    );
    let doubling: String = (1..64)
        .map(|n| format!("  l{n} = [local.l{0}, local.l{0}]\n", n - 1))
        .collect();
    refused(
        "doubling lists",
        format!(
            "locals {{\n  l0 = 1\n{doubling}}}\n{}",
            in_meta("jsonencode(local.l63)")
        ),
    );
    let nesting: String = (1..150)
        .map(|n| {
            format!(
                "  l{n} = {}local.l{}{}\n",
                "[".repeat(100),
                n - 1,
                "]".repeat(100)
            )
        })
        .collect();
    refused(
        "nesting lists",
        format!(
            "locals {{\n  l0 = 1\n{nesting}}}\n{}",
            in_meta("jsonencode(local.l149)")
        ),
    );
    refused(
        "dynamic blocks",
        "job \"j\" {\n  dynamic \"group\" {\n    for_each = setproduct(range(100), range(100))\n    labels = [\"g\"]\n    \
         content {\n      dynamic \"task\" {\n        for_each = range(1000)\n        labels = [\"t\"]\n        content {}\n      }\n    \
         }\n  }\n}\n"
            .to_owned(),
    );
}

#[test]
fn the_deepest_that_is_allowed_is_evaluated() {
    for value in [
        format!("1{}", " + 1".repeat(240)),
        format!("{}1{}", "(".repeat(140), ")".repeat(140)),
        format!("jsonencode({}1{})", "[".repeat(120), "]".repeat(120)),
        format!("{}1{}", "abs(".repeat(120), ")".repeat(120)),
        format!("{}1", "true ? ".repeat(0) + &"false ? 0 : ".repeat(120)),
        format!("\"{}\"", "${\"".repeat(60) + "x" + &"\"}".repeat(60)),
    ] {
        let source = Source::new("deep.hcl", in_meta(&value));
        if let Err(why) = parse(&source, &Inputs::default()) {
            panic!("{}: {why}", &value[..40]);
        }
    }
}

#[test]
fn large_jobs_take_time_in_proportion() {
    let groups = |count: usize| -> String {
        let group = |n: usize| {
            format!(
                "  group \"g{n}\" {{\n    count = 2\n    task \"t\" {{\n      driver = \"raw_exec\"\n      config {{\n        \
                 command = \"x\"\n      }}\n      env {{\n        A = \"${{NOMAD_ALLOC_ID}}\"\n      }}\n    }}\n  }}\n"
            )
        };
        format!(
            "job \"j\" {{\n{}}}\n",
            (0..count).map(group).collect::<String>()
        )
    };
    let source = Source::new("wide.hcl", groups(2000));
    let start = Instant::now();
    let mut job = parse(&source, &Inputs::default()).unwrap().job;
    canonicalize(&mut job);
    let admission = admit(job, &NoCluster);
    assert_eq!(admission.errors, Vec::<String>::new());
    assert_eq!(admission.job.task_groups.len(), 2000);
    let took = start.elapsed();
    assert!(took < LONGEST, "2,000 groups took {took:?}");
}

/// What random edits are made of.
const PIECES: [&str; 36] = [
    "{", "}", "[", "]", "(", ")", "\"", "\n", "=", "${", "%{", "}", "<<EOF\n", "EOF\n", "#", "/*",
    "*/", ",", ".", "*", "?", ":", "for x in", "if", "=>", "...", "var.a", "local.b", "-1",
    "1e400", "null", "\\u00", "é", "\u{0}", "dynamic", "~",
];

#[test]
fn broken_files_break_nothing() {
    let seeds = [
        include_str!("fixtures/everything.hcl"),
        include_str!("fixtures/language.hcl"),
        include_str!("fixtures/json.json"),
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for round in 0..1500 {
        let mut text = seeds[round % seeds.len()].to_owned();
        for _ in 0..=next(4) {
            let mut at = next(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match next(3) {
                0 => text.insert_str(at, PIECES[next(PIECES.len())]),
                1 => {
                    let mut end = (at + next(30)).min(text.len());
                    while !text.is_char_boundary(end) {
                        end -= 1;
                    }
                    text.replace_range(at..end.max(at), "");
                }
                _ => {
                    let mut end = (at + next(80)).min(text.len());
                    while !text.is_char_boundary(end) {
                        end -= 1;
                    }
                    let copied = text[at..end.max(at)].to_owned();
                    text.insert_str(at, &copied);
                }
            }
        }
        let source = Source::new("broken.hcl", text.clone());
        match parse(&source, &Inputs::default()) {
            Ok(parsed) => {
                let _ = admit(parsed.job, &NoCluster);
            }
            Err(errors) => {
                assert!(!errors.list.is_empty());
                let _ = (errors.to_string(), errors.render(true));
            }
        }
        if let Ok(formatted) = format_source(&source) {
            let again = Source::new("broken.hcl", formatted.clone());
            let twice = format_source(&again).unwrap_or_else(|why| panic!("{why}\n{formatted}"));
            assert_eq!(twice, formatted, "layout is not stable:\n{text}");
        }
    }
}
