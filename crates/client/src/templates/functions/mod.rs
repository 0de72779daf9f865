//! The functions of templates, one file for each kind: how the engine gets them, and how they read their arguments and
//! make values.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_model::regexp;
use gotmpl::{Template, TemplateError, Value};

use super::methods;
use super::pass::Pass;

mod basics;
mod collections;
mod consul;
mod denied;
mod formats;
mod lookups;
mod scratch;
mod sprig;
pub(super) mod variables;
mod yaml;

type Answer = Result<Value, TemplateError>;
type Function = fn(&Pass, &[Value]) -> Answer;

fn fail(text: impl Into<String>) -> TemplateError {
    TemplateError::Exec(text.into())
}

fn string(text: impl AsRef<str>) -> Value {
    Value::String(Arc::from(text.as_ref()))
}

fn text(args: &[Value], at: usize) -> Result<String, TemplateError> {
    args.get(at)
        .map(ToString::to_string)
        .ok_or_else(|| fail(format!("missing argument {}", at + 1)))
}

/// The first argument as a regular expression.
fn pattern(args: &[Value]) -> Result<regex::Regex, TemplateError> {
    let usual = regexp::translated(&text(args, 0)?)
        .map_err(|why| fail(format!("error parsing regexp: {why}")))?;
    regex::Regex::new(&usual).map_err(|error| fail(error.to_string()))
}

fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (Arc::from(key.as_str()), value));
    Value::Map(Arc::new(entries.collect::<BTreeMap<Arc<str>, Value>>()))
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

fn items(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::List(items)) => items.to_vec(),
        _ => Vec::new(),
    }
}

/// Gives every function to the engine; denied ones fail when they are called.
pub(super) fn register(mut engine: Template, pass: &Arc<Pass>, denied: &[String]) -> Template {
    let all = [
        basics::FUNCTIONS,
        lookups::FUNCTIONS,
        variables::FUNCTIONS,
        collections::FUNCTIONS,
        formats::FUNCTIONS,
        consul::FUNCTIONS,
        denied::FUNCTIONS,
        scratch::FUNCTIONS,
        yaml::FUNCTIONS,
    ];
    let all = all.into_iter().flatten().copied();
    engine = with_sprig(given(engine, all, pass), pass);
    for name in variables::METHODS {
        let pass = Arc::clone(pass);
        engine = engine.func(&methods::function(name), move |args: &[Value]| {
            variables::member(&pass, args.first().unwrap_or(&Value::Nil), name)
        });
    }
    for name in denied {
        engine = engine.func(name, |_: &[Value]| Err(fail("function is disabled")));
    }
    engine
}

/// Gives Sprig's functions to the engine, under all of their names.
pub(super) fn with_sprig(engine: Template, pass: &Arc<Pass>) -> Template {
    let all = sprig::FUNCTIONS.into_iter().flatten().copied();
    let named = |wanted: &str| all.clone().find(|(name, _)| *name == wanted);
    let aliases = sprig::ALIASES.into_iter().flatten();
    let aliases = aliases.filter_map(|(alias, name)| Some((*alias, named(name)?.1)));
    given(engine, all.clone().chain(aliases), pass)
}

fn given(
    mut engine: Template,
    functions: impl Iterator<Item = (&'static str, Function)>,
    pass: &Arc<Pass>,
) -> Template {
    for (name, function) in functions {
        let pass = Arc::clone(pass);
        engine = engine.func(name, move |args: &[Value]| function(&pass, args));
    }
    engine
}

fn number(args: &[Value], at: usize) -> Result<i64, TemplateError> {
    match args.get(at) {
        Some(Value::Int(number)) => Ok(*number),
        _ => text(args, at)?
            .parse()
            .map_err(|_| fail("not a whole number")),
    }
}

fn title(text: &str) -> String {
    let mut out = String::new();
    let mut first = true;
    for c in text.chars() {
        if first {
            out.extend(c.to_uppercase())
        } else {
            out.push(c)
        }
        first = c.is_whitespace();
    }
    out
}

fn decoded(bytes: Result<Vec<u8>, base64::DecodeError>) -> Answer {
    let bytes = bytes.map_err(|error| fail(error.to_string()))?;
    Ok(string(String::from_utf8_lossy(&bytes)))
}

fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(on) => Value::Bool(*on),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(
            || Value::Float(number.as_f64().unwrap_or_default()),
            Value::Int,
        ),
        serde_json::Value::String(text) => string(text),
        serde_json::Value::Array(items) => list(items.iter().map(from_json)),
        serde_json::Value::Object(members) => map(members
            .iter()
            .map(|(key, value)| (key.clone(), from_json(value)))),
    }
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(on) => (*on).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(members) => members
            .iter()
            .map(|(key, value)| (key.to_string(), to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Nil => serde_json::Value::Null,
        other => other.to_string().into(),
    }
}

/// JSON that may stand in a page: in it, these characters are part of texts only.
fn escaped(json: &str) -> String {
    let of = |c| format!("\\u{:04x}", u32::from(c));
    ['<', '>', '&']
        .into_iter()
        .fold(json.to_owned(), |text, c| text.replace(c, &of(c)))
}
