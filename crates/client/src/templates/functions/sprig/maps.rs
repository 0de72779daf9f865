//! Maps. Each function gives a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};

use super::{Answer, Function, count, fail, list, map, string, text, texts_of, value};

type Members = BTreeMap<Arc<str>, Value>;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_dict", |_, args| {
        let pairs = args.chunks(2).map(|pair| {
            let key = pair.first().map(ToString::to_string).unwrap_or_default();
            (key, pair.get(1).cloned().unwrap_or_else(|| string("")))
        });
        Ok(map(pairs))
    }),
    ("sprig_get", |_, args| {
        let (members, key) = (members(args, 0)?, text(args, 1)?);
        Ok(members.get(&*key).cloned().unwrap_or_else(|| string("")))
    }),
    ("sprig_hasKey", |_, args| {
        let (members, key) = (members(args, 0)?, text(args, 1)?);
        Ok(Value::Bool(members.contains_key(&*key)))
    }),
    ("sprig_keys", |_, args| {
        let mut keys = Vec::new();
        for at in 0..args.len() {
            keys.extend(members(args, at)?.keys().map(string));
        }
        Ok(list(keys))
    }),
    ("sprig_values", |_, args| {
        Ok(list(members(args, 0)?.values().cloned()))
    }),
    ("sprig_pick", |_, args| chosen(args, true)),
    ("sprig_omit", |_, args| chosen(args, false)),
    ("sprig_pluck", |_, args| {
        let key = text(args, 0)?;
        let mut found = Vec::new();
        for at in 1..args.len() {
            found.extend(members(args, at)?.get(&*key).cloned());
        }
        Ok(list(found))
    }),
    ("sprig_dig", |_, args| {
        let [keys @ .., otherwise, last] = args else {
            return Err(fail("keys, a default and a map are needed"));
        };
        let mut at = last;
        for key in texts_of(keys) {
            match at.field(&key) {
                Some(below) => at = below,
                None => return Ok(otherwise.clone()),
            }
        }
        Ok(at.clone())
    }),
    ("sprig_merge", |_, args| merged(args, false)),
    ("sprig_mergeOverwrite", |_, args| merged(args, true)),
    ("sprig_split", |_, args| {
        let by = text(args, 0)?;
        Ok(numbered(text(args, 1)?.split(&*by)))
    }),
    ("sprig_splitn", |_, args| {
        let by = text(args, 0)?;
        Ok(numbered(text(args, 2)?.splitn(count(args, 1)?, &*by)))
    }),
    ("sprig_urlParse", |_, args| url(&text(args, 0)?)),
];

fn members(args: &[Value], at: usize) -> Result<&Members, TemplateError> {
    match value(args, at)? {
        Value::Map(members) => Ok(members),
        other => Err(fail(format!("{} is no map", other.type_name()))),
    }
}

fn chosen(args: &[Value], named: bool) -> Answer {
    let names = texts_of(args.get(1..).unwrap_or_default());
    let kept = members(args, 0)?
        .iter()
        .filter(|(key, _)| names.iter().any(|name| **name == ***key) == named);
    let kept: Members = kept
        .map(|(key, value)| (Arc::clone(key), value.clone()))
        .collect();
    Ok(Value::Map(Arc::new(kept)))
}

/// Into the first; of what both have, its own counts, or the later one's.
fn merged(args: &[Value], over: bool) -> Answer {
    let mut all = members(args, 0)?.clone();
    for at in 1..args.len() {
        merge(&mut all, members(args, at)?, over);
    }
    Ok(Value::Map(Arc::new(all)))
}

fn merge(into: &mut Members, from: &Members, over: bool) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Map(own)), Value::Map(other)) => merge(Arc::make_mut(own), other, over),
            // What is empty is not there, for either.
            (Some(own), value) if !own.is_truthy() || (over && value.is_truthy()) => {
                *own = value.clone()
            }
            (Some(_), _) => {}
            (None, value) => {
                into.insert(Arc::clone(key), value.clone());
            }
        }
    }
}

/// `_0`, `_1` and so on.
fn numbered<'a>(parts: impl Iterator<Item = &'a str>) -> Value {
    map(parts
        .enumerate()
        .map(|(at, part)| (format!("_{at}"), string(part))))
}

fn url(text: &str) -> Answer {
    let url = reqwest::Url::parse(text).map_err(|error| fail(format!("{text}: {error}")))?;
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let password = url
        .password()
        .map(|word| format!(":{word}"))
        .unwrap_or_default();
    let members = [
        ("scheme", url.scheme().to_owned()),
        ("host", format!("{host}{port}")),
        ("hostname", host.to_owned()),
        ("path", url.path().to_owned()),
        ("query", url.query().unwrap_or_default().to_owned()),
        ("fragment", url.fragment().unwrap_or_default().to_owned()),
        ("opaque", String::new()),
        ("userinfo", format!("{}{password}", url.username())),
    ];
    Ok(map(
        members.map(|(key, value)| (key.to_owned(), string(value)))
    ))
}
