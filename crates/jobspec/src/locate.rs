//! Where in a job file something stands that was found wrong with the job it became.
//!
//! Rules speak of groups and tasks by name; an editor wants lines. The place of an error is the header of the
//! innermost block that it names, and the header of the job otherwise.

use crate::diagnostic::{Diagnostic, Diags, Severity};
use crate::inputs::Source;
use crate::source::Span;
use crate::syntax::ast::{Block, Body};
use crate::syntax::parser::parse_file;

/// One diagnostic for each error inside `errors` (see [`crate::Admission::errors`]), with its place when the file is
/// in the native syntax and names the block itself.
#[must_use]
pub fn locate(source: &Source, errors: &[String], severity: Severity) -> Vec<Diagnostic> {
    let mut diags = Diags::default();
    let text = String::from_utf8_lossy(&source.bytes).into_owned();
    let native = !text.trim_start().starts_with('{');
    let file = diags.sources.add(&*source.name, text);
    let body = match native {
        true => parse_file(file, &mut diags),
        false => Body::default(),
    };
    diags.list.clear();
    let job = body.blocks.iter().find(|block| &*block.kind.text == "job");
    let mut out = Vec::new();
    for error in errors {
        let mut lines = error.split("\n\t* ").map(str::trim_end);
        leaves(&mut lines, usize::MAX, &[], &mut |trail, text| {
            out.push(diagnostic(&mut diags, job, trail, text, severity));
        });
    }
    out
}

/// Calls `found` with each error that holds no others, and the errors around it, outermost first.
fn leaves<'a>(
    lines: &mut dyn Iterator<Item = &'a str>,
    count: usize,
    trail: &[&'a str],
    found: &mut dyn FnMut(&[&'a str], &'a str),
) {
    for _ in 0..count {
        let Some(line) = lines.next() else { return };
        match holds(line) {
            Some((name, inner)) => {
                let mut deeper = trail.to_vec();
                deeper.push(name);
                leaves(lines, inner, &deeper, found);
            }
            None => found(trail, line),
        }
    }
}

/// `Task group g validation failed: 2 errors occurred:` as what failed and how many errors follow.
fn holds(line: &str) -> Option<(&str, usize)> {
    let line = line.strip_suffix(" occurred:")?;
    let line = line
        .strip_suffix(" errors")
        .or_else(|| line.strip_suffix(" error"))?;
    let (name, count) = line.rsplit_once(' ').unwrap_or(("", line));
    Some((name.trim_end_matches(':'), count.parse().ok()?))
}

fn diagnostic(
    diags: &mut Diags,
    job: Option<&Block>,
    trail: &[&str],
    text: &str,
    severity: Severity,
) -> Diagnostic {
    let span = job.map(|job| place(job, trail, text));
    let around: Vec<&str> = trail.iter().copied().filter(|it| !it.is_empty()).collect();
    diags.tell(severity, span, text, around.join(": "))
}

/// The header of the innermost block that the errors around, or the error itself, name.
fn place(job: &Block, trail: &[&str], text: &str) -> Span {
    let mut at = job;
    for words in trail.iter().copied().chain([text]) {
        for kind in ["group", "task", "service", "volume"] {
            let named = |block: &&Block| {
                &*block.kind.text == kind
                    && name_of(block).is_some_and(|name| mentions(words, kind, name))
            };
            at = at.body.blocks.iter().find(named).unwrap_or(at);
        }
    }
    at.header()
}

/// The label, or what the attribute `name` says.
fn name_of(block: &Block) -> Option<&str> {
    if let Some(label) = block.labels.first() {
        return Some(&label.text);
    }
    let name = block
        .body
        .attributes
        .iter()
        .find(|attribute| &*attribute.name.text == "name")?;
    match &name.expr.kind {
        crate::syntax::ast::ExprKind::Text(text, _) => Some(text),
        _ => None,
    }
}

/// Whether a sentence speaks of the block: `Task web …`, `task group "web"`, `service web`.
fn mentions(words: &str, kind: &str, name: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower.get(from..).and_then(|rest| rest.find(kind)) {
        let after = from + found + kind.len();
        let rest = words.get(after..).unwrap_or_default().trim_start();
        let rest = rest.trim_start_matches(['"', '\'']);
        if let Some(end) = rest.strip_prefix(name) {
            let next = end.chars().next();
            if next.is_none_or(|next| !next.is_alphanumeric() && !"-_.".contains(next)) {
                return true;
            }
        }
        from = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{holds, locate};
    use crate::{Severity, Source};

    const FILE: &str = "job \"j\" {\n  group \"g\" {\n    task \"t\" {}\n    task \"u\" {}\n  }\n  group \"g-2\" {}\n}\n";

    fn lines(error: &str) -> Vec<(usize, String)> {
        let source = Source::new("j.hcl", FILE);
        let found = locate(&source, &[error.to_owned()], Severity::Error);
        let line = |range: Option<crate::Range>| range.map_or(0, |range| range.start.line);
        found
            .into_iter()
            .map(|one| (line(one.range), one.summary))
            .collect()
    }

    #[test]
    fn errors_are_at_the_innermost_block_that_they_name() {
        assert_eq!(
            lines("Missing job datacenters"),
            [(1, "Missing job datacenters".into())]
        );
        let nested = "Task group g validation failed: 2 errors occurred:\n\t* Task group count can't be negative\n\t* Task u \
                      validation failed: 1 error occurred:\n\t* Missing task driver\n\n\n\n";
        let expected = [
            (2, "Task group count can't be negative".to_owned()),
            (4, "Missing task driver".to_owned()),
        ];
        assert_eq!(lines(nested), expected);
        assert_eq!(lines("Task group g-2 has no tasks")[0].0, 6);
    }

    #[test]
    fn what_holds_others_says_how_many() {
        assert_eq!(holds("Task t: 12 errors occurred:"), Some(("Task t", 12)));
        assert_eq!(holds("1 error occurred:"), Some(("", 1)));
        assert_eq!(holds("an error occurred: x"), None);
    }
}
