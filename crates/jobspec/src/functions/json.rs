//! JSON.

use super::{Call, Fault, Outcome, bounded};
use crate::number::Number;
use crate::value::{Members, Value};
use serde_json::Value as Json;

pub(super) fn jsonencode(call: &mut Call<'_>) -> Outcome {
    let mut out = String::new();
    write(&call.args[0], &mut out)?;
    Ok(Value::from(out))
}

/// Compact, keys in order, and safe inside HTML.
pub(super) fn write(value: &Value, out: &mut String) -> Result<(), Fault> {
    bounded(out.len())?;
    match value {
        Value::Unknown | Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Text(text) => write_text(text, out),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Map(fields) | Value::Object(fields) => {
            out.push('{');
            for (at, (key, item)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(item, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

pub(super) fn jsondecode(call: &mut Call<'_>) -> Outcome {
    let text = call.text(0);
    match serde_json::from_str::<Json>(&text) {
        Ok(json) => Ok(from_json(&json)),
        Err(error) if error.is_eof() => Err("EOF".into()),
        Err(error) => Err(error.to_string().into()),
    }
}

/// Arrays become tuples and objects become objects.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            Number::parse(&number.to_string()).map_or(Value::Null, Value::Number)
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        Json::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, v)| (key.as_str().into(), from_json(v)));
            Value::object(fields.collect::<Members>())
        }
    }
}
