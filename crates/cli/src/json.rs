//! Reading members of answers, and printing JSON the way the reference does.

use serde_json::{Map, Value};
use std::sync::LazyLock;

static NULL: LazyLock<Value> = LazyLock::new(|| Value::Null);

/// Members of a JSON object; what is absent or null reads as empty.
pub(crate) trait Fields {
    /// A member, null when absent.
    fn at(&self, key: &str) -> &Value;
    /// A text.
    fn str(&self, key: &str) -> &str;
    /// A number.
    fn int(&self, key: &str) -> i64;
    /// A truth.
    fn yes(&self, key: &str) -> bool;
    /// The items of a list.
    fn items(&self, key: &str) -> &[Value];
    /// The texts of a list.
    fn strs(&self, key: &str) -> Vec<&str>;
    /// The members of an object, sorted by name.
    fn members(&self, key: &str) -> Vec<(&str, &Value)>;
    /// Whether it is absent or null.
    fn lacks(&self, key: &str) -> bool {
        self.at(key).is_null()
    }
}

impl Fields for Value {
    fn at(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&NULL)
    }
    fn str(&self, key: &str) -> &str {
        self.at(key).as_str().unwrap_or_default()
    }
    fn int(&self, key: &str) -> i64 {
        let value = self.at(key);
        let number = value.as_i64().or_else(|| value.as_f64().map(|n| n as i64));
        number.unwrap_or_default()
    }
    fn yes(&self, key: &str) -> bool {
        self.at(key).as_bool().unwrap_or_default()
    }
    fn items(&self, key: &str) -> &[Value] {
        self.at(key).as_array().map_or(&[], Vec::as_slice)
    }
    fn strs(&self, key: &str) -> Vec<&str> {
        self.items(key).iter().filter_map(Value::as_str).collect()
    }
    fn members(&self, key: &str) -> Vec<(&str, &Value)> {
        sorted(self.at(key))
    }
}

/// The members of an object by name.
pub(crate) fn sorted(value: &Value) -> Vec<(&str, &Value)> {
    let members = value.as_object().into_iter().flatten();
    let mut members: Vec<(&str, &Value)> =
        members.map(|(key, value)| (key.as_str(), value)).collect();
    members.sort_by_key(|member| member.0);
    members
}

/// A list; nothing when it is null.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A list of objects with the newest first, as tables and templates of evaluations have them.
pub(crate) fn newest_first(mut value: Value) -> Value {
    if let Value::Array(items) = &mut value {
        items.sort_by_key(|item| std::cmp::Reverse(item.int("CreateIndex")));
    }
    value
}

/// A scalar as it reads.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Pretty JSON with members in order of their names.
pub(crate) fn pretty_sorted(value: &Value) -> String {
    pretty(&sort(value), "    ")
}

fn sort(value: &Value) -> Value {
    match value {
        Value::Object(_) => {
            let members = sorted(value).into_iter();
            Value::Object(
                members
                    .map(|(key, value)| (key.to_owned(), sort(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sort).collect()),
        other => other.clone(),
    }
}

/// Pretty JSON in the order it has.
pub(crate) fn pretty(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    write(value, indent, 0, &mut out);
    out
}

fn write(value: &Value, indent: &str, depth: usize, out: &mut String) {
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(indent, depth));
    };
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{}"),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                newline(out, depth + 1);
                out.push_str(&Value::String(key.clone()).to_string());
                out.push_str(": ");
                write(value, indent, depth + 1, out);
            }
            newline(out, depth);
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, value) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                newline(out, depth + 1);
                write(value, indent, depth + 1, out);
            }
            newline(out, depth);
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Escapes what Go escapes for HTML's sake.
pub(crate) fn html_escape(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
