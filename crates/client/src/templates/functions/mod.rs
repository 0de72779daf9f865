//! The functions of templates: text, numbers, formats, the environment and the cluster's data.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use caravan_model::regexp;
use gotmpl::{Template, TemplateError, Value};
use sha2::{Digest, Sha256};

use super::methods;
use super::pass::Pass;
use crate::api::contained;

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

const FUNCTIONS: &[(&str, Function)] = &[
    ("env", |pass, args| {
        Ok(string(
            pass.env.get(&text(args, 0)?).cloned().unwrap_or_default(),
        ))
    }),
    ("mustEnv", |pass, args| {
        let name = text(args, 0)?;
        pass.env
            .get(&name)
            .map(string)
            .ok_or_else(|| fail(format!("environment variable {name:?} is not set")))
    }),
    ("envOrDefault", |pass, args| {
        let found = pass
            .env
            .get(&text(args, 0)?)
            .filter(|value| !value.is_empty())
            .cloned();
        Ok(string(found.map_or_else(|| text(args, 1), Ok)?))
    }),
    ("file", file),
    ("toLower", |_, args| {
        Ok(string(text(args, 0)?.to_lowercase()))
    }),
    ("toUpper", |_, args| {
        Ok(string(text(args, 0)?.to_uppercase()))
    }),
    ("toTitle", |_, args| Ok(string(title(&text(args, 0)?)))),
    ("trim", |_, args| {
        Ok(string(text(args, 1)?.trim_matches(
            |c| matches!(text(args, 0), Ok(set) if set.contains(c)),
        )))
    }),
    ("trimSpace", |_, args| Ok(string(text(args, 0)?.trim()))),
    ("trimPrefix", |_, args| {
        let (prefix, of) = (text(args, 0)?, text(args, 1)?);
        Ok(string(of.strip_prefix(&*prefix).unwrap_or(&of)))
    }),
    ("trimSuffix", |_, args| {
        let (suffix, of) = (text(args, 0)?, text(args, 1)?);
        Ok(string(of.strip_suffix(&*suffix).unwrap_or(&of)))
    }),
    ("replaceAll", |_, args| {
        Ok(string(
            text(args, 2)?.replace(&text(args, 0)?, &text(args, 1)?),
        ))
    }),
    ("regexReplaceAll", |_, args| {
        Ok(string(
            pattern(args)?.replace_all(&text(args, 2)?, text(args, 1)?.as_str()),
        ))
    }),
    ("regexMatch", |_, args| {
        Ok(Value::Bool(pattern(args)?.is_match(&text(args, 1)?)))
    }),
    ("split", |_, args| {
        let (by, of) = (text(args, 0)?, text(args, 1)?);
        Ok(list(
            of.trim()
                .split(&*by)
                .filter(|part| !part.is_empty())
                .map(string),
        ))
    }),
    ("join", |_, args| {
        let parts: Vec<String> = items(args.get(1)).iter().map(ToString::to_string).collect();
        Ok(string(parts.join(&text(args, 0)?)))
    }),
    ("contains", |_, args| {
        let wanted = text(args, 0)?;
        Ok(Value::Bool(
            items(args.get(1))
                .iter()
                .any(|item| item.to_string() == wanted),
        ))
    }),
    ("in", |_, args| {
        let wanted = text(args, 1)?;
        Ok(Value::Bool(
            items(args.first())
                .iter()
                .any(|item| item.to_string() == wanted),
        ))
    }),
    ("indent", |_, args| {
        let pad = " ".repeat(usize::try_from(number(args, 0)?).unwrap_or(0));
        let lines: Vec<String> = text(args, 1)?
            .split('\n')
            .map(|line| format!("{pad}{line}"))
            .collect();
        Ok(string(lines.join("\n")))
    }),
    ("loop", |_, args| {
        let (from, to) = if args.len() > 1 {
            (number(args, 0)?, number(args, 1)?)
        } else {
            (0, number(args, 0)?)
        };
        // A template must not fill the memory.
        Ok(list(
            (from..to.min(from.saturating_add(1_000_000))).map(Value::Int),
        ))
    }),
    ("base64Encode", |_, args| {
        Ok(string(STANDARD.encode(text(args, 0)?)))
    }),
    ("base64URLEncode", |_, args| {
        Ok(string(URL_SAFE.encode(text(args, 0)?)))
    }),
    ("base64Decode", |_, args| {
        decoded(STANDARD.decode(text(args, 0)?))
    }),
    ("base64URLDecode", |_, args| {
        decoded(URL_SAFE.decode(text(args, 0)?))
    }),
    ("sha256Hex", |_, args| {
        let digest = Sha256::digest(text(args, 0)?);
        Ok(string(
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        ))
    }),
    ("parseBool", |_, args| match text(args, 0)?.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
        other => Err(fail(format!("{other:?} is neither true nor false"))),
    }),
    // What is not known yet is an empty text.
    ("parseInt", |_, args| match text(args, 0)?.as_str() {
        "" => Ok(Value::Int(0)),
        _ => Ok(Value::Int(number(args, 0)?)),
    }),
    ("parseUint", |_, args| match text(args, 0)?.as_str() {
        "" => Ok(Value::Int(0)),
        negative if negative.starts_with('-') => Err(fail("not a number without a sign")),
        _ => Ok(Value::Int(number(args, 0)?)),
    }),
    ("parseFloat", |_, args| match text(args, 0)?.as_str() {
        "" => Ok(Value::Float(0.0)),
        given => Ok(Value::Float(
            given.parse().map_err(|_| fail("not a number"))?,
        )),
    }),
    ("parseJSON", |_, args| {
        let text = text(args, 0)?;
        if text.is_empty() {
            return Ok(map([]));
        }
        serde_json::from_str(&text)
            .map(|value| from_json(&value))
            .map_err(|error| fail(error.to_string()))
    }),
    ("toJSON", |_, args| Ok(string(escaped(&json(args, false)?)))),
    ("toJSONPretty", |_, args| {
        Ok(string(escaped(&json(args, true)?)))
    }),
    ("toUnescapedJSON", |_, args| Ok(string(json(args, false)?))),
    ("toUnescapedJSONPretty", |_, args| {
        Ok(string(json(args, true)?))
    }),
    ("timestamp", |_, args| match args.first() {
        None => Ok(string(timestamp())),
        Some(layout) => Ok(string(sprig::now_in_utc(&layout.to_string()))),
    }),
    ("add", |_, args| {
        arithmetic(args, i64::checked_add, |a, b| a + b)
    }),
    ("subtract", |_, args| {
        arithmetic(args, |a, b| b.checked_sub(a), |a, b| b - a)
    }),
    ("multiply", |_, args| {
        arithmetic(args, i64::checked_mul, |a, b| a * b)
    }),
    ("divide", |_, args| {
        arithmetic(args, |a, b| b.checked_div(a), |a, b| b / a)
    }),
    ("modulo", |_, args| {
        arithmetic(args, |a, b| b.checked_rem(a), |a, b| b % a)
    }),
    ("minimum", |_, args| {
        arithmetic(args, |a, b| Some(a.min(b)), f64::min)
    }),
    ("maximum", |_, args| {
        arithmetic(args, |a, b| Some(a.max(b)), f64::max)
    }),
];

/// Gives every function to the engine; denied ones fail when they are called.
pub(super) fn register(mut engine: Template, pass: &Arc<Pass>, denied: &[String]) -> Template {
    let all = [
        FUNCTIONS,
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

fn arithmetic(
    args: &[Value],
    whole: fn(i64, i64) -> Option<i64>,
    fraction: fn(f64, f64) -> f64,
) -> Answer {
    if let (Ok(a), Ok(b)) = (number(args, 0), number(args, 1)) {
        return whole(a, b)
            .map(Value::Int)
            .ok_or_else(|| fail("the result is no number"));
    }
    let number = |at| {
        text(args, at)?
            .parse::<f64>()
            .map_err(|_| fail("not a number"))
    };
    Ok(Value::Float(fraction(number(0)?, number(1)?)))
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

/// Seconds since 1970 as RFC 3339, in UTC.
fn timestamp() -> String {
    let value = serde_json::to_value(caravan_model::Timestamp(
        crate::clock::now().seconds() * 1_000_000_000,
    ));
    value
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn file(pass: &Pass, args: &[Value]) -> Answer {
    let path = text(args, 0)?;
    if !pass.sandboxed {
        return std::fs::read_to_string(&path)
            .map(string)
            .map_err(|error| fail(format!("{path}: {error}")));
    }
    let content = contained::read_text(&pass.files, path.as_ref());
    content.map(string).map_err(|error| fail(error.to_string()))
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

fn json(args: &[Value], pretty: bool) -> Result<String, TemplateError> {
    let value = to_json(args.first().unwrap_or(&Value::Nil));
    let text = if pretty {
        serde_json::to_string_pretty(&value)
    } else {
        serde_json::to_string(&value)
    };
    text.map_err(|error| fail(error.to_string()))
}
