//! The recorded job files: what the reference made of each, where the recordings are at hand.
//!
//! Good files must give the recorded jobs, bad ones must be refused at the recorded places.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_jobspec::{
    Cluster, Inputs, Source, VarFile, admit, canonicalize, error_text, format_source, parse,
    warning_text,
};
use caravan_model::Namespace;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn recordings(set: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/jobspec");
    let folder = root.join(set);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: golden {set}: the recordings are not here");
    None
}

/// Job files of a set with their names.
fn cases(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for suffix in [".nomad.hcl", ".nomad.json"] {
            if let Some(stem) = name.strip_suffix(suffix) {
                out.push((stem.to_owned(), path.clone()));
            }
        }
    }
    out.sort();
    out
}

fn inputs(folder: &Path, stem: &str) -> Inputs<'static> {
    let vars = fs::read_to_string(folder.join(format!("{stem}.vars.hcl")));
    Inputs {
        var_files: vars
            .into_iter()
            .map(|text| VarFile {
                name: "input.hcl".to_owned(),
                text,
            })
            .collect(),
        ..Inputs::default()
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            let groups: Vec<usize> = text.split('-').map(str::len).collect();
            if groups == [8, 4, 4, 4, 12] {
                *text = "<uuid>".to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        _ => {}
    }
}

/// Where two values differ.
fn differences(path: &str, expected: &Value, actual: &Value, out: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{path}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(&path, a, b, out),
                    (a, b) => out.push(format!("{path}: expected {a:?}, got {b:?}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: expected {a}, got {b}")),
    }
}

#[test]
fn good_files_give_the_recorded_jobs() {
    let Some(folder) = recordings("good") else {
        return;
    };
    let mut failures = Vec::new();
    for (stem, path) in cases(&folder) {
        let source = Source::new("input.hcl", fs::read(&path).unwrap());
        let parsed = match parse(&source, &inputs(&folder, &stem)) {
            Ok(parsed) => parsed,
            Err(errors) => {
                failures.push(format!("{stem}: {errors}"));
                continue;
            }
        };
        let mut canonical = parsed.job.clone();
        canonicalize(&mut canonical);
        let mut again = canonical.clone();
        canonicalize(&mut again);
        assert_eq!(
            canonical, again,
            "{stem}: defaults changed what they had made"
        );
        for (suffix, job) in [("json", &parsed.job), ("canonical.json", &canonical)] {
            let text = fs::read_to_string(folder.join(format!("{stem}.{suffix}"))).unwrap();
            let expected: Value = serde_json::from_str(&text).unwrap();
            let mut actual = serde_json::to_value(job).unwrap();
            actual["JobModifyIndex"] = expected["JobModifyIndex"].clone();
            mask(&mut actual);
            let mut found = Vec::new();
            differences("", &expected, &actual, &mut found);
            failures.extend(found.iter().map(|it| format!("{stem}.{suffix}{it}")));
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Where messages point to a better place in the line, or say less.
const OTHER_COLUMNS: [&str; 3] = [
    "local-self",
    "syntax-unclosed-template",
    "var-validation-other",
];

/// The lines that messages point to, and the columns where they are wanted.
fn places(text: &str, columns: bool) -> BTreeSet<&str> {
    let starts = text.match_indices("input.hcl:").map(|(at, _)| at + 10);
    starts
        .map(|at| {
            let rest = &text[at..];
            let inside = |c: char| c.is_ascii_digit() || columns && (c == ',' || c == '-');
            let place = rest.find(|c: char| !inside(c));
            &rest[..place.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn bad_files_are_refused_at_the_recorded_places() {
    let Some(folder) = recordings("bad") else {
        return;
    };
    let mut failures = Vec::new();
    for (stem, path) in cases(&folder) {
        let text = fs::read_to_string(folder.join(format!("{stem}.err"))).unwrap();
        let route = text.split("\n== $").next().unwrap();
        if !route.contains("-> 400") || route.contains("Job spec is empty") {
            continue;
        }
        let source = Source::new("input.hcl", fs::read(&path).unwrap());
        match parse(&source, &inputs(&folder, &stem)) {
            Ok(_) => failures.push(format!("{stem}: was not refused; expected\n{route}")),
            Err(errors) => {
                let actual = errors.to_string();
                let columns = !OTHER_COLUMNS.contains(&stem.as_str());
                if !places(route, columns).is_subset(&places(&actual, columns)) {
                    failures.push(format!("{stem}: expected\n{route}\ngot\n{actual}\n"));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The agent that the recordings were made on.
struct Recorded;

impl Cluster for Recorded {
    fn namespace(&self, name: &str) -> Option<Namespace> {
        (name == "default").then(Namespace::default)
    }
    fn has_node_pool(&self, name: &str) -> bool {
        ["default", "all"].contains(&name)
    }
}

/// Lines of a text, sorted: some recorded messages have no fixed order.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn jobs_are_judged_as_recorded() {
    let Some(folder) = recordings("server") else {
        return;
    };
    let mut failures = Vec::new();
    for (stem, path) in cases(&folder) {
        let text = fs::read_to_string(folder.join(format!("{stem}.out"))).unwrap();
        let answer = text.split_once("-> 200\n").unwrap().1;
        let answer = answer.split("\n== ").next().unwrap();
        let expected: Value = serde_json::from_str(answer).unwrap();
        let source = Source::new("input.hcl", fs::read(&path).unwrap());
        let job = parse(&source, &Inputs::default()).unwrap().job;
        let admission = admit(job, &Recorded);
        let error = match admission.errors.is_empty() {
            true => String::new(),
            false => error_text(&admission.errors),
        };
        let warnings = warning_text(&admission.warnings);
        for (what, actual) in [("Error", error), ("Warnings", warnings)] {
            let expected = expected[what].as_str().unwrap();
            let any_order = ["volumes-bad", "network-cni-args"].contains(&stem.as_str());
            if expected != actual && !(any_order && lines(expected) == lines(&actual)) {
                failures.push(format!(
                    "{stem} {what}: expected\n{expected}\ngot\n{actual}\n"
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn files_are_laid_out_as_recorded() {
    let Some(folder) = recordings("fmt") else {
        return;
    };
    let mut failures = Vec::new();
    let mut checked = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".in.hcl") else {
            continue;
        };
        checked += 1;
        let source = Source::new("<stdin>", fs::read(&path).unwrap());
        let formatted = format_source(&source);
        let expected = fs::read_to_string(folder.join(format!("{stem}.out.hcl")));
        match (formatted, expected) {
            (Ok(actual), Ok(expected)) if actual == expected => {}
            (Err(_), Err(_)) => {}
            (actual, expected) => {
                failures.push(format!("{stem}: expected {expected:?}\ngot {actual:?}"))
            }
        }
    }
    assert!(checked > 0);
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn layout_keeps_the_meaning() {
    let Some(folder) = recordings("good") else {
        return;
    };
    for (stem, path) in cases(&folder) {
        let bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|it| it == "json") || stem == "functions-crypto" {
            continue;
        }
        let source = Source::new("input.hcl", bytes);
        let formatted = format_source(&source).unwrap();
        let again = Source::new("input.hcl", formatted.clone());
        assert_eq!(
            format_source(&again).unwrap(),
            formatted,
            "{stem}: not stable"
        );
        let inputs = inputs(&folder, &stem);
        let before = parse(&source, &inputs).unwrap().job;
        let after =
            parse(&again, &inputs).unwrap_or_else(|why| panic!("{stem}: {why}\n{formatted}"));
        assert_eq!(before, after.job, "{stem}");
    }
}
