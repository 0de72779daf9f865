//! `${…}` in texts and in driver configuration (runtime sheet §D).

use std::collections::BTreeMap;

use serde_json::Value;

/// Replaces each `${name}` that `lookup` knows; others stay as they are.
pub(crate) fn replace(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some(length) = name_length(&from[2..]) else {
            out.push_str("${");
            rest = &from[2..];
            continue;
        };
        let name = &from[2..2 + length];
        match lookup(name) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&from[..length + 3]),
        }
        rest = &from[length + 3..];
    }
    out.push_str(rest);
    out
}

/// How long the name up to `}` is; `None` when this is no reference.
fn name_length(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))?;
    (end > 0 && text.as_bytes().get(end) == Some(&b'}')).then_some(end)
}

/// Replaces in every text of a value, the keys of maps included.
pub(crate) fn replace_in(value: &Value, lookup: &dyn Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) => Value::String(replace_indexed(text, lookup)),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| replace_in(item, lookup)).collect())
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, item)| (replace(key, lookup), replace_in(item, lookup)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// As [`replace`]; also understands `${env["NAME"]}` and `${meta["a.b"]}`.
fn replace_indexed(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    if !text.contains("[\"") {
        return replace(text, lookup);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        let reference = &rest[..end];
        out.push_str(
            &indexed(reference)
                .and_then(|name| lookup(&name))
                .unwrap_or_else(|| replace(reference, lookup)),
        );
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn indexed(reference: &str) -> Option<String> {
    let inner = reference.strip_prefix("${")?.strip_suffix("\"]}")?;
    let (scope, key) = inner.split_once("[\"")?;
    match scope {
        "env" => Some(key.to_owned()),
        "meta" | "attr" | "node" => Some(format!("{scope}.{key}")),
        _ => None,
    }
}

/// Names of environment variables whose characters are restricted.
const CLEANED: [&str; 5] = [
    "NOMAD_ADDR_",
    "NOMAD_IP_",
    "NOMAD_PORT_",
    "NOMAD_HOST_PORT_",
    "NOMAD_META_",
];

/// Makes the names that users can influence fit for a shell. One that is fit keeps its value.
pub(crate) fn clean_names(mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let influenced = |name: &&String| CLEANED.iter().any(|prefix| name.starts_with(prefix));
    let unfit = env.keys().filter(influenced);
    let unfit: Vec<String> = unfit
        .filter(|name| !name.chars().all(allowed))
        .cloned()
        .collect();
    for name in unfit {
        if let Some(value) = env.remove(&name) {
            let clean = name.replace(|c| !allowed(c), "_");
            env.entry(clean).or_insert(value);
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "node.datacenter" => Some("dc1".into()),
            "NOMAD_PORT_http" => Some("8080".into()),
            "meta.a.b" => Some("c".into()),
            _ => None,
        }
    }

    #[test]
    fn known_names_are_replaced_and_others_stay() {
        let text = "${node.datacenter}:${NOMAD_PORT_http} ${nope} $${x ${} ${a b} $5";
        assert_eq!(
            replace(text, &lookup),
            "dc1:8080 ${nope} $${x ${} ${a b} $5"
        );
    }

    #[test]
    fn configuration_is_replaced_in_depth() {
        let value = serde_json::json!({"args": ["-p", "${NOMAD_PORT_http}"], "n": 1, "m": [{"k": "${env[\"NOMAD_PORT_http\"]}${meta[\"a.b\"]}"}]});
        let expected = serde_json::json!({"args": ["-p", "8080"], "n": 1, "m": [{"k": "8080c"}]});
        assert_eq!(replace_in(&value, &lookup), expected);
    }
}
