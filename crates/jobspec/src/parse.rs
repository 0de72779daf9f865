//! Reading job files, from bytes to a job.

use crate::decode::{self, BlockRef, BodyRef, Schema, many, named};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::eval::{Names, Scope, Session};
use crate::inputs::{Inputs, Source};
use crate::locals;
use crate::source::Span;
use crate::syntax::json::parse_json;
use crate::syntax::lexer::{Kind, lex};
use crate::syntax::parser::parse_file;
use crate::variables::Variables;
use caravan_model::api::ApiJob;
use std::collections::BTreeMap;

/// Larger job files are refused: they would have to be generated, and what generates them can use JSON.
const MOST_BYTES: usize = 4 << 20;

const FILE: Schema = Schema {
    attributes: &[],
    blocks: &[
        named("variable"),
        many("variables"),
        many("locals"),
        named("job"),
    ],
};

/// A job file that could be read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// As written: without defaults.
    pub job: ApiJob,
    pub warnings: Vec<Diagnostic>,
    /// Stored with the job: values of simple variables, as given.
    pub variable_flags: BTreeMap<String, String>,
    /// Stored with the job: the text of all variable files and of other values.
    pub variables: String,
}

/// Reads a job file in the native syntax or, when it begins with a brace, in its JSON form.
///
/// # Errors
/// Everything that is wrong with the file and its variables.
pub fn parse(source: &Source, inputs: &Inputs<'_>) -> Result<Parsed, Diagnostics> {
    let mut cx = Session::new(inputs.files, inputs.seed);
    let Some(file) = add(&mut cx, source) else {
        return Err(finish(cx, ""));
    };
    let text = cx.diags.sources.file(file).text.clone();
    let (native, json);
    let body = match is_json(&text) {
        false => {
            native = parse_file(file, &mut cx.diags);
            BodyRef::Native(&native)
        }
        true => {
            let Some(expr) = parse_json(file, &mut cx.diags) else {
                return Err(finish(cx, ""));
            };
            json = expr;
            BodyRef::Json(&json)
        }
    };
    if cx.diags.failed_since(0) {
        return Err(finish(cx, ""));
    }
    check_var_files(inputs)?;
    read(cx, body, inputs)
}

/// Syntax errors in variable files come alone: nothing can be said about values that could not be read.
fn check_var_files(inputs: &Inputs<'_>) -> Result<(), Diagnostics> {
    for file in &inputs.var_files {
        let mut cx = Session::new(None, [0; 32]);
        let id = cx.diags.sources.add(&*file.name, &*file.text);
        match is_json(&file.text) {
            true => {
                parse_json(id, &mut cx.diags);
            }
            false => {
                parse_file(id, &mut cx.diags);
            }
        }
        if cx.diags.failed_since(0) {
            let word = if inputs.files.is_some() {
                "file"
            } else {
                "content"
            };
            return Err(finish(cx, &format!("unable to parse var {word}: ")));
        }
    }
    Ok(())
}

/// The text of a source, or none after telling why it is none.
fn add(cx: &mut Session<'_>, source: &Source) -> Option<u32> {
    if source.bytes.len() > MOST_BYTES {
        let detail = format!(
            "The file has {} bytes; job files may have {MOST_BYTES}.",
            source.bytes.len()
        );
        cx.diags.error_nowhere("Job file too large", detail);
        return None;
    }
    if let Ok(text) = std::str::from_utf8(&source.bytes) {
        return Some(cx.diags.sources.add(&*source.name, text));
    }
    let (text, strange) = readable(&source.bytes);
    let read = match is_json(&text) {
        true => strange.first(),
        false => outside_comments(&text, &strange),
    };
    let file = cx.diags.sources.add(&*source.name, text.as_str());
    let Some(&at) = read else { return Some(file) };
    let detail = "All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is selected in your editor.";
    let span = Span::new(file, at, at + 3);
    cx.diags.error(span, "Invalid character encoding", detail);
    None
}

fn is_json(text: &str) -> bool {
    text.trim_start_matches(' ').starts_with('{')
}

/// The text with a sign of three bytes for whatever is no character, and where these are.
pub(crate) fn readable(bytes: &[u8]) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(bytes.len());
    let mut strange = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            strange.push(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, strange)
}

/// The first of the places that is in no comment: what comments say, and in which encoding, is nobody's business.
pub(crate) fn outside_comments<'a>(text: &str, places: &'a [usize]) -> Option<&'a usize> {
    let tokens = lex(0, text);
    places.iter().find(|&&at| {
        let next = tokens.partition_point(|token| token.span.end as usize <= at);
        let is_comment = |kind| matches!(kind, Kind::LineComment | Kind::BlockComment);
        !tokens
            .get(next)
            .is_some_and(|token| is_comment(token.kind) && token.span.start as usize <= at)
    })
}

fn read(
    mut cx: Session<'_>,
    body: BodyRef<'_>,
    inputs: &Inputs<'_>,
) -> Result<Parsed, Diagnostics> {
    let content = decode::content(&mut cx, body, &Scope::forbidden(), &FILE);
    let mut variables = Variables::default();
    variables.declare(&mut cx, &content.blocks);
    variables.collect(&mut cx, inputs);
    let var = variables.resolve(&mut cx);
    let local = locals::resolve(&mut cx, &content.blocks, &var);
    let names = vec![("var".into(), var), ("local".into(), local)];
    let scope = Scope::root(names, Names::Runtime);
    let failed_before = cx.diags.failed_since(0);
    let Some(block) = only_job(&mut cx, &content.blocks) else {
        return Err(finish(cx, ""));
    };
    let before = cx.diags.list.len();
    let job = decode::decode_job(&mut cx, block, &scope);
    if failed_before {
        // What only follows from a variable or local that failed is no news.
        let later = cx.diags.list.split_off(before);
        cx.diags
            .list
            .extend(later.into_iter().filter(|it| !it.consequence));
    }
    if cx.diags.failed_since(0) {
        return Err(finish(cx, ""));
    }
    Ok(Parsed {
        job,
        warnings: cx.diags.list,
        variable_flags: variables.flags,
        variables: variables.text,
    })
}

fn only_job<'b, 'a>(cx: &mut Session<'_>, blocks: &'b [BlockRef<'a>]) -> Option<&'b BlockRef<'a>> {
    let mut jobs = blocks.iter().filter(|it| &*it.kind.text == "job");
    let Some(first) = jobs.next() else {
        if !cx.diags.failed_since(0) {
            cx.diags
                .error_nowhere("Missing job block", "A job block is required");
        }
        return None;
    };
    for other in jobs {
        let detail = format!(
            "Only one block of type \"job\" is allowed. Previous definition was at {}.",
            cx.diags.at(first.header())
        );
        cx.diags
            .error(other.header(), "Duplicate job block", detail);
    }
    Some(first)
}

fn finish(cx: Session<'_>, prefix: &str) -> Diagnostics {
    let mut list = cx.diags.list;
    list.dedup();
    debug_assert!(list.iter().any(|it| it.severity == Severity::Error));
    Diagnostics {
        list,
        prefix: prefix.to_owned(),
    }
}
