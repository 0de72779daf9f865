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

/// Reads JSON; the error is in the words of Go.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| go_words(bytes, &error))
}

fn go_words(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = bytes
        .split(|byte| *byte == b'\n')
        .nth(error.line().saturating_sub(1));
    let at = error.column().saturating_sub(1);
    let text = String::from_utf8_lossy(line.unwrap_or_default().get(at..).unwrap_or_default());
    let Some(character) = text.chars().next() else {
        return "unexpected end of JSON input".to_owned();
    };
    let message = error.to_string();
    let place = [
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("expected `:`", "after object key"),
        (
            "key must be a string",
            "looking for beginning of object key string",
        ),
        ("trailing comma", "looking for beginning of value"),
        ("trailing characters", "after top-level value"),
    ];
    let place = place.iter().find(|(words, _)| message.starts_with(words));
    let place = place.map_or("looking for beginning of value", |(_, place)| place);
    format!("invalid character {character:?} {place}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_json_are_told_as_go_tells_them() {
        let told = [
            ("", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            (
                "job",
                "invalid character 'j' looking for beginning of value",
            ),
            (
                "{a: 1}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\": 1 \"b\"}",
                "invalid character '\"' after object key:value pair",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
        ];
        for (text, error) in told {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), error, "{text}");
        }
    }
}
