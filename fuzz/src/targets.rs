//! What is fuzzed, as plain functions: each panics when something that must always hold does not.

use caravan_jobspec::{
    Inputs, NoCluster, Source, admit, format_source, parse as read, parse_json_job,
};
use caravan_model::api::ApiJob;
use caravan_model::{DiffType, Job};

/// The job that a file says, whatever its form.
fn job_of(data: &[u8]) -> Option<ApiJob> {
    let json = parse_json_job(data).ok();
    json.or_else(|| {
        Some(
            read(&Source::new("fuzz.hcl", data), &Inputs::default())
                .ok()?
                .job,
        )
    })
}

fn json(job: &ApiJob) -> String {
    serde_json::to_string(job).expect("a job is JSON")
}

/// A file is a job, or is refused with reasons that can be told.
pub fn parse(data: &[u8]) {
    let source = Source::new("fuzz.hcl", data);
    match read(&source, &Inputs::default()) {
        Ok(parsed) => assert!(!json(&parsed.job).is_empty()),
        Err(errors) => {
            assert!(!errors.list.is_empty(), "refused without a reason");
            assert!(!errors.render(true).is_empty());
            assert!(!errors.to_string().is_empty());
        }
    }
}

/// An expression has a value, or is refused.
pub fn evaluate(data: &[u8]) {
    let expression = String::from_utf8_lossy(data);
    let text = format!(
        "variable \"v\" {{\n  default = [1, \"two\", {{ three = null }}]\n}}\nlocals {{\n  a = {expression}\n}}\njob \
         \"fuzz\" {{\n  meta {{\n    a = jsonencode(local.a)\n  }}\n}}\n"
    );
    parse(text.as_bytes());
}

/// Defaults are given once, a job survives its JSON, and admitting what was admitted changes nothing.
fn canonicalize_job(job: ApiJob) {
    let mut once = job;
    caravan_jobspec::canonicalize(&mut once);
    let mut twice = once.clone();
    caravan_jobspec::canonicalize(&mut twice);
    assert_eq!(json(&once), json(&twice), "defaults are given twice");
    let again = parse_json_job(json(&once).as_bytes()).expect("a job's own JSON");
    assert_eq!(json(&once), json(&again), "a job does not survive its JSON");
    let admitted = admit(once, &NoCluster);
    if !admitted.errors.is_empty() {
        return;
    }
    let stored = serde_json::to_vec(&admitted.job).expect("a job is JSON");
    let again = admit(
        parse_json_job(&stored).expect("a stored job's JSON"),
        &NoCluster,
    );
    assert_eq!(
        again.errors,
        Vec::<String>::new(),
        "what was admitted is refused"
    );
    assert!(
        again.job.same_spec(&admitted.job),
        "admitting again changes the job"
    );
}

/// See [`canonicalize_job`].
pub fn canonicalize(data: &[u8]) {
    if let Some(job) = job_of(data) {
        canonicalize_job(job);
    }
}

/// A job does not differ from itself, and differs from nothing in everything. `data` is one file, or two with a NUL
/// between them.
pub fn diff(data: &[u8]) {
    let mut files = data.splitn(2, |byte| *byte == 0);
    let first = files.next().and_then(stored);
    let second = files.next().and_then(stored);
    let Some(first) = first else { return };
    let same = caravan_diff::job_diff(Some(&first), Some(&first), true);
    assert_eq!(same.r#type, DiffType::None);
    let added = caravan_diff::job_diff(None, Some(&first), true);
    assert_eq!(added.r#type, DiffType::Added);
    let Some(mut second) = second else { return };
    second.id = first.id.clone();
    let mut there = caravan_diff::job_diff(Some(&first), Some(&second), true);
    let back = caravan_diff::job_diff(Some(&second), Some(&first), true);
    assert_eq!(
        there.r#type, back.r#type,
        "a difference is seen from one side only"
    );
    if first.same_spec(&second) {
        assert_eq!(there.r#type, DiffType::None, "equal jobs differ");
    }
    caravan_diff::annotate(&mut there, None);
    assert!(serde_json::to_string(&there).is_ok());
}

fn stored(data: &[u8]) -> Option<Job> {
    Some(admit(job_of(data)?, &NoCluster).job)
}

/// A file laid out anew says the same, and laying it out again changes nothing.
pub fn fmt(data: &[u8]) {
    let source = Source::new("fuzz.hcl", data);
    let Ok(text) = format_source(&source) else {
        return;
    };
    let again = Source::new("fuzz.hcl", text.as_bytes());
    assert_eq!(
        format_source(&again).expect("what was laid out"),
        text,
        "the layout is not stable"
    );
    let said = |source: &Source| {
        read(source, &Inputs::default())
            .map(|parsed| squeezed(&json(&parsed.job)))
            .ok()
    };
    assert_eq!(
        said(&source),
        said(&again),
        "the layout changes what is said"
    );
}

/// A text without the blanks inside `${…}`: a name for the runtime is kept as it is written, blanks and all.
fn squeezed(text: &str) -> String {
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find('}').unwrap_or(part.len());
        out += "${";
        out.extend(part[..end].split_whitespace());
        out += &part[end..];
    }
    out
}
