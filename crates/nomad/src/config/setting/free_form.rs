//! Blocks that are kept as they are written, as JSON.

use serde_json::Map;

use super::scalars::whole;
use super::{Context, Setting, for_each_block};
use crate::config::syntax::{Entry, Node, Value};

/// A block whose keys belong to somebody else, such as a driver's configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FreeForm(pub Map<String, serde_json::Value>);

impl Setting for FreeForm {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        for_each_block(&entry.node, cx, |entries, _| {
            let serde_json::Value::Object(fresh) = object_json(entries) else {
                return;
            };
            merge_json(&mut self.0, fresh);
        });
    }
}

fn merge_json(into: &mut Map<String, serde_json::Value>, from: Map<String, serde_json::Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(serde_json::Value::Object(old)), serde_json::Value::Object(new)) => {
                merge_json(old, new)
            }
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// Entries as JSON; a block that is written several times becomes a list of blocks.
fn object_json(entries: &[Entry]) -> serde_json::Value {
    let mut map = Map::new();
    for entry in entries {
        let labelled = |value, label: &String| serde_json::json!({ label: value });
        let value = entry
            .labels
            .iter()
            .rev()
            .fold(node_json(&entry.node), labelled);
        match map.get_mut(&entry.key) {
            None => drop(map.insert(entry.key.clone(), value)),
            Some(serde_json::Value::Array(list)) => list.push(value),
            Some(first) => *first = serde_json::Value::Array(vec![first.take(), value]),
        }
    }
    serde_json::Value::Object(map)
}

fn node_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Number(text) => match whole(node).map(i64::try_from) {
            Some(Ok(value)) => value.into(),
            _ => text.parse::<f64>().unwrap_or_default().into(),
        },
        Value::List(items) => items.iter().map(node_json).collect::<Vec<_>>().into(),
        Value::Object(entries) => object_json(entries),
    }
}
