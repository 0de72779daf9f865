//! `yamlencode`.

use super::{Call, Fault, Outcome, bounded};
use crate::value::Value;

pub(super) fn yamlencode(call: &mut Call<'_>) -> Outcome {
    let mut out = String::new();
    write(&call.args[0], 0, &mut out)?;
    Ok(Value::from(out))
}

/// A value as the content of a document or of a list's dash, beginning at the current place.
fn write(value: &Value, level: usize, out: &mut String) -> Result<(), Fault> {
    bounded(out.len())?;
    let indent = "  ".repeat(level);
    match value {
        Value::List(items) | Value::Set(items) | Value::Tuple(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&indent);
                }
                out.push_str("- ");
                write(item, level + 1, out)?;
            }
        }
        Value::Map(fields) | Value::Object(fields) if !fields.is_empty() => {
            for (at, (key, item)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push_str(&indent);
                }
                out.push_str(&quoted(key));
                out.push(':');
                member(item, level, out)?;
            }
        }
        _ => scalar(value, level, out),
    }
    Ok(())
}

/// A value after `key:`. Lists stay at the key's level.
fn member(value: &Value, level: usize, out: &mut String) -> Result<(), Fault> {
    let inner = match value {
        Value::List(items) | Value::Set(items) | Value::Tuple(items) if !items.is_empty() => level,
        Value::Map(fields) | Value::Object(fields) if !fields.is_empty() => level + 1,
        _ => {
            out.push(' ');
            scalar(value, level + 1, out);
            return Ok(());
        }
    };
    out.push('\n');
    out.push_str(&"  ".repeat(inner));
    write(value, inner, out)
}

fn scalar(value: &Value, level: usize, out: &mut String) {
    match value {
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Text(text) if is_block(text) => {
            let keep = match (text.ends_with('\n'), text.ends_with("\n\n")) {
                (false, _) => "-",
                (true, false) => "",
                (true, true) => "+",
            };
            out.push_str(&format!("|{keep}\n"));
            let indent = "  ".repeat(level.max(1));
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                if !line.is_empty() {
                    out.push_str(&indent);
                    out.push_str(line);
                }
                out.push('\n');
            }
            return;
        }
        Value::Text(text) => out.push_str(&quoted(text)),
        Value::List(_) | Value::Set(_) | Value::Tuple(_) => out.push_str("[]"),
        Value::Map(_) | Value::Object(_) => out.push_str("{}"),
        Value::Null | Value::Unknown => out.push_str("null"),
    }
    out.push('\n');
}

/// Whether a text of several lines can be shown as such.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|letter| letter == '\n' || letter == '\t' || !letter.is_control())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            control if control.is_control() => {
                out.push_str(&format!("\\x{:02X}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out + "\""
}
