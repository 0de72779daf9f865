//! Files that would eat time or memory are refused: each within a tenth of a second and 50 MB.
//!
//! Memory is what the kernel counts for the process, so this file has one test, and nothing runs beside it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_jobspec::{Inputs, NoCluster, Source, admit, parse};
use std::time::{Duration, Instant};

/// Without optimisation everything takes many times as long; the point there is that nothing takes seconds.
const LONGEST: Duration = match cfg!(debug_assertions) {
    true => Duration::from_secs(3),
    false => Duration::from_millis(100),
};
const MOST_KIB: u64 = 50 << 10;

/// The peak of memory since the last call, in KiB; none where the kernel does not say.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Begins to count the peak anew, from what is used now; false where that cannot be done.
fn count_anew() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Does something, in bounded time and memory.
fn bounded<T>(what: &str, work: impl FnOnce() -> T) -> T {
    bounded_by(LONGEST, what, work)
}

fn bounded_by<T>(longest: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let counting = count_anew();
    let before = peak_kib().unwrap_or(0);
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    let grown = peak_kib().unwrap_or(0).saturating_sub(before);
    assert!(took < longest, "{what} took {took:?}");
    if counting {
        assert!(grown < MOST_KIB, "{what} took {grown} KiB");
    } else {
        println!("SKIPPED: memory of {what}: the kernel does not count it");
    }
    result
}

fn refused(what: &str, text: String) {
    let source = Source::new("bomb.hcl", text);
    let parsed = bounded(what, || parse(&source, &Inputs::default()).map(drop));
    assert!(parsed.is_err(), "{what} was not refused");
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
    refused(
        "setproduct",
        in_meta("length(setproduct(range(1000), range(1000), range(1000)))"),
    );
    refused(
        "repeat",
        in_meta("format(\"%-2000000000s|%0999999999d\", \"a\", 1)"),
    );
    refused("indent", in_meta("indent(1000000000, \"a\\nb\")"));
    refused("power", in_meta("pow(10, 100000000)"));
    refused("numeral", in_meta(&"9".repeat(3 << 20)));
    refused("exponent", in_meta("1e1000000000 + 1"));
    refused("bcrypt", in_meta("bcrypt(\"a\", 31)"));
    refused(
        "yaml aliases",
        in_meta(&format!(
            "length(yamldecode(<<EOT\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}EOT\n))",
            (1..12)
                .map(|n| format!(
                    "a{n}: &a{n} [{}]\n",
                    vec![format!("*a{}", n - 1); 10].join(", ")
                ))
                .collect::<String>()
        )),
    );
    refused(
        "json text",
        in_meta(&format!("jsondecode(\"{}\")", "[".repeat(100_000))),
    );
    slow_functions_are_refused();
    copies_are_refused();
    mistakes_are_refused();
    counts_are_refused();
}

/// As many mistakes as a file has room for, each with a suggestion to look for.
fn mistakes_are_refused() {
    let many = |line: &dyn Fn(usize) -> String| -> String { (0..100_000).map(line).collect() };
    let job = |body: String| format!("job \"j\" {{\n{body}}}\n");
    refused(
        "unknown arguments",
        job(many(&|n| format!("  regoin{n} = 1\n"))),
    );
    refused(
        "unknown blocks",
        job(many(&|n| format!("  gruop{n} {{}}\n"))),
    );
    refused(
        "one argument again and again",
        job("  region = \"x\"\n".repeat(100_000)),
    );
    let keys = "locals {\n  keys = { for n in range(1000) : \"key${n}\" => { for m in range(20) : \"${m}\" => m } }\n}\n";
    let wrong: String = (0..5000)
        .map(|n| format!("    a{n} = local.keys.kez{n}\n"))
        .collect();
    refused(
        "unknown members",
        format!("{keys}{}", job(format!("  meta {{\n{wrong}  }}\n"))),
    );
}

/// Little that is asked for often.
fn copies_are_refused() {
    let big = "locals {\n  big = replace(format(\"%90000s\", \"\"), \" \", \"0123456789\")\n}\n";
    let uses: String = (0..1000)
        .map(|n| format!("    a{n} = local.big\n"))
        .collect();
    refused(
        "one text in many places",
        format!("{big}job \"j\" {{\n  meta {{\n{uses}  }}\n}}\n"),
    );
    let tasks = |count: usize| -> String {
        let task = |n| format!("    task \"t{n}\" {{\n      driver = \"x\"\n    }}\n");
        (0..count).map(task).collect()
    };
    let vault = format!(
        "  vault {{\n    namespace = \"{}\"\n  }}\n",
        "x".repeat(100_000)
    );
    let group = |count| format!("  group \"g\" {{\n{}  }}\n", tasks(count));
    refused(
        "a block that is inherited",
        format!("job \"j\" {{\n{vault}{}}}\n", group(3000)),
    );
    let secrets: String = (0..2000)
        .map(|n| {
            format!("  secret \"s{n}\" {{\n    provider = \"nomad\"\n    path = \"x\"\n  }}\n")
        })
        .collect();
    refused(
        "blocks that are inherited",
        format!("job \"j\" {{\n{secrets}{}}}\n", group(500)),
    );
}

/// Functions that are slow by themselves, as often as a file can call them.
fn slow_functions_are_refused() {
    let calls = |what: &str, count: usize, call: &dyn Fn(usize) -> String| {
        let locals: String = (0..count)
            .map(|n| format!("  l{n} = {}\n", call(n)))
            .collect();
        refused(what, format!("locals {{\n{locals}}}\njob \"j\" {{}}\n"));
    };
    calls("patterns", 2000, &|n| {
        format!(
            "regex_replace(\"{n}\", \"(?i)\\\\pL{{{}}}\", \"\")",
            n % 20 + 5
        )
    });
    // One hash is slow by design, and whoever asks for one gets it.
    let hashes = "[for n in range(50) : bcrypt(\"x\", 12)]";
    let source = Source::new("bomb.hcl", in_meta(hashes));
    let parsed = bounded_by(LONGEST * 6, "hashes", || parse(&source, &Inputs::default()));
    assert!(parsed.is_err(), "hashes were not refused");
    calls("values that are too large", 3000, &|_| {
        "chunklist(split(\"\", format(\"%90000s\", \"\")), 1)".to_owned()
    });
    refused(
        "a pattern of patterns",
        in_meta("regex_replace(\"x\", \"((a{100}){100}){100}\", \"\")"),
    );
    let constraints =
        "  constraint {\n    operator = \"regexp\"\n    attribute = \"${attr.x}\"\n    value = \
                       \"(\\\\pL{100}){100}\"\n  }\n"
            .repeat(2000);
    let text = format!("job \"j\" {{\n{constraints}}}\n");
    let errors = bounded("constraints", || {
        let job = parse(&Source::new("bomb.hcl", text), &Inputs::default());
        admit(job.unwrap().job, &NoCluster).errors
    });
    assert!(errors.len() > 2000, "{}", errors.len());
}

/// What parses, but asks for more than any cluster has.
fn counts_are_refused() {
    for count in ["2147483648", "9223372036854775807"] {
        let text = format!(
            "job \"j\" {{\n  group \"g\" {{\n    count = {count}\n    task \"t\" {{\n      driver = \"raw_exec\"\n                 }}\n  }}\n}}\n"
        );
        let source = Source::new("count.hcl", text);
        let errors = bounded(count, || {
            let job = parse(&source, &Inputs::default()).unwrap().job;
            admit(job, &NoCluster).errors
        });
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
}
