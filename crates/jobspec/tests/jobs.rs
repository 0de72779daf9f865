//! What the fixtures' job files become: as written, and with everything that admission adds.
//!
//! `UPDATE=1 cargo test -p caravan-jobspec --test jobs` writes what they become now; look at the difference.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_jobspec::{Inputs, NoCluster, Source, VarFile, admit, canonicalize, parse};
use caravan_model::api::ApiJob;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn parsed(name: &str, inputs: &Inputs<'_>) -> ApiJob {
    let bytes = std::fs::read(fixture(name)).unwrap();
    let parsed = parse(&Source::new(name, bytes), inputs);
    parsed
        .unwrap_or_else(|why| panic!("{}", why.render(false)))
        .job
}

/// Without nulls and empty texts, which only make it long.
fn said(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter(|(_, value)| !value.is_null() && *value != "");
            Value::Object(kept.map(|(key, value)| (key, said(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(said).collect(),
        other => other,
    }
}

fn compare(name: &str, value: Value) {
    let actual = serde_json::to_string_pretty(&said(value)).unwrap() + "\n";
    let path = fixture(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, actual, "{name}");
}

#[test]
fn fixtures_become_what_they_became() {
    for (name, stem) in [
        ("everything.hcl", "everything"),
        ("language.hcl", "language"),
        ("json.json", "json"),
        ("legacy.hcl", "legacy"),
        ("forms.hcl", "forms"),
    ] {
        let job = parsed(name, &Inputs::default());
        compare(
            &format!("{stem}.parsed.json"),
            serde_json::to_value(&job).unwrap(),
        );
        let stored = admit(job, &NoCluster).job;
        compare(
            &format!("{stem}.stored.json"),
            serde_json::to_value(&stored).unwrap(),
        );
    }
}

#[test]
fn defaults_do_nothing_twice() {
    for name in ["everything.hcl", "legacy.hcl", "json.json"] {
        let mut once = parsed(name, &Inputs::default());
        canonicalize(&mut once);
        let mut twice = once.clone();
        canonicalize(&mut twice);
        assert_eq!(once, twice);
        let json = serde_json::to_value(&once).unwrap();
        assert_eq!(
            serde_json::from_value::<ApiJob>(json).unwrap(),
            once,
            "{name}"
        );
    }
}

const PRECEDENCE: &str =
    "variable \"v\" {\n  default = \"default\"\n}\njob \"j\" {\n  region = var.v\n}\n";

fn region(inputs: &Inputs<'_>) -> String {
    let parsed = parse(&Source::new("v.hcl", PRECEDENCE), inputs);
    parsed.unwrap().job.region.unwrap()
}

#[test]
fn later_values_of_variables_win() {
    let env = vec![
        ("NOMAD_VAR_v".to_owned(), "env".to_owned()),
        ("NOMAD_VAR_other".to_owned(), "x".to_owned()),
    ];
    let file = |text: &str| VarFile {
        name: "f.vars".to_owned(),
        text: format!("v = {text:?}\n"),
    };
    let mut inputs = Inputs {
        strict: true,
        ..Inputs::default()
    };
    assert_eq!(region(&inputs), "default");
    inputs.env = env;
    assert_eq!(region(&inputs), "env");
    inputs.var_files = vec![file("first"), file("second")];
    assert_eq!(region(&inputs), "second");
    inputs.vars = vec!["v=one".to_owned(), "ignored".to_owned(), "v=a=b".to_owned()];
    assert_eq!(region(&inputs), "a=b");
}

#[test]
fn a_bad_value_is_told_with_where_it_came_from() {
    let source = Source::new(
        "v.hcl",
        "variable \"l\" {\n  type = list(string)\n}\njob \"j\" {}\n",
    );
    let env = Inputs {
        env: vec![("NOMAD_VAR_l".to_owned(), "x".to_owned())],
        ..Inputs::default()
    };
    let argument = Inputs {
        vars: vec!["l=x".to_owned()],
        ..Inputs::default()
    };
    for (inputs, place) in [(env, "env"), (argument, "arguments")] {
        let refused = parse(&source, &inputs).unwrap_err().to_string();
        let start = format!("<value for var.l from {place}>:1,1-2: Variables not allowed");
        assert!(refused.starts_with(&start), "{refused}");
    }
}

#[test]
fn values_for_variables_that_nobody_declared() {
    let inputs = |strict| Inputs {
        vars: vec!["w=1".to_owned()],
        strict,
        ..Inputs::default()
    };
    let source = Source::new("v.hcl", "job \"j\" {}\n");
    let refused = parse(&source, &inputs(true)).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("<nil>: Undefined -var variable"),
        "{refused}"
    );
    let warned = parse(&source, &inputs(false)).unwrap();
    assert_eq!(warned.warnings.len(), 1);
}

#[test]
fn comments_are_in_any_encoding() {
    let read = |bytes: &[u8]| parse(&Source::new("v.hcl", bytes), &Inputs::default());
    let job = read(b"# caf\xe9\njob \"j\" { /* \xff\n\xfe */ } // \xe9").unwrap();
    assert_eq!(job.job.id.as_deref(), Some("j"));
    for (bytes, place) in [
        (&b"# \xe9\njob \"\xe9\" {}\n"[..], "v.hcl:2,6-7:"),
        (b"job \"j\" {}\n\xe9\n", "v.hcl:2,1-2:"),
        (b"{\"job\": {\"#\xe9\": {}}}", "v.hcl:1,12-13:"),
    ] {
        let refused = read(bytes).unwrap_err().to_string();
        let text = format!("{place} Invalid character encoding");
        assert!(refused.starts_with(&text), "{refused}");
    }
}

#[test]
fn a_broken_variable_file_is_one_sentence() {
    let inputs = Inputs {
        var_files: vec![VarFile {
            name: "broken.vars".to_owned(),
            text: "s = \"open\n".to_owned(),
        }],
        ..Inputs::default()
    };
    let refused = parse(&Source::new("v.hcl", "job \"j\" {}\n"), &inputs).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.starts_with(
            "unable to parse var content: broken.vars:1,10-2,1: Invalid multi-line string"
        ),
        "{text}"
    );
    assert!(text.ends_with(", and 1 other diagnostic(s)"), "{text}");
}

#[test]
fn forms_that_people_write_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/job");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What a fuzzer made has no ending.
        if path.extension().is_none() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = Source::new(name, std::fs::read(&path).unwrap());
        let parsed = parse(&source, &Inputs::default());
        read += parsed
            .map(|_| 1)
            .unwrap_or_else(|why| panic!("{}", why.render(false)));
    }
    assert!(read > 5);
}
