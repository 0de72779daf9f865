//! Decoding of free-form `config` blocks: which keys a driver knows, and what their values become.
//!
//! Values arrive as a job file or the API wrote them: a block may be an object or a list of objects, a number
//! may be text. [`decode`] refuses unknown keys and wrong types with all problems at once, and gives one
//! canonical object: scalars converted, maps merged, absent keys absent.

use serde_json::{Map, Number, Value};

use crate::DriverError;

/// The shape of a value.
#[derive(Debug, Clone)]
pub enum Kind {
    String,
    Int,
    Float,
    Bool,
    /// A duration text (`"5m"`), or an integer of nanoseconds; becomes nanoseconds.
    Duration,
    List(Box<Kind>),
    /// An object with free keys; `block { }` and `[{ }]` are merged into one.
    Map(Box<Kind>),
    /// One nested block.
    Block(Vec<Field>),
    /// A repeatable nested block; always becomes a list.
    Blocks(Vec<Field>),
}

/// One key of a block.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

impl Field {
    #[must_use]
    pub fn optional(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: false,
        }
    }

    #[must_use]
    pub fn required(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: true,
        }
    }

    #[must_use]
    pub fn strings(name: &'static str) -> Self {
        Self::optional(name, Kind::List(Box::new(Kind::String)))
    }

    #[must_use]
    pub fn string_map(name: &'static str) -> Self {
        Self::optional(name, Kind::Map(Box::new(Kind::String)))
    }
}

/// Checks `value` against `fields` and gives the canonical object.
pub fn decode(fields: &[Field], value: &Value) -> Result<Value, DriverError> {
    let mut problems = Vec::new();
    let decoded = block(fields, value, "", &mut problems);
    if problems.is_empty() {
        return Ok(Value::Object(decoded));
    }
    let lines: Vec<String> = problems.iter().map(|p| format!("* {p}")).collect();
    Err(DriverError::Config(format!("\n{}", lines.join("\n"))))
}

/// Decodes straight into a type.
pub fn decode_into<T: serde::de::DeserializeOwned>(
    fields: &[Field],
    value: &Value,
) -> Result<T, DriverError> {
    let canonical = decode(fields, value)?;
    serde_json::from_value(canonical).map_err(|err| DriverError::Config(err.to_string()))
}

fn block(
    fields: &[Field],
    value: &Value,
    path: &str,
    problems: &mut Vec<String>,
) -> Map<String, Value> {
    let mut out = Map::new();
    let merged = match merge_objects(value) {
        Ok(merged) => merged,
        Err(found) => {
            let what = if path.is_empty() { "config" } else { path };
            problems.push(format!(
                "Incorrect attribute value type: {what:?} must be a block, found {found}."
            ));
            return out;
        }
    };
    for (key, item) in &merged {
        if item.is_null() {
            continue;
        }
        let Some(field) = fields.iter().find(|f| f.name == key) else {
            problems.push(format!(
                "Invalid label: No argument or block type is named {key:?}."
            ));
            continue;
        };
        let inner = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        if let Some(decoded) = convert(&field.kind, item, &inner, problems) {
            out.insert(key.clone(), decoded);
        }
    }
    for field in fields.iter().filter(|f| f.required) {
        if merged.get(field.name).is_none_or(Value::is_null) {
            problems.push(format!(
                "Missing required argument: The argument {:?} is required, but no definition was found.",
                field.name
            ));
        }
    }
    out
}

/// An object, or a list of objects taken as one. Nothing at all is the empty object.
fn merge_objects(value: &Value) -> Result<Map<String, Value>, &'static str> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map.clone()),
        Value::Array(items) => {
            let mut merged = Map::new();
            for item in items {
                merged.extend(merge_objects(item)?);
            }
            Ok(merged)
        }
        other => Err(type_name(other)),
    }
}

fn convert(kind: &Kind, value: &Value, path: &str, problems: &mut Vec<String>) -> Option<Value> {
    let scalar = |wanted: &str, found: Option<Value>, problems: &mut Vec<String>| {
        if found.is_none() {
            problems.push(format!(
                "Incorrect attribute value type: Inappropriate value for attribute {path:?}: {wanted} required."
            ));
        }
        found
    };
    match kind {
        Kind::String => scalar("string", as_string(value), problems),
        Kind::Int => scalar("number", as_int(value), problems),
        Kind::Float => scalar("number", as_float(value), problems),
        Kind::Bool => scalar("bool", as_bool(value), problems),
        Kind::Duration => scalar("duration", as_duration(value), problems),
        Kind::List(inner) => match value {
            Value::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| convert(inner, item, path, problems))
                    .collect(),
            ),
            _ => scalar("list", None, problems),
        },
        Kind::Map(inner) => match merge_objects(value) {
            Ok(map) => {
                let mut out = Map::new();
                for (key, item) in &map {
                    if let Some(decoded) = convert(inner, item, &format!("{path}.{key}"), problems)
                    {
                        out.insert(key.clone(), decoded);
                    }
                }
                Some(Value::Object(out))
            }
            Err(_) => scalar("map", None, problems),
        },
        Kind::Block(fields) => Some(Value::Object(block(fields, value, path, problems))),
        Kind::Blocks(fields) => {
            let items: Vec<&Value> = match value {
                Value::Array(items) => items.iter().collect(),
                other => vec![other],
            };
            Some(
                items
                    .into_iter()
                    .map(|item| Value::Object(block(fields, item, path, problems)))
                    .collect(),
            )
        }
    }
}

fn as_string(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Number(n) => Some(Value::String(n.to_string())),
        Value::Bool(b) => Some(Value::String(b.to_string())),
        _ => None,
    }
}

fn as_int(value: &Value) -> Option<Value> {
    let found = match value {
        Value::Number(n) => n
            .as_i64()
            .or_else(|| n.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    found.map(Value::from)
}

fn as_float(value: &Value) -> Option<Value> {
    let found = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    found.and_then(Number::from_f64).map(Value::Number)
}

fn as_bool(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

fn as_duration(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => parse_duration(text).map(|d| Value::from(d.as_nanos() as u64)),
        Value::Number(n) => n.as_u64().map(Value::from),
        _ => None,
    }
}

/// `1h5m`, `250ms`, `1.5s`; `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<std::time::Duration> {
    let mut rest = text.trim().trim_start_matches('+');
    if rest == "0" {
        return Some(std::time::Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let scale = match &rest[..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number * scale;
        rest = &rest[unit_end..];
    }
    std::time::Duration::try_from_secs_f64(seconds).ok()
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Vec<Field> {
        vec![
            Field::required("command", Kind::String),
            Field::strings("args"),
            Field::optional("shm", Kind::Int),
            Field::optional("wait", Kind::Duration),
            Field::optional("port_map", Kind::Map(Box::new(Kind::Int))),
            Field::optional(
                "mount",
                Kind::Blocks(vec![Field::optional("target", Kind::String)]),
            ),
        ]
    }

    #[test]
    fn converts_what_a_job_file_writes() {
        let written = json!({"command": "x", "args": [1, true], "shm": "64", "wait": "1m30s",
            "port_map": [{"db": 6379}, {"http": "80"}], "mount": {"target": "/x"}});
        let decoded = decode(&fields(), &written).expect("valid");
        assert_eq!(
            decoded,
            json!({"command": "x", "args": ["1", "true"], "shm": 64, "wait": 90_000_000_000_u64,
                "port_map": {"db": 6379, "http": 80}, "mount": [{"target": "/x"}]})
        );
    }

    #[test]
    fn reports_every_problem_at_once() {
        let err = decode(&fields(), &json!({"shm": "many", "bogus": 1}))
            .expect_err("invalid")
            .to_string();
        assert!(err.starts_with("failed to parse config: "), "{err}");
        for part in [
            "named \"bogus\"",
            "attribute \"shm\": number required",
            "argument \"command\" is required",
        ] {
            assert!(err.contains(part), "{part} missing in {err}");
        }
    }

    #[test]
    fn durations_are_texts_of_go() {
        assert_eq!(parse_duration("1h2m3s").map(|d| d.as_secs()), Some(3723));
        assert_eq!(parse_duration("250ms").map(|d| d.as_millis()), Some(250));
        assert_eq!(parse_duration("5"), None);
        assert_eq!(parse_duration("x"), None);
    }
}
