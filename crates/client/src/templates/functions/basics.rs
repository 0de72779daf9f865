//! Texts, numbers, JSON, digests, the task's environment and files: what is needed everywhere.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use gotmpl::{TemplateError, Value};
use sha2::{Digest, Sha256};

use super::super::pass::Pass;
use super::{
    Answer, Function, decoded, escaped, fail, from_json, items, list, map, number, pattern, sprig,
    string, text, title, to_json,
};
use crate::api::contained;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
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

fn json(args: &[Value], pretty: bool) -> Result<String, TemplateError> {
    let value = to_json(args.first().unwrap_or(&Value::Nil));
    let text = if pretty {
        serde_json::to_string_pretty(&value)
    } else {
        serde_json::to_string(&value)
    };
    text.map_err(|error| fail(error.to_string()))
}
