//! YAML, read and written.

use std::collections::BTreeMap;

use gotmpl::Value;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value as Json};

use super::{Function, fail, from_json, map, string, text, to_json};

/// Deeper data than anybody writes.
const MOST_DEPTH: usize = 100;
/// Aliases of aliases must not fill the memory.
const MOST_VALUES: usize = 1_000_000;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("parseYAML", |_, args| {
        let text = text(args, 0)?;
        if text.is_empty() {
            return Ok(map([]));
        }
        read(&text).map(|value| from_json(&value)).map_err(fail)
    }),
    ("toYAML", |_, args| {
        let mut out = String::new();
        write(&to_json(args.first().unwrap_or(&Value::Nil)), 0, &mut out);
        Ok(string(out.trim_end()))
    }),
];

/// The first document of a text.
fn read(text: &str) -> Result<Json, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event)?;
    }
    Ok(builder.root.unwrap_or(Json::Null))
}

/// A list or a mapping that is being read, and the number of its anchor.
enum Open {
    Items(Vec<Json>, usize),
    Fields(Map<String, Json>, Option<String>, usize),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Json>,
    anchors: BTreeMap<usize, Json>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::SequenceStart(anchor, _) => self.deeper(Open::Items(Vec::new(), anchor)),
            Event::MappingStart(anchor, _) => self.deeper(Open::Fields(Map::new(), None, anchor)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Items(items, anchor)) => self.value(Json::Array(items), anchor),
                Some(Open::Fields(fields, _, anchor)) => self.value(Json::Object(fields), anchor),
                None => Ok(()),
            },
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                let plain = style == ScalarStyle::Plain && tag.as_deref() != Some("str");
                self.value(
                    if plain {
                        scalar(&text)
                    } else {
                        Json::from(&*text)
                    },
                    anchor,
                )
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                self.value(value.ok_or("an alias refers to what contains it")?, 0)
            }
            _ => Ok(()),
        }
    }

    fn deeper(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= MOST_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        self.open.push(open);
        Ok(())
    }

    fn value(&mut self, value: Json, anchor: usize) -> Result<(), String> {
        self.values = self.values.saturating_add(count(&value));
        if self.values > MOST_VALUES {
            return Err("it has more values than a template may make".to_owned());
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Items(items, _)) => items.push(value),
            Some(Open::Fields(fields, key, _)) => match key.take() {
                None => {
                    *key = Some(match value {
                        Json::String(text) => text,
                        Json::Array(_) | Json::Object(_) => {
                            return Err("keys of a mapping must be texts".to_owned());
                        }
                        other => other.to_string(),
                    });
                }
                Some(key) if key == "<<" => merge(fields, &value)?,
                Some(key) => {
                    fields.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

fn count(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Json::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn merge(fields: &mut Map<String, Json>, from: &Json) -> Result<(), String> {
    let sources = match from {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    for source in sources {
        let source = source.as_object().ok_or("only mappings can be merged")?;
        for (key, value) in source {
            fields.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(())
}

/// A text without quotes is what it looks like.
fn scalar(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Json::from(text);
    }
    let digits = text.replace('_', "");
    let radix =
        |prefix: &str, radix: u32| i64::from_str_radix(digits.strip_prefix(prefix)?, radix).ok();
    let bases = [("0x", 16), ("0o", 8), ("0b", 2)];
    let based = bases
        .into_iter()
        .find_map(|(prefix, base)| radix(prefix, base));
    if let Some(whole) = based.or_else(|| digits.parse().ok()) {
        return Json::from(whole);
    }
    let fraction = digits.parse().ok().and_then(Number::from_f64);
    fraction.map_or_else(|| Json::from(text), Json::Number)
}

/// Writes a value as YAML in its block form; texts that could be something else are quoted as in JSON.
fn write(value: &serde_json::Value, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        serde_json::Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                out.push_str(&format!(
                    "{pad}{}:",
                    quoted(&serde_json::Value::String(key.clone()))
                ));
                below(member, depth, out);
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                below(item, depth, out);
            }
        }
        other => out.push_str(&format!("{pad}{}\n", quoted(other))),
    }
}

fn below(value: &serde_json::Value, depth: usize, out: &mut String) {
    let nested = match value {
        serde_json::Value::Object(members) => !members.is_empty(),
        serde_json::Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        write(value, depth + 1, out);
    } else {
        out.push_str(&format!(" {}\n", quoted(value)));
    }
}

fn quoted(value: &serde_json::Value) -> String {
    let serde_json::Value::String(text) = value else {
        return value.to_string();
    };
    let plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "_-./ ".contains(c))
        && !text.ends_with(' ')
        && !matches!(
            text.to_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan"
        );
    if plain {
        text.clone()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn written() {
        let value = json!({"a": [1, "x y", "true"], "b": {"c": null, "d": "é: "}, "e": []});
        let mut out = String::new();
        write(&value, 0, &mut out);
        assert_eq!(
            out,
            "a:\n  - 1\n  - x y\n  - \"true\"\nb:\n  c: null\n  d: \"é: \"\ne: []\n"
        );
        assert_eq!(read(&out), Ok(value));
    }

    #[test]
    fn read_as_what_it_looks_like() {
        let text = "base: &b {x: 1, y: 0x1f}\nover: {<<: *b, y: 2.5}\nt: 'yes'\nn: ~\nlist:\n- true\n- 1_000\n- !!str 7\n";
        let expected = json!({
            "base": {"x": 1, "y": 31}, "over": {"x": 1, "y": 2.5}, "t": "yes", "n": null,
            "list": [true, 1000, "7"],
        });
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read("one\n---\ntwo"), Ok(json!("one")));
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(read(&bomb).unwrap_err().contains("more values"));
        assert!(read(&"[".repeat(200)).is_err());
        assert!(read("a: [").is_err());
    }
}
